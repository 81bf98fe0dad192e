"""What the adapters of files share: a volume whose scales are tensorstore arrays, and its errors in our words.

A tensorstore is kept as a view with the labelled axes t, c, z, y, x in global coordinates, whatever order the store
has. A view is only a change of indices: for x-fastest stores (precomputed: Fortran x, y, z, c) it reads into a C-order
(c, z, y, x) array without a transposition, because both are the same bytes.

Writes of part of a write granule are merged by tensorstore: it reads the granule, changes it and replaces the file
under a lock, only if nobody else replaced it meanwhile (kvstore "file", conditional on the generation), else it starts
again. So writers to one granule lose nothing, in threads and in processes of one machine.
"""

from __future__ import annotations

import errno
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import tensorstore as ts

from voxgate.model.errors import (
    ChunkCorrupt,
    MetadataInvalid,
    StoreUnavailable,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    CallContext,
    ChunkPresence,
    OpenOptions,
    ReadTuning,
    Tuned,
    Volume,
    VolumeInfo,
    Voxels,
    Writable,
)
from voxgate_remotes.checks import bound_time, checked_box, checked_channels, checked_out, checked_write, chosen_time

C = TypeVar("C")

View = Any
"""A ts.TensorStore with the axes t, c, z, y, x; tensorstore ships no types for it."""

STORE_ERRORS = (ValueError, OSError, RuntimeError, NotImplementedError, IndexError, KeyError, TypeError)
"""What tensorstore raises: absl status codes become these; the code is the message's first word."""

MOST_CHUNK_BYTES = 2**31 - 1
"""The most that one stored chunk may decode to; what a document declares beyond it would be made room for at once."""

_DECODING = ("DATA_LOSS", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "OUT_OF_RANGE")
_PATIENCE_S = 0.25
_SEARCHED_CELLS = 512


@dataclass(frozen=True, slots=True)
class Tuning:
    """How tensorstore is run.

    Attributes:
        fsync: make each written file durable before the write is answered.
        cache_bytes: decoded chunks kept per open volume; none by default, the page cache has the files.
        patience: of whoever has a volume opened; a store far away may keep them waiting.
    """

    fsync: bool = True
    cache_bytes: int = 0
    patience: CallContext = field(default_factory=CallContext, compare=False)

    def context(self) -> Any:
        """A ts.Context of its own for one opened volume, so that no metadata outlives its validation."""
        return ts.Context({"file_io_sync": self.fsync, "cache_pool": {"total_bytes_limit": self.cache_bytes}})


class OpenedStore(Protocol):
    """A store that was opened and described once, to be bound to many callers."""

    @property
    def info(self) -> VolumeInfo:
        """The description, as writable as its format allows."""
        ...

    def bind(self, info: VolumeInfo, options: OpenOptions) -> Volume:
        """A volume under `info` (equal, or less writable) for one caller. Cheap; opens nothing."""
        ...


LOCAL = ReadTuning(parallel_reads=1)
"""One read at a time: a read of local files uses the cores by itself, and several would only take turns.

Measured: "What a request should be" in docs/explanations/performance.md.
"""
WAITING = ReadTuning(parallel_reads=4, request_bytes=16 << 20)
"""A store far away is waited for: tensorstore asks for all chunks of a read at once, and a few reads overlap."""


