"""What neuroglancer is told to show: its state, as JSON, with the addresses of sources relative to the first page.

Format: https://github.com/google/neuroglancer, python/neuroglancer/viewer_state.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from voxgate.model.volumes import VolumeInfo, VolumeKind
from voxgate_gateway.backend import Described
from voxgate_gateway.snippets import path_of
from voxgate_gateway.viewer.places import extent_nm

_PANEL_PX = 400
"""The least edge of one of four panels in a usual window."""
_MOST_SHOWN = 2048
"""Voxels of the coarsest scale along the edge of a panel: more would be thousands of chunks."""
_COLOURS = ("FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see of a volume.

    Attributes:
        segments: the ids to show in 3-D, too.
        position: x, y, z in voxels of the finest scale; None for the middle.
    """

    segments: tuple[int, ...] = ()
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A volume of a scene.

    Attributes:
        described: the volume.
        window: the values of an image to show as black and white; None leaves that to neuroglancer.
    """

    described: Described
    window: tuple[float, float] | None = None

    @property
    def is_segmentation(self) -> bool:
        """Whether it is shown as segments; ids that nobody calls so are too large for an image."""
        info = self.described.info
        is_ids = info.dtype.name == "uint64" and info.channel_count == 1
        return info.kind is VolumeKind.SEGMENTATION or (info.kind is VolumeKind.UNKNOWN and is_ids)


def scene(layers: Sequence[Layer], wish: Wish) -> dict[str, Any]:
    """The state that shows volumes together; the first one says where.

    Args:
        layers: the volume that was asked for, and what goes with it; voxel sizes known.
        wish: what of it.
    """
    info = layers[0].described.info
    finest = info.scales[0]
    size = tuple(finest.voxel_size_nm or ())
    middle = [(a + b) / 2 for a, b in zip(finest.bounds.start, finest.bounds.stop, strict=True)]
    # Images first, segments over them.
    order = sorted(layers, key=lambda layer: layer.is_segmentation)
    shown = [_layer(layer, name, wish) for layer, name in zip(order, _names(order), strict=True)]
    state: dict[str, Any] = {
        "title": info.name,
        "dimensions": {axis: [_metres(nm), "m"] for axis, nm in zip("xyz", size, strict=True)},
        "position": list(wish.position or middle),
        "crossSectionScale": _cross_section_scale(info),
        "projectionScale": _round(1.6 * max(extent_nm(info)) / min(size)),
        "projectionOrientation": [0.25, -0.2, -0.05, 0.94],
        "hideCrossSectionBackground3D": True,
        # Slices would hide half of what was asked for.
        "showSlices": not wish.segments,
        "layers": shown,
        "layout": "4panel",
    }
    chosen = [layer["name"] for layer in shown if layer["type"] == "segmentation"]
    if chosen:
        state["selectedLayer"] = {"layer": chosen[-1], "visible": False}
    return state


def _layer(layer: Layer, name: str, wish: Wish) -> dict[str, Any]:
    info = layer.described.info
    version = f"@{path_of(layer.described.ref.version)}" if layer.described.ref.version else ""
    told: dict[str, Any] = {"name": name, "source": f"ng/{path_of(info.name)}{version}/-"}
    if layer.is_segmentation:
        told |= {"type": "segmentation", "selectedAlpha": 0.35, "notSelectedAlpha": 0.12 if wish.segments else 0}
        if wish.segments:
            told["segments"] = [str(segment_id) for segment_id in wish.segments]
        return told
    told["type"] = "image"
    if info.channel_count > 1:
        told["shader"] = _shader(info)
    if layer.window is not None:
        controls = (f"c{i}" for i in range(_shown(info))) if info.channel_count > 1 else ("normalized",)
        told["shaderControls"] = {control: {"range": list(layer.window)} for control in controls}
    return told


def _shader(info: VolumeInfo) -> str:
    """A program that adds the channels up, each in its colour."""
    lines, terms = [], []
    plain = info.channel_count == 3 and info.dtype.name == "uint8" and not any(c.color for c in info.channels)
    for i in range(_shown(info)):
        own = ("FF0000", "00FF00", "0000FF")[i] if plain else _COLOURS[i % len(_COLOURS)]
        colour = info.channels[i].color if i < len(info.channels) and info.channels[i].color else own
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
        lines.append(f"#uicontrol invlerp c{i}(channel={i})")
        terms.append(f"vec3({red:.3f}, {green:.3f}, {blue:.3f}) * c{i}()")
    return "\n".join([*lines, "void main() {", f"  emitRGB({' + '.join(terms)});", "}", ""])


def _shown(info: VolumeInfo) -> int:
    return min(info.channel_count, len(_COLOURS))


def _names(layers: Iterable[Layer]) -> list[str]:
    """A name for each: the last part of the volume's own, as long as it tells it from the others."""
    names = [layer.described.info.name for layer in layers]
    last = [name.rpartition("/")[2] for name in names]
    return last if len(set(last)) == len(last) else names


def _cross_section_scale(info: VolumeInfo) -> float:
    """Voxels of the finest edge for each pixel: the whole volume in a panel, where that takes no thousand chunks."""
    size = min(info.scales[0].voxel_size_nm or (1.0,))
    widest_nm = max(extent_nm(info)[:2])
    coarsest = info.scales[-1].voxel_size_nm or info.scales[0].voxel_size_nm
    most_nm = _MOST_SHOWN * max(tuple(coarsest or (1.0,))[:2])
    return _round(max(min(widest_nm, most_nm) / size / _PANEL_PX, 0.02))


def _metres(nm: float) -> float:
    """Nanometres in metres, as the decimal number that it is: 8 nm is 8e-09 and no neighbour of it."""
    return float(f"{nm:.12g}e-9")


def _round(number: float) -> float:
    return float(f"{number:.4g}")
