"""Cutouts: the voxels of a box as an array that programs read: `.npy`, `.npz`, or nothing but its bytes.

`.npy` is version 1.0 of numpy's format (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

import anyio.to_thread
import numpy as np
from starlette.responses import Response

from voxgate.model.errors import LimitExceeded
from voxgate.model.geometry import Box, Vec3, grid_cells, slabs
from voxgate.model.volumes import Scale, VolumeInfo, Voxels
from voxgate_gateway.answers import Content, caching, content_answer, known_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.cutouts import CutoutWish
from voxgate_gateway.http.conditions import etag_of_name
from voxgate_gateway.rest.boxes import OF_THE_VOLUME, axis, wish_of
from voxgate_gateway.rest.kinds import choice
from voxgate_gateway.rest.operations import BINARY, VOLUME, Answer, Area, Asked, Operation, Parameter
from voxgate_gateway.rest.streaming import Bit, Body, Turns, streamed

MAX_STREAMED_BYTES = 64 << 30
"""Of one cutout that is streamed: nobody holds it whole, but somebody has to wait for it."""
MAX_PACKED_BYTES = 64 << 20
"""Of one `.npz`, before it is compressed: it is made whole."""
PIECE_BYTES = 16 << 20
"""Of what is read at a time for a cutout that is streamed."""
_WHOLE_BYTES = 1 << 20
_MEDIA = {"npy": "application/x-npy", "npz": "application/x-npz", "raw": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Cutout:
    """What was asked for.

    Attributes:
        described: the volume.
        wish: which voxels of it.
        format: "npy", "npz" or "raw".
    """

    described: Described
    wish: CutoutWish
    format: str

    @property
    def level(self) -> Scale:
        """The scale."""
        return self.info.scales[self.wish.scale]

    @property
    def info(self) -> VolumeInfo:
        """The volume."""
        return self.described.info

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array: (c, z, y, x), without c for a volume that has no channel axis."""
        zyx = self.wish.box.shape.zyx
        return (len(self.wish.channels_of(self.info)), *zyx) if "c" in self.info.axes else zyx

    @property
    def byte_count(self) -> int:
        """Of the voxels."""
        return self.wish.byte_count(self.info)

    @property
    def headers(self) -> dict[str, str]:
        """What an answer says of its voxels."""
        names = "czyx"[-len(self.shape) :]
        name = f"{self.info.name.rpartition('/')[2]}.{self.format}"
        return {**told_of(self.described, self.wish), "x-voxgate-axes": names} | {
            "x-voxgate-shape": ",".join(map(str, self.shape)),
            "x-voxgate-data-type": np.dtype(self.info.dtype).name,
            "content-disposition": f'attachment; filename="{name}"',
        }

    def etag(self) -> str:
        """Of voxels that never change what names them is enough; empty for voxels that may change."""
        if not self.described.is_unchanging:
            return ""
        return etag_of_name("rest", self.format, self.info.name, self.info.resolved_version, self.wish)


def told_of(described: Described, wish: CutoutWish) -> dict[str, str]:
    """The headers that say which voxels an answer is of."""
    spans = zip("xyz", wish.box.start, wish.box.stop, strict=True)
    return {
        "x-voxgate-box": " ".join(f"{name}={a}:{b}" for name, a, b in spans),
        "x-voxgate-scale": str(wish.scale),
        # Headers are ASCII, and stores name versions as they like.
        "x-voxgate-version": quote(described.info.resolved_version, safe="/:@+~,"),
    }


async def _cutout(asked: Asked) -> Response:
    request, backend = asked.request, asked.backend
    described = await backend.described(asked.ref)
    cutout = Cutout(described, wish_of(described.info, asked.values), asked.values.get("format", "npy"))
    _check_size(cutout)
    cache_control = caching(request, lasting=described.is_lasting)
    etag = cutout.etag()
    if etag and (known := known_answer(request, etag, cache_control=cache_control)):
        return known
    turns: Turns = request.app.state.turns
    if cutout.format == "npz" or cutout.byte_count <= _WHOLE_BYTES:
        make = functools.partial(_whole, backend, cutout)
        data = await anyio.to_thread.run_sync(make, limiter=turns.makers if cutout.format == "npz" else None)
        content = Content(data, _MEDIA[cutout.format], etag)
        return content_answer(request, content, cache_control=cache_control, headers=cutout.headers)
    headers = {**cutout.headers, "cache-control": cache_control, **({"etag": etag} if etag else {})}
    return await streamed(request, Body(_bits(backend, cutout), _MEDIA[cutout.format], headers), turns)


def _check_size(cutout: Cutout) -> None:
    limit = MAX_PACKED_BYTES if cutout.format == "npz" else MAX_STREAMED_BYTES
    if cutout.byte_count > limit:
        other = ", or for npy, which is streamed" if cutout.format == "npz" else ""
        raise LimitExceeded(
            f"the box has {cutout.byte_count:,} bytes, and {limit:,} are the most of one {cutout.format}",
            f"ask for a smaller box or a coarser scale{other}",
            details={"limit": str(limit), "asked": str(cutout.byte_count)},
        )


def _whole(backend: Backend, cutout: Cutout) -> bytes:
    pieces = [backend.read_cutout(cutout.described, wish) for wish in _pieces(cutout)]
    if cutout.format == "npz":
        return _packed(cutout, np.concatenate([piece.reshape(-1) for piece in pieces]).reshape(cutout.shape))
    parts = [piece.tobytes() for piece in pieces]
    return b"".join([_head(cutout), *parts] if cutout.format == "npy" else parts)