class Bounds(Protocol):
    """What keeps the stored chunks of one scale from costing more memory than its metadata declares."""

    def check(self, box: Box, time: int, context: CallContext) -> None:
        """Look at every stored chunk that a read of `box` would decode.

        Raises:
            ChunkCorrupt: for one that is, or would become, larger than its voxels.
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        ...


class TensorStoreVolume:
    """A volume over tensorstore views, one a scale. Thread-safe."""

    def __init__(
        self,
        info: VolumeInfo,
        views: Sequence[View],
        options: OpenOptions,
        tuning: ReadTuning = LOCAL,
        bounds: Sequence[Bounds] = (),
    ) -> None:
        """Bind views to a caller; `bounds` of each scale are asked before chunks are decoded, where there are any.

        Raises:
            UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
        """
        self._info = info
        self._tuning = tuning
        self._context = options.context
        self._time = bound_time(info, options)
        self._views = views
        self._bounds = bounds

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`. After a failure `out` may be partly filled."""
        checked_box(self._info, box, scale)
        wanted = checked_channels(self._info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self._info.dtype, out)
        if not out.flags.aligned or not out.flags.writeable:  # tensorstore would fill a copy
            out[...] = self.read(box, scale=scale, channels=channels)
            return out
        self._context.check()
        self._fill(box, scale, None if wanted == list(range(self._info.channel_count)) else wanted, out)
        return out

    def _fill(self, box: Box, scale: int, channels: list[int] | None, out: Voxels) -> None:
        """Read `box` into `out`; `channels` is None for all of them in order."""
        view = self._cut(scale, box)
        if self._bounds:
            self._bounds[scale].check(box, self._chosen_time(), self._context)
        try:
            fill(view, channels, out, self._context)
        except STORE_ERRORS as error:
            raise self._corrupt_chunk(box, scale) or store_error(error, f"reading the voxels {box}") from error

    def _corrupt_chunk(self, box: Box, scale: int) -> VoxgateError | None:
        """Which stored chunk of a failed read cannot be decoded, if one can be named with bounded effort."""
        level = self._info.scales[scale]
        cells = grid_cells(box, level.stored_chunk_shape, level.grid_origin)
        for cell in itertools.islice(cells, _SEARCHED_CELLS):
            out = np.empty((self._info.channel_count, *cell.shape.zyx), self._info.dtype)
            try:
                fill(self._cut(scale, cell), None, out, self._context)
            except STORE_ERRORS as error:
                return store_error(error, f"reading the stored chunk with the voxels {cell}")
        return None

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`. Cut granules are merged; no writer loses another's.

        Chunks that equal the fill value are stored like any other: what was written is present.
        """
        level = checked_write(self._info, box, voxels, scale)
        self._context.check()
        whole = aligned_outward(box, level.write_granule_shape, level.grid_origin).intersection(level.bounds)
        if self._bounds and (whole != box or self._info.time_count > 1):  # cut granules are decoded to be merged
            self._bounds[scale].check(box, self._chosen_time(), self._context)
        try:
            wait(self._cut(scale, box).write(voxels), self._context)
        except STORE_ERRORS as error:
            raise store_error(error, f"writing the voxels {box}") from error

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`."""
        checked_box(self._info, box, scale)
        self._context.check()
        try:
            asked = self._cut(scale, box).storage_statistics(query_not_stored=True)
            return bool(wait(asked, self._context).not_stored)
        except STORE_ERRORS as error:
            raise store_error(error, f"looking for the stored chunks of {box}") from error

    def capability(self, kind: type[C]) -> C | None:
        """Writable where a scale is, ChunkPresence and Tuned always."""
        writable = kind is Writable and any(scale.writable for scale in self._info.scales)
        return cast("C", self) if writable or kind in (ChunkPresence, Tuned) else None

    @property
    def tuning(self) -> ReadTuning:
        """How the store is read fastest."""
        return self._tuning

    def _chosen_time(self) -> int:
        """The bound time.

        Raises:
            InvalidArgument: when no time was given at open and there are several.
        """
        return chosen_time(self._info, self._time)

    def _cut(self, scale: int, box: Box) -> View:
        """The (c, z, y, x) part of a scale's view at the bound time.

        Raises:
            InvalidArgument: when no time was given at open and there are several.
        """
        (z, y, x) = (slice(a, b) for a, b in zip(box.start.zyx, box.stop.zyx, strict=True))
        return self._views[scale][self._chosen_time(), :, z, y, x]


def global_view(store: Any, axes: str, offset: Vec3) -> View:
    """A store as a view with the axes t, c, z, y, x in global coordinates; axes it lacks get the extent 1.

    Args:
        store: a ts.TensorStore.
        axes: its axes in its own order, letters of t c z y x.
        offset: the global coordinates of its first voxel.
    """
    view = store[ts.d[:].label[list(axes)]]
    for name in "tczyx":
        if name not in axes:
            view = view[ts.newaxis][ts.d[0].label[name]]
    view = view[ts.d[list("tczyx")].transpose[:]]
    return view[ts.d["z", "y", "x"].translate_to[offset.z, offset.y, offset.x]]


def bounds_of(view: View) -> Box:
    """The voxels of a view."""
    domain = view.domain[2:]
    return Box(Vec3.from_zyx(tuple(domain.inclusive_min)), Vec3.from_zyx(tuple(domain.exclusive_max)))


def grids_of(view: View) -> tuple[Vec3, Vec3, Vec3]:
    """A view's stored chunk shape, write granule shape and grid origin, from tensorstore's chunk layout."""
    layout, shape = view.chunk_layout, view.shape[2:]
    chunk = _spatial(layout.read_chunk.shape, shape)
    granule = _spatial(layout.write_chunk.shape, shape)
    return chunk, granule, _spatial(layout.grid_origin, view.domain[2:].inclusive_min)


def _spatial(of_axes: Sequence[int | None] | None, otherwise: Sequence[int]) -> Vec3:
    numbers = list(of_axes or [None] * 5)[2:]
    z, y, x = (int(o if n is None else n) for n, o in zip(numbers, otherwise, strict=True))
    return Vec3(x, y, z)


def open_arrays(specs: Sequence[dict[str, Any]], tuning: Tuning) -> list[Any]:
    """Open tensorstores at the same time.

    Raises:
        MetadataInvalid, UnsupportedFormat, StoreUnavailable, Cancelled, DeadlineExceeded.
    """
    context = tuning.context()
    futures = [ts.open({"store_data_equal_to_fill_value": True, **spec}, context=context) for spec in specs]
    try:
        stores = [wait(future, tuning.patience) for future in futures]
    except STORE_ERRORS as error:
        if _code(error) in (*_DECODING, "NOT_FOUND"):
            raise MetadataInvalid(
                "the volume's metadata cannot be used", "look at it with its own tools; the server's log says more"
            ) from error
        raise store_error(error, "opening the volume") from error
    for store in stores:
        _check_chunk(store)
    return stores


def _check_chunk(store: Any) -> None:
    """Refuse chunks that are too large to be decoded, before one is: tensorstore ends the process without memory.

    Raises:
        UnsupportedFormat.
    """
    shape = [int(edge) for edge in store.chunk_layout.read_chunk.shape or ()]
    if math.prod(shape) * store.dtype.numpy_dtype.itemsize > MOST_CHUNK_BYTES:
        raise UnsupportedFormat(f"chunks of {shape} voxels are larger than 2 GiB", "write the volume in smaller chunks")


def checked_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The little-endian dtype that voxels are served in.

    Raises:
        UnsupportedFormat: for a type that the contract does not have, such as bool or float16.
    """
    little = dtype.newbyteorder("<")
    if little not in SUPPORTED_DTYPES:
        names = ", ".join(known.name for known in SUPPORTED_DTYPES)
        raise UnsupportedFormat(f"voxels of type {dtype} are not supported", f"convert the volume to one of {names}")
    return little


