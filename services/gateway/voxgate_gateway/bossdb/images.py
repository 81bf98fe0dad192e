"""`/image` and `/tile`: one plane of a channel as PNG or JPEG; see `pictures` for what is in them.

`/image` has ranges along the plane's axes and an index across it. `/tile` has indices of tiles from voxel 0 on; one
that sticks out of the frame is refused, as the service does.
"""

from __future__ import annotations

import anyio.to_thread
import numpy as np
from starlette.responses import Response

from voxgate.model.geometry import Box
from voxgate_gateway.answers import Content, caching, content_answer, known_answer
from voxgate_gateway.bossdb.call import NAMES, Call, route
from voxgate_gateway.bossdb.channels import channel_of
from voxgate_gateway.bossdb.codecs import negotiated
from voxgate_gateway.bossdb.cutouts import read_voxels
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.pictures import OFFERED, check_picture, picture
from voxgate_gateway.bossdb.regions import Asked, checked_scale, framed, times_of
from voxgate_gateway.http.conditions import etag_of_name

MAX_PIXELS = 16 << 20
"""Of a picture, which is made in one piece."""
_PIXEL_BYTES = 16
"""About what a pixel takes while its picture is made, beside its voxel."""
_ACROSS = {"xy": "z", "xz": "y", "yz": "x"}
"""The axis across each plane. Of its own two, the first runs to the right and the second down."""
_INDEX = r"-?\d{1,15}"
_AXIS = rf"{_INDEX}(?::{_INDEX})?"
_PLANE = r"(?P<plane>xy|xz|yz)"
_TIME = r"(?:/(?P<t>\d{1,15}))?"


async def get_image(call: Call) -> Response:
    """A plane with ranges of its own."""
    return await _plane(call, _image_box(call))


async def get_tile(call: Call) -> Response:
    """A plane with the edge and the indices of a tile."""
    return await _plane(call, _tile_box(call))


def _image_box(call: Call) -> Box:
    """The box of one voxel's thickness that an address says.

    Raises:
        BossError: 400/1001 for an index where a range belongs and for an empty range; 400/1002 for a range across.
    """
    spans: list[tuple[int, int]] = []
    for axis in "xyz":
        start, colon, stop = call.part(axis).partition(":")
        is_across = axis == _ACROSS[call.part("plane")]
        if is_across and colon:
            raise BossError(Code.TYPE_ERROR, f"Type error in cutout argument: {axis} is one index in this plane")
        if not is_across and not colon:
            raise BossError(Code.INVALID_CUTOUT_ARGS, f"Incorrect cutout arguments: {axis} is a range in this plane")
        spans.append((int(start), int(stop) if colon else int(start) + 1))
    return _filled(Box.of(x=spans[0], y=spans[1], z=spans[2]))


def _tile_box(call: Call) -> Box:
    edge = int(call.part("size"))
    spans: list[tuple[int, int]] = []
    for axis in "xyz":
        index = int(call.part(axis))
        step = 1 if axis == _ACROSS[call.part("plane")] else edge
        spans.append((index * step, (index + 1) * step))
    return _filled(Box.of(x=spans[0], y=spans[1], z=spans[2]))


def _filled(box: Box) -> Box:
    if box.is_empty:
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"Incorrect cutout arguments: {box} is empty")
    return box


async def _plane(call: Call, box: Box) -> Response:
    media = negotiated(call.request.headers.get("accept", ""), OFFERED)
    channel = await channel_of(call)
    scale = checked_scale(channel, call.part("resolution"))
    told = call.match.get("t")
    times = times_of(channel, None if told is None else f"{told}:{int(told) + 1}")
    asked = await framed(call, Asked(channel, scale, box, times, is_timed=False))
    check_picture(channel.dtype, media, ids=channel.is_annotation)
    if box.voxel_count > MAX_PIXELS or max(box.shape) > 1 << 15:
        limit = f"{MAX_PIXELS} are the most, and {1 << 15} on a side"
        raise BossError(Code.REQUEST_TOO_LARGE, f"A picture of {box.voxel_count} pixels is too large: {limit}")
    lasting = caching(call.request, lasting=channel.described.is_lasting)
    etag = _etag(call, asked, media)
    if etag and (known := known_answer(call.request, etag, cache_control=lasting)):
        return known
    async with call.dialect.memory.held(asked.byte_count + _PIXEL_BYTES * box.voxel_count):
        data = await anyio.to_thread.run_sync(_drawn, call, asked, media)
    content = Content(data, media, etag)
    mapping = "colors" if channel.is_annotation else "exact"
    return content_answer(
        call.request, content, cache_control=lasting, headers={"vary": "Accept", "x-voxgate-mapping": mapping}
    )


def _etag(call: Call, asked: Asked, media: str) -> str:
    """Known before anything is read, where the voxels can never change; else empty."""
    described = asked.channel.described
    if not described.is_unchanging:
        return ""
    named = (described.info.name, described.info.resolved_version, asked.channel.index, asked.scale, asked.box)
    return etag_of_name("bossdb", *named, asked.times, call.part("plane"), media)


def _drawn(call: Call, asked: Asked, media: str) -> bytes:
    rows = np.squeeze(read_voxels(call, asked)[0], axis="zyx".index(_ACROSS[call.part("plane")]))
    return picture(rows, media, ids=asked.channel.is_annotation)


_INDICES = rf"(?P<resolution>\d)/(?P<x>{_INDEX})/(?P<y>{_INDEX})/(?P<z>{_INDEX})"
_AXES = rf"(?P<resolution>\d)/(?P<x>{_AXIS})/(?P<y>{_AXIS})/(?P<z>{_AXIS})"

ROUTES = (
    route("image", f"{NAMES}/{_PLANE}/{_AXES}{_TIME}", GET=get_image),
    route("tile", rf"{NAMES}/{_PLANE}/(?P<size>\d{{1,9}})/{_INDICES}{_TIME}", GET=get_tile),
)
