"""Chunks behind a network that are looked at between the store and tensorstore's decoder: those of blosc.

For what a blosc header states tensorstore makes room at once (58 kB cost 1 GiB), so it must not decode what nobody has
looked at; and to look at it where it is would be another round trip for each chunk. So chunks are read as they are
stored, as many at once as tensorstore's driver reads anyway, their headers are compared with the metadata as
`voxgate_remotes.chunk_bounds` says, and tensorstore decodes them from its memory, with the same metadata, while others
are still on their way. Chunks in shards are found by tensorstore too; they are decoded as those of an array without
shards.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import tensorstore as ts

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.chunk_bounds import Coded, Ranges, Sharded, cells_of, check_header
from voxgate_remotes.file_access import too_large
from voxgate_remotes.known_sizes import at_most
from voxgate_remotes.tensorstores import STORE_ERRORS, View, store_error, wait

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Naming:
    """How chunks are named.

    Attributes:
        axes: in the order of names.
        prefix: what names start with.
        separator: between the numbers of a name.
    """

    axes: str
    prefix: str
    separator: str

    def name(self, place: Mapping[str, int]) -> str:
        """Of the chunk at a place of the grid."""
        return self.prefix + self.separator.join(str(place[axis]) for axis in self.axes)


class _Piece(NamedTuple):
    """What of one chunk is asked for; all by axis, from the array's first voxel.

    Attributes:
        place: the chunk's, in the grid of what is decoded at once.
        asked: the voxels.
    """

    place: Mapping[str, int]
    asked: Ranges


class _Lazy:
    """A chunk's voxels for a message, made only then: there are many chunks."""

    def __init__(self, make: Callable[[], Box]) -> None:
        self._make = make

    def __str__(self) -> str:
        return str(self._make())


