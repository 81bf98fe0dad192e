"""A volume on the first page: its picture, what it is, where to look at it, and what to paste into other programs."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import Scale, VolumeInfo, VolumeKind
from voxgate_gateway.catalogue import Entry
from voxgate_gateway.grid import chunk_shape
from voxgate_gateway.page import problem_text
from voxgate_gateway.precomputed import scale_keys
from voxgate_gateway.snippets import Snippet, path_of, snippets

_TIMES = " \N{MULTIPLICATION SIGN} "
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_NO_PLATE = '<div class="plate"></div>'


@dataclass(frozen=True, slots=True)
class Where:
    """Addresses as the reader of a page needs them.

    Attributes:
        root: the way to the first page.
        base: its whole address, without a slash at its end.
        grpc: "host:port" of the volume server.
    """

    root: str
    base: str
    grpc: str


def card(entry: Entry, where: Where) -> str:
    """The HTML of one volume, or of why it could not be described."""
    if entry.described is None:
        return f"<article>{_NO_PLATE}<div>{problem_text(entry.name, entry.problem)}</div></article>"
    info = entry.described.info
    kind = info.kind.value
    badge = f'<span class="kind {kind}">{kind if kind != "unknown" else "kind unknown"}</span>'
    facts = "".join(f"<div><dt>{label}</dt><dd>{escape(value)}</dd></div>" for label, value in _facts(info))
    ways = snippets(info, where.base, where.grpc)
    can_look = any(way.name == "neuroglancer" and way.works for way in ways)
    return (
        f"<article>{_plate(info, where, can_look)}<div><h2>{escape(info.name)}{badge}</h2><dl>{facts}</dl>"
        f"{_looks(info, where) if can_look else ''}{_uses(info, ways)}"
        f"{_scales(info, entry.described.max_chunk_bytes)}</div></article>"
    )


def _plate(info: VolumeInfo, where: Where, can_look: bool) -> str:
    if not info.scales or info.time_count != 1:
        return _NO_PLATE
    path = escape(path_of(info.name))
    alt = f"A slice through {escape(info.name)}"
    picture = (
        f'<img class="plate" src="{where.root}preview/{path}" alt="{alt}" loading="lazy" width="176" height="176">'
    )
    # The button beside it leads to the same place; a keyboard need not stop at both.
    return f'<a href="{where.root}view/{path}/-" tabindex="-1">{picture}</a>' if can_look else picture


def _looks(info: VolumeInfo, where: Where) -> str:
    address = f"{where.root}view/{escape(path_of(info.name))}/-"
    name = escape(info.name)
    links = f'<a class="button" href="{address}" aria-label="Look at {name}">Look at it</a>'
    if info.kind is VolumeKind.SEGMENTATION:
        label = f"Look at {name} with some segments in 3-D"
        links += f' <a class="button quiet" href="{address}?segments=some" aria-label="{label}">with some segments</a>'
    return f'<p class="looks">{links}</p>'


def _uses(info: VolumeInfo, ways: list[Snippet]) -> str:
    rows = "".join(_use(info, way) for way in ways)
    names = ", ".join(way.name for way in ways if way.works)
    return f'<details class="uses"><summary>Read it from {names}</summary>{rows}</details>'


def _use(info: VolumeInfo, way: Snippet) -> str:
    if not way.works:
        return f'<p><b>{way.name}</b> <span class="bad">cannot: {escape(way.text)}.</span></p>'
    return copyable(way.name, way.text, f"Copy what {way.name} needs to read {info.name}")


def copyable(name: str, text: str, label: str) -> str:
    """Text to copy, under a name; `label` says to who cannot see it what its button copies. None of them is HTML."""
    return (
        f'<div class="copy"><b>{escape(name)}</b><code tabindex="0">{escape(text)}</code>'
        f'<button type="button" data-copy hidden aria-label="{escape(label)}">Copy</button></div>'
    )


def _facts(info: VolumeInfo) -> list[tuple[str, str]]:
    if not info.scales:
        return [("Voxels", "none: this volume holds no voxels")]
    finest = info.scales[0]
    raw_bytes = finest.bounds.voxel_count * info.dtype.itemsize * info.channel_count * info.time_count
    guessed = f" (guessed: {', '.join(info.inferred)})" if info.inferred else ""
    facts = [
        ("Shape (x, y, z)", _extent(finest.bounds.shape)),
        ("Voxel size (x, y, z)", _size(finest.voxel_size_nm)),
        ("Voxel type", info.dtype.name + guessed),
        (
            "Raw size",
            bytes_text(raw_bytes),
        ),
    ]
    if "c" in info.axes:
        facts.append(("Channels", ", ".join(c.name or str(i) for i, c in enumerate(info.channels))))
    if info.time_count > 1:
        facts.append(("Time points", f"{info.time_count:,}"))
    if info.resolved_version:
        facts.append(("Version", info.resolved_version))
    if info.format:
        facts.append(("Stored as", info.format))
    return facts


def _scales(info: VolumeInfo, budget_bytes: int) -> str:
    rows = "".join(
        _row(info, key, scale, budget_bytes) for key, scale in zip(scale_keys(info), info.scales, strict=True)
    )
    count = len(info.scales)
    if not count:
        return ""
    return (
        f"<details><summary>{count} scale{'s' if count > 1 else ''}</summary><div class=scales><table><thead><tr>"
        '<th scope="col">Scale</th><th scope="col">Shape</th><th scope="col">Offset</th><th scope="col">Voxel size</th>'
        f'<th scope="col">Stored chunk</th><th scope="col">Served chunk</th></tr></thead><tbody>{rows}</tbody></table>'
        "</div></details>"
    )


def _row(info: VolumeInfo, key: str, scale: Scale, budget_bytes: int) -> str:
    start = scale.bounds.start
    cells = (
        _extent(scale.bounds.shape),
        f"{start.x:,}, {start.y:,}, {start.z:,}",
        _size(scale.voxel_size_nm),
        _extent(scale.stored_chunk_shape),
        _extent(chunk_shape(info, scale, budget_bytes)),
    )
    return f'<tr><th scope="row">{escape(key)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _extent(shape: Vec3) -> str:
    return _TIMES.join(f"{n:,}" for n in shape)


def _size(size: VoxelSize | None) -> str:
    return "unknown" if size is None else f"{_TIMES.join(f'{n:g}' for n in size)} nm"


def bytes_text(count: float) -> str:
    """A number of bytes for people."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.3g} {unit}" if count < 1000 else f"{count:,.0f} {unit}"
