"""Slices: one plane of voxels as a picture. Which voxel value became which pixel is always said, and never guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from voxgate.model.errors import InvalidArgument, LimitExceeded, UnsupportedFormat
from voxgate.model.geometry import Box
from voxgate.model.volumes import VolumeInfo, VolumeKind
from voxgate_gateway.answers import Content, caching, content_answer, known_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.cutouts import CutoutWish
from voxgate_gateway.http.conditions import etag_of_name
from voxgate_gateway.pictures import id_colours, jpeg_of, png_of
from voxgate_gateway.rest.boxes import OF_THE_VOLUME, axis, wish_of
from voxgate_gateway.rest.cutouts import TOLD, told_of
from voxgate_gateway.rest.kinds import choice
from voxgate_gateway.rest.operations import BINARY, VOLUME, Answer, Area, Asked, Kind, Operation, Parameter
from voxgate_gateway.rest.streaming import Turns

MAX_PIXELS = 16 << 20
_BAND_PIXELS = 1 << 20
_PLANES = {"xy": ("x", "y", "z"), "xz": ("x", "z", "y"), "yz": ("y", "z", "x")}
"""By name: what runs to the right, what runs down, and what is across."""
_MEDIA = {"png": "image/png", "jpeg": "image/jpeg"}
_JPEG_QUALITY = 90
_EXACT = (np.dtype("u1"), np.dtype("<u2"))
_FLOAT = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:e[+-]?[0-9]{1,3})?"
_WINDOW = re.compile(f"({_FLOAT}):({_FLOAT})", re.ASCII)
Pixels = npt.NDArray[Any]


def _window(text: str) -> tuple[float, float] | str:
    if text in ("store", "slice"):
        return text
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError("it is LOW:HIGH as in 0:4095, or store, or slice")
    low, high = float(match[1]), float(match[2])
    if not math.isfinite(low) or not math.isfinite(high) or low >= high:
        raise ValueError("its first number is smaller than its second")
    return low, high


WINDOW = Kind({"type": "string", "pattern": f"^(store|slice|{_FLOAT}:{_FLOAT})$", "maxLength": 100}, _window)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be.

    Attributes:
        described: the volume.
        wish: its plane: one voxel thick, one channel.
        plane: "xy", "xz" or "yz".
        media: "image/png" or "image/jpeg".
        mapping: "exact", "colors" or "window".
        window: the values shown black and white; "slice" takes the plane's own; unused by the other mappings.
    """

    described: Described
    wish: CutoutWish
    plane: str
    media: str
    mapping: str
    window: tuple[float, float] | str = ""


async def _slice(asked: Asked) -> Response:
    request, backend = asked.request, asked.backend
    described = await backend.described(asked.ref)
    picture = _picture(described, asked.values)
    cache_control = caching(request, lasting=described.is_lasting)
    etag = ""
    if described.is_unchanging:
        info = described.info
        named = (info.name, info.resolved_version, picture.wish, picture.plane, picture.media)
        etag = etag_of_name("slice", *named, picture.mapping, picture.window)
        if known := known_answer(request, etag, cache_control=cache_control):
            return known
    turns: Turns = request.app.state.turns
    data, mapping = await anyio.to_thread.run_sync(_drawn, backend, picture, limiter=turns.makers)
    right, down, _ = _PLANES[picture.plane]
    told = {
        **told_of(described, picture.wish),
        "x-voxgate-axes": down + right,
        "x-voxgate-data-type": np.dtype(described.info.dtype).name,
        "x-voxgate-mapping": mapping,
    }
    return content_answer(request, Content(data, picture.media, etag), cache_control=cache_control, headers=told)