@dataclass(frozen=True, slots=True)
class FetchedChunks:
    """The chunks of one scale; satisfies tensorstores.Bounds.

    Attributes:
        kvstore: tensorstore's spec of the array's folder.
        naming: of its objects.
        coded: what is decoded at once.
        sharded: the shards that it is in, and the configuration of their codec; None where each is an object.
        decoded: tensorstore's spec of an array in memory, with the axes t, c, z, y, x in global coordinates.
        start: global coordinates of the first voxel.
        channel_count: of the array.
        context: the ts.Context whose credentials and connections all reads share.
    """

    kvstore: dict[str, Any] = field(repr=False)  # it may hold a token
    naming: Naming
    coded: Coded
    sharded: tuple[Sharded, dict[str, Any]] | None
    decoded: dict[str, Any]
    start: Vec3
    channel_count: int
    context: Any = field(default_factory=ts.Context, repr=False, compare=False)

    def fill(self, box: Box, time: int, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` at a time into `out`, an aligned array of shape (c, z, y, x); `channels` None: all in order.

        Raises:
            ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """
        if channels is None:
            self._fill(box, (time, 0, self.channel_count), out, context)
            return
        for index, channel in enumerate(channels):
            self._fill(box, (time, channel, channel + 1), out[index : index + 1], context)

    def check(self, box: Box, time: int, context: CallContext) -> None:
        """Look at every stored chunk that overlaps `box`; see `tensorstores.Bounds`. Each is read whole."""
        for some in self._pieces(self._ranges(box, (time, 0, self.channel_count))):
            for _ in self._fetched(some, context):
                pass

    def is_absent(self, box: Box, time: int, patience: Callable[[], CallContext]) -> bool:
        """Whether no stored chunk overlaps `box`, asked with a new `patience` for some chunks at a time.

        Raises:
            StoreUnavailable, Cancelled, DeadlineExceeded, and what tensorstore raises for anything but absent chunks.
        """
        for some in self._pieces(self._ranges(box, (time, 0, self.channel_count))):
            context = patience()
            for future in self._asked(some, context, whole=False):
                try:
                    if wait(future, context).state == "value":
                        return False
                except STORE_ERRORS as error:
                    if not str(error).startswith("OUT_OF_RANGE"):  # an empty one is there
                        raise
                    return False
        return True

    def _fill(self, box: Box, fixed: tuple[int, int, int], out: Voxels, context: CallContext) -> None:
        asked = self._ranges(box, fixed)
        # Private, and so empty: what another read decodes has the same names.
        session = ts.Context()
        memory = ts.KvStore.open(self.decoded["kvstore"], context=session).result()
        view = ts.open(self.decoded, open=True, assume_metadata=True, context=session).result()
        for some in self._pieces(asked):
            decoding: list[tuple[_Piece, str, Any]] = []
            try:
                for piece, data in self._fetched(some, context):
                    name = self.naming.name(piece.place)
                    if data is not None:
                        memory[name] = data
                    source, target = self._source(view, piece), self._target(out, asked, piece)
                    decoding.append((piece, name, ts.array(target).write(source)))
                for piece, name, future in decoding:
                    self._decoded(piece, future, context)
                    del memory[name]
            finally:
                for _, _, future in decoding:
                    future.cancel()  # nothing writes into `out` after a failure

    def _decoded(self, piece: _Piece, future: Any, context: CallContext) -> None:
        try:
            wait(future, context)
        except STORE_ERRORS as error:
            raise store_error(error, f"reading the stored chunk with the voxels {self._cell(piece)}") from error

    def _source(self, view: View, piece: _Piece) -> View:
        """The part (c, z, y, x) of a view in global coordinates that a piece is."""
        asked = zip(("z", "y", "x"), self.start.zyx, strict=True)
        (z, y, x) = (slice(piece.asked[axis][0] + at, piece.asked[axis][1] + at) for axis, at in asked)
        return view[piece.asked["t"][0], slice(*piece.asked["c"]), z, y, x]

    def _target(self, out: Voxels, asked: Ranges, piece: _Piece) -> Voxels:
        """The part of an array of what is asked for, shape (c, z, y, x), that a piece is."""
        (c, z, y, x) = (
            slice(piece.asked[axis][0] - asked[axis][0], piece.asked[axis][1] - asked[axis][0]) for axis in "czyx"
        )
        return out[c, z, y, x]

    def _ranges(self, box: Box, fixed: tuple[int, int, int]) -> Ranges:
        """What is asked for, from the array's first voxel; `fixed` is the time and the channels' range."""
        time, first, last = fixed
        spatial = zip("xyz", zip(box.start - self.start, box.stop - self.start, strict=True), strict=True)
        return {"t": (time, time + 1), "c": (first, last), **dict(spatial)}

    def _pieces(self, asked: Ranges) -> Iterator[list[_Piece]]:
        """What is asked for of each chunk, so many chunks at a time; those of one shard follow one another."""

        def found() -> Iterator[_Piece]:
            if self.sharded is None:
                yield from self._cells(asked, self.coded.extents)
                return
            for outer in self._cells(asked, self.sharded[0].extents):
                yield from self._cells(outer.asked, self.coded.extents)

        pieces = found()
        while some := list(itertools.islice(pieces, _AT_ONCE)):
            yield some

    def _cells(self, asked: Ranges, extents: Mapping[str, int]) -> Iterator[_Piece]:
        axes = self.naming.axes
        for cell in cells_of(asked, axes, extents):
            place = {axis: span.at for axis, span in zip(axes, cell, strict=True)}
            firsts = {axis: at * extents[axis] for axis, at in place.items()}
            inside = {
                axis: (firsts[axis] + span.low, firsts[axis] + span.high) for axis, span in zip(axes, cell, strict=True)
            }
            yield _Piece(place, {**asked, **inside})

    def _fetched(self, some: Sequence[_Piece], context: CallContext) -> Iterator[tuple[_Piece, Any]]:
        """Each chunk's stored bytes once they were looked at; None where it is absent.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        futures = self._asked(some, context, whole=True)
        try:
            for piece, future in zip(some, futures, strict=True):
                try:
                    found = wait(future, context)
                except STORE_ERRORS as error:
                    doing = f"reading the stored chunk with the voxels {self._cell(piece)}"
                    raise store_error(error, doing) from error
                if found.state != "value":
                    yield piece, None
                    continue
                self._check(found.value, piece)
                yield piece, found.value
        finally:
            for future in futures:
                future.cancel()

    def _check(self, data: bytes, piece: _Piece) -> None:
        if len(data) > self.coded.limit:
            raise too_large(self._cell(piece))
        check_header(data[: self.coded.size_at + 8], self.coded, _Lazy(lambda: self._cell(piece)))

    def _asked(self, some: Sequence[_Piece], context: CallContext, *, whole: bool) -> list[Any]:
        """The futures of chunks, in order; of each one the first byte alone where it is not to come whole."""
        byte_range = None if whole else slice(0, 1)
        try:
            if self.sharded is not None:
                return self._asked_of_shards(some, *self.sharded, byte_range, context)
            spec = at_most(self.kvstore, self.coded.limit) if whole else self.kvstore
            store = wait(ts.KvStore.open(spec, context=self.context), context)
            return [store.read(self.naming.name(piece.place), byte_range=byte_range) for piece in some]
        except STORE_ERRORS as error:
            raise store_error(error, "opening the store") from error

    def _asked_of_shards(
        self,
        some: Sequence[_Piece],
        shard: Sharded,
        sharding: dict[str, Any],
        byte_range: slice | None,
        context: CallContext,
    ) -> list[Any]:
        counts = {axis: shard.extents[axis] // shard.inner.extents[axis] for axis in self.naming.axes}
        names = [self.naming.name({axis: at // counts[axis] for axis, at in piece.place.items()}) for piece in some]
        grid_shape = [counts[axis] for axis in shard.axes]
        opening = {name: self._opened_shard(name, grid_shape, sharding) for name in dict.fromkeys(names)}
        stores = {name: wait(future, context) for name, future in opening.items()}
        together = ts.Batch()  # each index is read once for all chunks that it lists
        try:
            inside = [[piece.place[axis] % counts[axis] for axis in shard.axes] for piece in some]
            keys = [struct.pack(f">{len(numbers)}I", *numbers) for numbers in inside]
            asked = zip(names, keys, strict=True)
            return [stores[name].read(key, byte_range=byte_range, batch=together) for name, key in asked]
        finally:
            together.submit()

    def _opened_shard(self, name: str, grid_shape: list[int], sharding: dict[str, Any]) -> Any:
        """The chunks in one shard, by the big-endian uint32 numbers of their place in it: a future kvstore."""
        spec = {
            "driver": "zarr3_sharding_indexed",
            "base": {**self.kvstore, "path": f"{self.kvstore['path']}{name}"},
            "grid_shape": grid_shape,
            "index_codecs": sharding["index_codecs"],
            "index_location": sharding.get("index_location", "end"),
        }
        return ts.KvStore.open(spec, context=self.context)

    def _cell(self, piece: _Piece) -> Box:
        """The voxels of a chunk."""
        extents = self.coded.extents
        first = Vec3(*(piece.place.get(axis, 0) * extents.get(axis, 1) for axis in "xyz"))
        return Box.at(first + self.start, Vec3(*(extents.get(axis, 1) for axis in "xyz")))


def fetched_chunks(
    view: View, kvstore: dict[str, Any], objects: tuple[Naming, Coded | Sharded], start: Vec3, channel_count: int
) -> FetchedChunks | None:
    """What has to be fetched before it is decoded; None for an array that tensorstore may read by itself.

    That is one without blosc, and one with shards in shards, or shards that are encoded once more: those are believed.

    Args:
        view: of the array, with the axes t, c, z, y, x in global coordinates.
        kvstore: tensorstore's spec of its folder.
        objects: how they are named, and what is in one.
        start: global coordinates of its first voxel.
        channel_count: of the array.
    """
    naming, content = objects
    inner = content.inner if isinstance(content, Sharded) else content
    if not isinstance(inner, Coded) or not inner.blosc:
        return None
    spec = {**view.spec().to_json(), "kvstore": {"driver": "memory"}}
    sharded = None
    if isinstance(content, Sharded):
        *before, last = spec["metadata"]["codecs"]
        if last["name"] != "sharding_indexed":
            return None
        sharding = last["configuration"]
        shape = [inner.extents[axis] for axis in naming.axes]
        unsharded = {
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
            "codecs": [*before, *sharding["codecs"]],
        }
        spec["metadata"] = {**spec["metadata"], **unsharded}
        sharded = (content, sharding)
    return FetchedChunks(kvstore, naming, inner, sharded, spec, start, channel_count)