def _packed(cutout: Cutout, voxels: Voxels) -> bytes:
    file = io.BytesIO()
    start = np.array(tuple(cutout.wish.box.start), np.int64)
    np.savez_compressed(file, voxels=voxels, start=start, axes=np.array("czyx"[-voxels.ndim :]))
    return file.getvalue()


def _bits(backend: Backend, cutout: Cutout) -> list[Bit]:
    """The pieces; what stands before the voxels goes with the first one, so that no answer begins without any."""
    head = _head(cutout) if cutout.format == "npy" else b""
    first, *others = _pieces(cutout)
    read = functools.partial(_read, backend, cutout.described)
    begin = Bit(len(head) + first.byte_count(cutout.info), lambda: b"".join((head, read(first))))
    return [begin, *(Bit(wish.byte_count(cutout.info), functools.partial(read, wish)) for wish in others)]


def _read(backend: Backend, described: Described, wish: CutoutWish) -> memoryview:
    return backend.read_cutout(described, wish).reshape(-1).view(np.uint8).data


def _head(cutout: Cutout) -> bytes:
    file = io.BytesIO()
    described = {
        "descr": np.lib.format.dtype_to_descr(cutout.info.dtype),
        "fortran_order": False,
        "shape": cutout.shape,
    }
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _pieces(cutout: Cutout) -> Iterator[CutoutWish]:
    """The cutout in pieces whose bytes, one after the other, are its own: channel by channel, then along z."""
    wish, itemsize = cutout.wish, cutout.info.dtype.itemsize
    most = min(PIECE_BYTES, cutout.described.max_cutout_bytes or PIECE_BYTES)
    if cutout.byte_count <= most:
        yield wish
        return
    for channel in wish.channels_of(cutout.info):
        for box in _boxes(wish.box, cutout.level, itemsize, most):
            yield replace(wish, box=box, channels=(channel,))


def _boxes(box: Box, level: Scale, voxel_bytes: int, most: int) -> Iterator[Box]:
    """Pieces in C-order; cut where stored chunks end where they can be, so that no chunk is decoded twice."""
    shape, chunk = box.shape, level.stored_chunk_shape
    deep = most // (shape.x * shape.y * voxel_bytes) // chunk.z * chunk.z
    if deep == 0:
        return slabs(box, voxel_bytes=voxel_bytes, slab_bytes=most)
    origin = Vec3(box.start.x, box.start.y, level.grid_origin.z)
    return grid_cells(box, Vec3(shape.x, shape.y, deep), origin)


TOLD = {
    "X-Voxgate-Box": "The box: `x=10:20 y=0:5 z=7:8`.",
    "X-Voxgate-Scale": "The index of the scale.",
    "X-Voxgate-Version": "The version that was read, percent-encoded; empty where the store has none.",
}
"""What `told_of` says."""
_HEADERS = {
    "X-Voxgate-Axes": "The axes of the array, slowest first: `zyx`, or `czyx` where the volume has a channel axis.",
    "X-Voxgate-Shape": "The extents in the order of the axes.",
    "X-Voxgate-Data-Type": "Of a voxel, as in `uint64`; little-endian.",
    **TOLD,
    "ETag": "Of the bytes; large bodies that may change have none.",
    "Accept-Ranges": "`bytes`",
}
_ONE = "Voxels along {0}, global coordinates of the scale: `START:STOP` without STOP itself, one voxel `N`, or `:`."
BOX = tuple(
    axis(name, _ONE.format(name), required=True, example=example)
    for name, example in (("x", "10:74"), ("y", "20:52"), ("z", "5:15"))
)
_TEXT = f"""\
The array has the axes that `X-Voxgate-Axes` says, in C-order: x is fastest, then y, z and channel. In languages whose
arrays are column-major (R, Julia, MATLAB, Fortran) the raw bytes are an array of dimensions x, y, z (, channel) as they
are. Voxels are little-endian and never converted.

`npy` and `raw` are streamed, up to {MAX_STREAMED_BYTES >> 30} GiB; `Content-Length` is exact, one byte range is
answered, and `HEAD` reads nothing of a large box. `npz` is compressed, up to {MAX_PACKED_BYTES >> 20} MiB of voxels,
and has `voxels`, `start` (x, y, z of the first voxel) and `axes`. A connection that ends early is a failure: the bytes
are not all there."""
_ANSWERS = {
    200: Answer("The voxels.", dict.fromkeys(_MEDIA.values(), BINARY), _HEADERS),
    206: Answer("The bytes of the range that was asked for.", dict.fromkeys(_MEDIA.values(), BINARY), _HEADERS),
    304: Answer("They are what `If-None-Match` says."),
}
AREA = Area(
    "cutouts",
    "The voxels of a box.",
    (
        Operation(
            "getCutout",
            f"{VOLUME}/cutout",
            "Read the voxels of a box",
            _ANSWERS,
            _cutout,
            _TEXT,
            (
                *BOX,
                Parameter("format", choice(*_MEDIA), "How the array is written; without it `npy`.", example="npy"),
                *OF_THE_VOLUME,
            ),
            (416,),
        ),
    ),
)