def _picture(described: Described, values: Mapping[str, Any]) -> Picture:
    info = described.info
    plane = values.get("plane", "xy")
    wish = wish_of(info, values)
    _check_plane(wish.box, plane)
    if len(wish.channels_of(info)) != 1:
        raise InvalidArgument(
            f"a slice shows one channel, and {len(wish.channels_of(info))} were asked for", "pick one with channel"
        )
    media = _MEDIA[values.get("format", "png")]
    mapping, window = _mapping(info, values)
    if mapping == "window" and window == "store":
        channel = wish.channels_of(info)[0]
        stated = info.channels[channel].window if info.channels else None
        if stated is None or stated[0] >= stated[1]:
            raise InvalidArgument(f"the store of {info.name} states no window", "state one: window=LOW:HIGH")
        window = stated
    if mapping == "exact":
        _check_exact(info, media)
    return Picture(described, wish, plane, media, mapping, window)


def _check_plane(box: Box, plane: str) -> None:
    right, down, across = _PLANES[plane]
    shape = dict(zip("xyz", box.shape, strict=True))
    if shape[across] != 1:
        raise InvalidArgument(
            f"plane={plane} shows one {across}, and {shape[across]} were asked for",
            f"state one: {across}=N",
            details={"field": across},
        )
    pixels = shape[right] * shape[down]
    if pixels > MAX_PIXELS or max(shape.values()) > 1 << 15:
        raise LimitExceeded(
            f"the slice has {pixels:,} pixels, and {MAX_PIXELS:,} (each side at most {1 << 15:,}) are the most of one",
            f"state smaller {right} and {down}, or a coarser scale",
            details={"limit": str(MAX_PIXELS), "asked": str(pixels)},
        )


def _mapping(info: VolumeInfo, values: Mapping[str, Any]) -> tuple[str, tuple[float, float] | str]:
    """Which mapping, and its window: stated, or colours for a segmentation and exact values for anything else."""
    window = values.get("window")
    asked = values.get("mapping")
    if window is not None:
        if asked not in (None, "window"):
            raise InvalidArgument(f"mapping={asked} has no window", "leave one of them out")
        return "window", window
    if asked == "window":
        raise InvalidArgument("mapping=window needs a window", "add window=LOW:HIGH", details={"field": "window"})
    mapping = asked or ("colors" if info.kind is VolumeKind.SEGMENTATION else "exact")
    if mapping == "colors" and info.dtype.kind not in "iu":
        raise UnsupportedFormat(f"{info.dtype.name} are no segment ids", "ask for window=LOW:HIGH")
    return mapping, ""


def _check_exact(info: VolumeInfo, media: str) -> None:
    ids = info.kind is VolumeKind.SEGMENTATION and info.dtype.kind in "iu"
    if media == _MEDIA["jpeg"] and (ids or info.dtype.itemsize > 1 or info.dtype.kind != "u"):
        raise InvalidArgument(
            f"a JPEG cannot hold {info.dtype.name} as they are", "ask for a PNG, or state window=LOW:HIGH"
        )
    if info.dtype not in _EXACT and not ids:
        raise InvalidArgument(
            f"no picture holds {info.dtype.name} as they are",
            "state which values are black and white: window=LOW:HIGH, or window=slice for the slice's own",
            details={"field": "window"},
        )


def _drawn(backend: Backend, picture: Picture) -> tuple[bytes, str]:
    """The picture, and which voxel value became which pixel."""
    voxels = backend.read_cutout(picture.described, picture.wish)[0]
    _, _, across = _PLANES[picture.plane]
    plane = voxels.squeeze(axis="zyx".index(across))
    pixels, mapping = _PIXELS[picture.mapping](plane, picture.window)
    made = png_of(pixels) if picture.media == _MEDIA["png"] else jpeg_of(pixels.astype(np.uint8), _JPEG_QUALITY)
    return made, mapping


def _coloured(plane: Pixels, _window: Any) -> tuple[Pixels, str]:
    return np.concatenate([id_colours(band) for band in _bands(plane)]), "colors"


