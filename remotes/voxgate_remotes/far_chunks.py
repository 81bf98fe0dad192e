"""The chunks of an unsharded precomputed scale in a store that is not on this machine.

tensorstore asks for the chunk NAME, and its transport undoes the Content-Encoding (gzip, br, zstd) that cloud-volume
uploads with. Someone who copied a folder of cloud-volume's into a bucket, or serves it, has `NAME.gz` instead, or
another suffix: for tensorstore those chunks are absent. So what is absent is asked for under each suffix, all of them
at once, before it is background. Nothing that was seen of other chunks can stand for that look: who copied into a
bucket may have copied a part. A bucket could list the names of a chunk in one request, but tensorstore's listing ended
the whole process over an emulator of GCS (release 0.1.86).

A bucket's objects come whole, however large, so of them the first byte too many is asked for before.

Where NAME is there, it counts, and suffixes are not looked for: unlike in a folder of this machine, no program reads
anything else in such stores, and looking would make six requests of each one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, ReadOnly
from voxgate.model.geometry import Box, aligned_outward
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.chunk_layout import ChunkLayout
from voxgate_remotes.file_access import too_large
from voxgate_remotes.known_sizes import at_most, ignores_ranges, is_shorter
from voxgate_remotes.raw_chunks import Part
from voxgate_remotes.suffixes import SUFFIXES, Suffix
from voxgate_remotes.tensorstores import STORE_ERRORS, View, store_error, wait

_AT_ONCE = 256
Named = tuple[Part, Suffix]
"""A chunk, and a suffix that it may be there with."""


class SuffixedChunks(Protocol):
    """A capability: what a volume has that tensorstore does not see."""

    def has_suffixed(self, box: Box, *, scale: int = 0) -> bool:
        """Whether a chunk that overlaps `box` is stored with a compression suffix.

        Raises:
            Cancelled, DeadlineExceeded, StoreUnavailable, and what a store behind a network raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class FarChunks:
    """The chunks of one unsharded scale.

    Attributes:
        layout: what they are.
        view: of the scale, for tensorstore to read; an absent chunk is an error (`fill_missing_data_reads` false).
        kvstore: tensorstore's spec of the scale's folder.
        context: the ts.Context whose credentials and connections all reads of it share.
    """

    layout: ChunkLayout
    view: View
    kvstore: dict[str, Any] = field(repr=False)  # it may hold a token
    context: Any = field(default_factory=ts.Context, repr=False, compare=False)

    def fill(self, box: Box, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` into `out`, an aligned array; `channels` None means all in order.

        Raises:
            ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """
        absent: list[Part] = []
        for some in _batches(self.layout.parts(box)):
            futures = [self._asked(part, channels, part.of(out, box)) for part in some]
            try:
                for part, asked in zip(some, futures, strict=True):
                    if not _came(part, asked, context):
                        part.of(out, box)[...] = 0  # now: who watches `out` for signs of life sees that one came
                        absent.append(part)
            finally:
                _give_up(futures)  # nothing writes into `out` after a failure
        decode = self.layout.decoder(channels, context) if absent else None
        for part, stored in self._suffixed(absent, context):
            if stored is not None and decode is not None:
                decode(self._bare(*stored, part.cell), part, part.of(out, box))

    def any_suffixed(self, box: Box, context: CallContext) -> bool:
        """Whether a chunk that overlaps `box` is stored with a suffix.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        return any(stored is not None for _, stored in self._suffixed(self.layout.parts(box), context))

    def refuse_merging(self, box: Box, context: CallContext) -> None:
        """Refuse a write that cuts chunks which tensorstore, merging, would take for absent.

        Raises:
            ReadOnly; and as `any_suffixed`.
        """
        whole = aligned_outward(box, self.layout.chunk_shape, self.layout.grid_origin)
        if whole.intersection(self.layout.bounds) == box:
            return
        cut = [part for part in self.layout.parts(box) if part.inside != part.cell]
        for part, stored in self._suffixed(cut, context):
            if stored is not None:
                ending = stored[1].ending
                raise ReadOnly(
                    f"the chunk {part}, which the box cuts, is stored with a compression suffix ({ending})",
                    "write whole chunks, or to a new volume",
                )

    def _asked(self, part: Part, channels: list[int] | None, target: Voxels) -> list[Any]:
        """The futures of a part: one, or one for each channel."""
        inside = part.inside
        (z, y, x) = (slice(a, b) for a, b in zip(inside.start.zyx, inside.stop.zyx, strict=True))
        view = self.view[0, :, z, y, x]
        if channels is None:
            return [ts.array(target).write(view)]
        return [ts.array(target[index]).write(view[channel]) for index, channel in enumerate(channels)]

    def _suffixed(
        self, parts: Sequence[Part], context: CallContext
    ) -> Iterator[tuple[Part, tuple[bytes, Suffix] | None]]:
        """Each chunk's stored bytes and suffix; None where it has none."""
        if not parts:
            return
        try:
            spec = at_most(self.kvstore, self.layout.stored_limit(self.layout.first_cell))
            store = wait(ts.KvStore.open(spec, context=self.context), context)
        except STORE_ERRORS as error:
            raise store_error(error, "looking for chunks with a compression suffix") from error
        is_bounded = spec is not self.kvstore
        for some in _batches(parts):
            names = [[(part, suffix) for suffix in SUFFIXES] for part in some]
            if not is_bounded:
                names = self._there(store, names, context)
            asked = [[(suffix, store.read(f"{part.name}{suffix.ending}")) for part, suffix in each] for each in names]
            try:
                for part, futures in zip(some, asked, strict=True):
                    yield part, _stored(part, futures, context)
            finally:
                _give_up([[future for _, future in each] for each in asked])

    def _there(self, store: Any, names: list[list[Named]], context: CallContext) -> list[list[Named]]:
        """Those names that are there.

        Raises:
            ChunkCorrupt: when one is larger than any encoding makes it.
        """
        asked = [[(part, suffix, self._excess(store, part, suffix)) for part, suffix in each] for each in names]
        try:
            return [[(part, suffix) for part, suffix, future in each if _fits(part, future, context)] for each in asked]
        finally:
            _give_up([[future for _, _, future in each] for each in asked])

    def _excess(self, store: Any, part: Part, suffix: Suffix) -> Any:
        limit = self.layout.stored_limit(part.cell)
        return store.read(f"{part.name}{suffix.ending}", byte_range=slice(limit, limit + 1))

    def _bare(self, data: bytes, suffix: Suffix, cell: Box) -> bytes:
        """A chunk without its suffix's compression, which a web server may have undone: some take it for its own.

        Raises:
            ChunkCorrupt.
        """
        if len(data) > self.layout.stored_limit(cell):
            raise too_large(cell)
        try:
            return self.layout.undone(data, suffix, cell)
        except ChunkCorrupt:
            if (suffix.magic and data.startswith(suffix.magic)) or not self.layout.is_bare(data, cell):
                raise
        return data


def _came(part: Part, futures: list[Any], context: CallContext) -> bool:
    """Whether a part was read; False where its chunk is absent."""
    try:
        for future in futures:
            wait(future, context)
    except STORE_ERRORS as error:
        if str(error).startswith("NOT_FOUND"):
            return False
        raise store_error(error, f"reading the stored chunk with the voxels {part}") from error
    return True


def _fits(part: Part, future: Any, context: CallContext) -> bool:
    """Whether an object is there, asked for the first byte too many.

    Raises:
        ChunkCorrupt: when it has that one; StoreUnavailable.
    """
    try:
        found = wait(future, context)
    except STORE_ERRORS as error:
        if is_shorter(error) or ignores_ranges(error):
            return True
        raise store_error(error, f"reading the stored chunk with the voxels {part}") from error
    if found.state == "value":
        raise too_large(part)
    return False


def _stored(part: Part, asked: Sequence[tuple[Suffix, Any]], context: CallContext) -> tuple[bytes, Suffix] | None:
    """What is stored of a chunk with a suffix.

    Raises:
        ChunkCorrupt: when it is there with several, too.
    """
    found = []
    for suffix, future in asked:
        try:
            answer = wait(future, context)
        except STORE_ERRORS as error:
            raise store_error(error, f"reading the stored chunk with the voxels {part}") from error
        if answer.state == "value":
            found.append((bytes(answer.value), suffix))
    if len(found) > 1:
        names = " and ".join(suffix.ending for _, suffix in found)
        raise ChunkCorrupt(f"the stored chunk with the voxels {part} is there twice: {names}", "remove the older one")
    return found[0] if found else None


def _batches(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    return (parts[at : at + _AT_ONCE] for at in range(0, len(parts), _AT_ONCE))


def _give_up(asked: Sequence[Sequence[Any]]) -> None:
    for futures in asked:
        for future in futures:
            future.cancel()