def file_store(folder: Path) -> dict[str, str]:
    """The kvstore spec of a folder."""
    return {"driver": "file", "path": f"{folder}/"}


def fill(view: View, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
    """Read a (c, z, y, x) view into an aligned, writeable array of the same dtype, whatever its strides."""
    if channels is None:
        wait(ts.array(out).write(view), context)
        return
    for index, channel in enumerate(channels):
        wait(ts.array(out[index]).write(view[channel]), context)


def wait(future: Any, context: CallContext) -> Any:
    """The result of a tensorstore future, given up when the caller's patience ends.

    Raises:
        Cancelled, DeadlineExceeded; and whatever the future raises.
    """
    while True:
        try:
            return future.result(timeout=_PATIENCE_S)
        except TimeoutError:
            try:
                context.check()
            except VoxgateError:
                future.cancel()
                raise


def store_error(error: Exception, doing: str) -> VoxgateError:
    """Tensorstore's exception in our words: its message names paths, so it stays the cause, for the server's log."""
    code = _code(error)
    if code in _DECODING:
        return ChunkCorrupt(f"a stored chunk cannot be decoded ({doing})", "restore the chunk from its source")
    if code == "UNIMPLEMENTED" or isinstance(error, NotImplementedError):
        return UnsupportedFormat(f"the store's driver cannot do this ({doing})", "convert the volume")
    if any(f"os_error_code='{number}'" in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
        return StoreUnavailable(f"the store has no space left ({doing})", "make room, then try again")
    return StoreUnavailable(f"the store failed ({doing}): {code or type(error).__name__}", "try again later")


def _code(error: Exception) -> str:
    """The absl status code that a message of tensorstore starts with; empty where there is none."""
    code, colon, _ = str(error).partition(":")
    return code if colon and code.replace("_", "").isupper() else ""
