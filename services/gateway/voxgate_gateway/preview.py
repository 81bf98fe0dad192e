"""A small picture of a volume for the first page: the middle z slice of the scale that is about as large as it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Scale, VolumeInfo, VolumeKind, Voxels
from voxgate_gateway.answers import body_answer
from voxgate_gateway.grid import voxel_bytes
from voxgate_gateway.paths import backend_of, parse_volume, segments_after
from voxgate_gateway.pictures import id_colours

_EDGE = 256


def middle_slice(info: VolumeInfo, budget_bytes: int) -> tuple[int, Box]:
    """The scale and the one-voxel-thick box to show: near the middle, at most 256 voxels wide and one chunk large.

    Raises:
        UnsupportedFormat: for a volume without voxels or with a time axis.
    """
    if not info.scales or info.time_count > 1:
        raise UnsupportedFormat(f"{info.name} has no single slice to show")
    # The coarsest scale whose picture is still large enough; else the finest there is.
    large = [i for i, scale in enumerate(info.scales) if max(scale.bounds.shape.x, scale.bounds.shape.y) >= _EDGE // 2]
    index = large[-1] if large else 0
    return index, _window(info.scales[index], max(budget_bytes // voxel_bytes(info), 1))


def _window(scale: Scale, voxel_budget: int) -> Box:
    bounds = scale.bounds
    edge = min(_EDGE, max(int(voxel_budget**0.5), 1))
    shape = Vec3.minimum(bounds.shape, Vec3(edge, edge, 1))
    spare = bounds.shape - shape
    return Box.at(bounds.start + Vec3(spare.x // 2, spare.y // 2, spare.z // 2), shape)


def colours(voxels: Voxels, kind: VolumeKind) -> npt.NDArray[np.uint8]:
    """A (y, x, 3) picture of (c, 1, y, x) voxels: a hue per segment id, or (y, x) grey between two percentiles."""
    plane = voxels[0, 0]
    if kind is VolumeKind.SEGMENTATION:
        return id_colours(plane)
    values = np.nan_to_num(plane.astype(np.float32), posinf=0, neginf=0)
    low, high = (float(level) for level in np.percentile(values, (1, 99)))
    grey = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    shades: npt.NDArray[np.uint8] = grey.astype(np.uint8)
    return shades


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit PNG, grey or RGB (W3C PNG, third edition): signature, IHDR, one IDAT of unfiltered rows, IEND."""
    height, width = picture.shape[:2]
    rows = np.zeros((height, 1 + picture[0].size), np.uint8)
    rows[:, 1:] = picture.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if picture.ndim == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def preview(request: Request) -> Response:
    """Answer `/preview/{volume}` with a PNG."""
    backend = backend_of(request)
    known = backend.describe(parse_volume(segments_after(request, "preview")))
    scale, box = middle_slice(known.info, known.max_chunk_bytes)
    voxels = backend.read_array(known, box, scale=scale)
    return body_answer(request, png(colours(voxels, known.info.kind)), "image/png", cache_control="max-age=300")


ROUTES = (Route("/preview/{path:path}", preview, methods=["GET", "HEAD"]),)
