"""Boxes of voxels over the wire: GET and POST of raw/0_1_2/{size}/{offset}.

The body is z, y, x in C-order, little-endian; sizes and offsets in the path are x_y_z; any alignment and negative
offsets can be read, whole blocks can be written (help of imageblk and labelmap). Labels travel as one raw LZ4 block
without a length (`compression=lz4`); images as they are. `throttle=true` is not asked for: a server then answers 503
as soon as one such request is running, and by default it allows one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lz4.block
import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import TuningConfig
from voxgate_remotes.cuts import requests_of
from voxgate_remotes.dvid.client import Ask, DvidClient, succeeded
from voxgate_remotes.dvid.failures import said
from voxgate_remotes.dvid.instances import ORIGIN, Instance
from voxgate_remotes.dvid.levels import Level
from voxgate_remotes.http.session import StoreAnswer
from voxgate_remotes.parallel import share

Block3 = npt.NDArray[Any]
"""Voxels of shape (z, y, x)."""

REQUEST_BYTES = 16 << 20
"""Raw bytes of one request. DVID serialises reads above 256**3 voxels on one lock: this is 256**3 of one byte.

The largest were read fastest; see "What a request should be" in docs/explanations/performance.md."""
PARALLEL_READS = 4
"""Far away more of them read no faster."""
_SLACK = 4096
_ABSENT = "unable to get label block"


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go: one version on one server, for one caller."""

    client: DvidClient
    uuid: str
    context: CallContext

    def ask(self, instance: str, *rest: str) -> tuple[str, ...]:
        """The path of an endpoint of an instance at this version."""
        return ("node", self.uuid, instance, *rest)


def pieces(box: Box, block: Vec3, itemsize: int, request_bytes: int | None = None) -> list[Box]:
    """A box cut along the grid of blocks into pieces of about `request_bytes`; itself where it is no larger.

    Without `request_bytes` they are of REQUEST_BYTES.
    """
    most = request_bytes or REQUEST_BYTES
    if box.voxel_count * itemsize <= most:
        return [box]
    return list(requests_of(box, block, max(1, most // itemsize)))


def read_into(place: Place, level: Level, box: Box, out: Block3, *, supervoxels: bool, stated: TuningConfig) -> None:
    """Fill an array (z, y, x) of any strides with a box, by several requests at a time where it is large.

    `stated` are the operator's numbers in place of ours.

    Raises:
        ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded, and what DVID's refusals mean.
    """

    def read(piece: Box) -> None:
        place.context.check()
        out[piece.slices_zyx(box.start)] = fetched(place, level, piece, supervoxels=supervoxels)

    def worker() -> Callable[[Box], None]:
        return read

    parts = pieces(box, level.instance.block, level.instance.dtype.itemsize, stated.request_bytes)
    share(parts, worker, min(stated.parallel_reads or PARALLEL_READS, len(parts)))


def fetched(place: Place, level: Level, box: Box, *, supervoxels: bool) -> Block3:
    """The voxels of a box by one request, to be read only.

    Raises:
        ChunkCorrupt: when the answer is not exactly as long as the box.
    """
    instance = level.instance
    count = box.voxel_count * instance.dtype.itemsize
    query = tuple(_read_query(level, supervoxels=supervoxels))
    path = place.ask(instance.name, "raw", "0_1_2", _joined(box.shape), _joined(box.start))
    most = count + count // 255 + _SLACK  # the most that LZ4 makes of it
    answer = place.client.call("GET", Ask(path, query, most_bytes=most), place.context)
    if _is_absent_block(answer, instance, box):
        return np.zeros(box.shape.zyx, instance.dtype)
    body = succeeded(answer)
    if instance.is_labels:
        body = _decompressed(body, count)
    if len(body) != count:
        raise ChunkCorrupt(f"the store answered {len(body)} bytes for the voxels {box}, not {count}", "try again later")
    return np.frombuffer(body, instance.dtype).reshape(box.shape.zyx)


def stored(place: Place, instance: Instance, box: Box, voxels: Block3) -> None:
    """Write a box of whole blocks to the finest level.

    `mutate=true` always: DVID then takes what was there before out of its label index; without it the same voxels would
    be counted twice (help: the default is for a first ingest). Repeating it changes nothing, so a call that may have
    been lost is sent again.

    Raises:
        VersionLocked, StoreUnavailable, and what other refusals mean.
    """
    data: bytes = np.ascontiguousarray(voxels, instance.dtype).tobytes()
    query: tuple[tuple[str, str], ...] = (("mutate", "true"),)
    if instance.is_labels:
        data, query = lz4.block.compress(data, store_size=False), (*query, ("compression", "lz4"))
    path = place.ask(instance.name, "raw", "0_1_2", _joined(box.shape), _joined(box.start))
    place.client.post(Ask(path, query, body=data), place.context)


def _is_absent_block(answer: StoreAnswer, instance: Instance, box: Box) -> bool:
    """Whether DVID says that it has no such block: only for a box that is exactly one block of a labelmap (measured).

    In any other box absent blocks are zeros. What fails in DVID is said in other words.
    """
    is_block = box.shape == instance.block and aligned_outward(box, instance.block, ORIGIN) == box
    return answer.status == 400 and is_block and _ABSENT in said(answer)


def _read_query(level: Level, *, supervoxels: bool) -> Iterator[tuple[str, str]]:
    if level.instance.is_labels:
        yield ("compression", "lz4")
    if level.number:
        yield ("scale", str(level.number))
    if supervoxels and level.instance.typename == "labelmap":
        yield ("supervoxels", "true")


def _decompressed(body: bytes, count: int) -> bytes:
    try:
        return bytes(lz4.block.decompress(body, uncompressed_size=count))
    except (lz4.block.LZ4BlockError, ValueError):
        raise ChunkCorrupt("the labels that the store answered cannot be decompressed", "try again later") from None


def _joined(numbers: Vec3) -> str:
    return "_".join(str(number) for number in numbers)