def _bands(plane: Pixels) -> list[Pixels]:
    """The plane's rows in parts, so that what is worked out on the way stays small."""
    return np.array_split(plane, min(-(-plane.size // _BAND_PIXELS), len(plane)))


def _as_they_are(plane: Pixels, _window: Any) -> tuple[Pixels, str]:
    """Grey of 8 bits, or of 16 where the voxels are wider: as their ids fit."""
    if plane.dtype in _EXACT:
        return plane[..., np.newaxis], "exact"
    least, most = int(plane.min()), int(plane.max())
    if least < 0 or most > 0xFFFF:
        raise UnsupportedFormat(
            f"the slice has ids from {least} to {most}, and a picture holds none above 65535",
            "ask for mapping=colors, or for a cutout",
        )
    return plane.astype(np.uint16)[..., np.newaxis], "exact"


def _windowed(plane: Pixels, window: Any) -> tuple[Pixels, str]:
    """Linear from 0 to 255, rounded to nearest; beyond the window black and white, NaN black."""
    if window == "slice":
        finite = plane[np.isfinite(plane)]
        window = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low, high = window
    pixels = np.concatenate([_shades(band, low, high) for band in _bands(plane)])
    return pixels[..., np.newaxis], f"window; low={low:.17g}; high={high:.17g}"


def _shades(band: Pixels, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Where a slice has one value only, it is its own window, and black."""
    values = np.nan_to_num(band.astype(np.float64), nan=low, posinf=high, neginf=low)
    share = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
    return np.rint(share * 255).astype(np.uint8)


_PIXELS = {"colors": _coloured, "exact": _as_they_are, "window": _windowed}
_TEXT = f"""\
The plane's name says what runs to the right and what runs down: `xz` has x to the right and z down. The axis across
takes one voxel (`z=120` for `xy`); the others may be cut, and are whole without it. At most {MAX_PIXELS:,} pixels.

What happens to values is never guessed, and `X-Voxgate-Mapping` says it:

- `exact`: uint8 and uint16 are grey of 8 and 16 bits, each value as it is (uint16 as PNG alone). The default of what
  is no segmentation. Other types are refused until a window is stated. Ids of segmentations are grey too, where none
  in the slice is above 65535.
- `window` (`window=LOW:HIGH`): LOW and less is 0, HIGH and more is 255, linear between and rounded to nearest; NaN is
  0. `window=store` takes the channel's own from `info`, `window=slice` the smallest and largest value of this slice.
- `colors`: the default of segmentations: a colour for each id, the same everywhere and always, as neuroglancer has it
  with its seed 0; id 0 is dark grey.

JPEG loses: nothing but a look can be had from it."""
_ACROSS = "Voxels along {0}, as in a cutout; the axis across the plane takes one voxel, others are whole without this."
_HEADERS = {
    "X-Voxgate-Mapping": "`exact`, `colors`, or `window; low=LOW; high=HIGH`.",
    "X-Voxgate-Axes": "What runs down and what runs to the right: `yx`, `zx` or `zy`.",
    "X-Voxgate-Data-Type": "Of the voxels.",
    **TOLD,
}
AREA = Area(
    "slices",
    "Planes of voxels as pictures.",
    (
        Operation(
            "getSlice",
            f"{VOLUME}/slice",
            "Draw a plane of voxels",
            {
                200: Answer("The picture.", dict.fromkeys(_MEDIA.values(), BINARY), _HEADERS),
                206: Answer("The bytes of the range that was asked for.", dict.fromkeys(_MEDIA.values(), BINARY)),
                304: Answer("It is what `If-None-Match` says."),
            },
            _slice,
            _TEXT,
            (
                Parameter("plane", choice(*_PLANES), "Which plane; without it `xy`.", example="xy"),
                *(
                    axis(name, _ACROSS.format(name), required=False, example=example)
                    for name, example in (("x", "10:74"), ("y", "20:52"), ("z", "7"))
                ),
                Parameter("format", choice(*_MEDIA), "Without it `png`.", example="png"),
                Parameter("mapping", choice(*_PIXELS), "How values become pixels; see above."),
                Parameter("window", WINDOW, "`LOW:HIGH`, `store` or `slice`; see above.", example="0:255"),
                *OF_THE_VOLUME,
            ),
            (416,),
        ),
    ),
)
