"""The first page: the volumes, what they are, and the address to paste into other tools. Plain HTML, all our own."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import MalformedName, VoxgateError
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.names import VolumeName
from voxgate.model.volumes import Scale, VolumeInfo
from voxgate_gateway.answers import body_answer, status_of
from voxgate_gateway.catalogue import Catalogue, Entry, look_around
from voxgate_gateway.grid import chunk_shape
from voxgate_gateway.paths import backend_of
from voxgate_gateway.precomputed import refuse_unsupported, scale_keys

_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_TIMES = " \N{MULTIPLICATION SIGN} "
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_HTML = "text/html; charset=utf-8"
_RETRY = "<p>Reload this page in a moment.</p>"


def home(request: Request) -> Response:
    """List the volumes; `?under=NAME` lists those of one remote or group."""
    under = request.query_params.get("under", "")
    base = f"{request.url.scheme}://{request.url.netloc}"
    status = 200
    try:
        if under:
            under = str(VolumeName.parse(under))
        content = _listing(look_around(backend_of(request), under), base)
    except VoxgateError as error:
        status = status_of(error)
        under = "" if isinstance(error, MalformedName) else under
        content = _problem(error) if status < 500 else _problem(error, _RETRY)
    page = _page(content, under).encode()
    if status == 200:
        answer = body_answer(request, page, _HTML)
    else:
        answer = Response(page, status_code=status, media_type=_HTML)
    answer.headers["content-security-policy"] = _POLICY
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


def asset(request: Request) -> Response:
    """The page's style and script, from this process."""
    name = request.path_params["name"]
    if name not in _ASSETS:
        return Response(status_code=404)
    body = files("voxgate_gateway").joinpath("static", name).read_bytes()
    return body_answer(request, body, _ASSETS[name])


def _page(content: str, under: str) -> str:
    title = f"{under} · voxgate" if under else "voxgate"
    heading = (
        f'<h1>{escape(under)}</h1><p><a href="/">All volumes</a></p>'
        if under
        else (
            "<h1>voxgate</h1><p>Every volume below is served as neuroglancer precomputed: paste its address into "
            "neuroglancer, cloud-volume or tensorstore.</p>"
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/static/page.css"></head>'
        f"<body><header>{heading}</header><main>{content}</main>"
        '<footer><span id="said" role="status"></span> <a href="/readyz">Server status</a></footer>'
        '<script src="/static/page.js"></script></body></html>'
    )


def _listing(catalogue: Catalogue, base: str) -> str:
    parts = [_card(entry, base) for entry in catalogue.entries]
    parts += [
        f'<div class="note">{_problem_text(f"{name} could not be listed", e)}</div>' for name, e in catalogue.problems
    ]
    if catalogue.unopened or catalogue.more_volumes:
        links = "".join(
            f'<li><a href="/?under={quote(name, safe="")}">{escape(name)}</a></li>' for name in catalogue.unopened
        )
        more = f"<p>{catalogue.more_volumes:,} more volumes are not shown.</p>" if catalogue.more_volumes else ""
        inside = f"<p>Not opened on this page:</p><ul>{links}</ul>" if links else ""
        parts.append(f'<div class="note">{more}{inside}</div>')
    if not parts:
        parts.append(
            '<div class="note"><p>No volumes here. Add a remote to voxgate.toml, or start '
            "<code>voxgate serve PATH</code> with a folder that holds volumes.</p></div>"
        )
    return "".join(parts)


def _card(entry: Entry, base: str) -> str:
    if entry.described is None:
        text = _problem_text(entry.name, entry.problem)
        return f'<article><div class="plate"></div><div>{text}</div></article>'
    info = entry.described.info
    path = quote(entry.name, safe="/%+~")
    kind = info.kind.value
    badge = f'<span class="kind {kind}">{kind if kind != "unknown" else "kind unknown"}</span>'
    facts = "".join(f"<div><dt>{label}</dt><dd>{escape(value)}</dd></div>" for label, value in _facts(info))
    plate = '<div class="plate"></div>'
    if info.scales and info.time_count == 1:
        alt = f"A slice through {escape(entry.name)}"
        plate = f'<img class="plate" src="/preview/{escape(path)}" alt="{alt}" loading="lazy">'
    address = _address(info, f"precomputed://{base}/ng/{path}/-")
    scales = _scales(info, entry.described.max_chunk_bytes)
    heading = f"<h2>{escape(entry.name)}{badge}</h2>"
    return f"<article>{plate}<div>{heading}<dl>{facts}</dl>{address}{scales}</div></article>"


def _facts(info: VolumeInfo) -> list[tuple[str, str]]:
    if not info.scales:
        return [("Voxels", "none: this volume holds no voxels")]
    finest = info.scales[0]
    guessed = f" (guessed: {', '.join(info.inferred)})" if info.inferred else ""
    facts = [
        ("Shape (x, y, z)", _extent(finest.bounds.shape)),
        ("Voxel size (x, y, z)", _size(finest.voxel_size_nm)),
        ("Voxel type", info.dtype.name + guessed),
        ("Raw size", _bytes(finest.bounds.voxel_count * info.dtype.itemsize * info.channel_count * info.time_count)),
    ]
    if "c" in info.axes:
        facts.append(("Channels", ", ".join(c.name or str(i) for i, c in enumerate(info.channels))))
    if info.time_count > 1:
        facts.append(("Time points", f"{info.time_count:,}"))
    if info.resolved_version:
        facts.append(("Version", info.resolved_version))
    return facts


def _address(info: VolumeInfo, url: str) -> str:
    try:
        refuse_unsupported(info)
    except VoxgateError as error:
        return f'<p class="bad">Not as precomputed: {escape(str(error))}.</p>'
    label = escape(f"Copy the precomputed address of {info.name}")
    return (
        f'<div class="copy"><code tabindex="0">{escape(url)}</code>'
        f'<button type="button" data-copy hidden aria-label="{label}">Copy</button></div>'
    )


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


def _bytes(count: float) -> str:
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.3g} {unit}" if count < 1000 else f"{count:,.0f} {unit}"


def _problem(error: VoxgateError, extra: str = "") -> str:
    return f'<div class="note">{_problem_text("This page could not be made", error)}{extra}</div>'


def _problem_text(heading: str, error: VoxgateError | None) -> str:
    return f'<h2>{escape(heading)}</h2><p class="bad">{escape(str(error))}</p>'


ROUTES = (
    Route("/", home, methods=["GET", "HEAD"]),
    Route("/static/{name}", asset, methods=["GET", "HEAD"]),
)
