"""What is known of segments: by the store itself where it can, by reading voxels where it cannot. Pure: knows no grpc.

Every answer says which it was. A store's own answer through another voxgate server counts as that server says: what
its services found by reading is a surrogate here too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import (
    InvalidArgument,
    InvalidSegmentId,
    MissingCapability,
    SegmentNotFound,
    SegmentSuperseded,
    StoreRefused,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import (
    ManySegmentExtents,
    Runs,
    SegmentCount,
    SegmentCounts,
    SegmentExtent,
    SegmentExtents,
    SegmentIdReservation,
    SegmentIds,
    SegmentIndex,
    SegmentLookup,
    SegmentRuns,
    Supervoxels,
)
from voxgate.model.volumes import C, CallContext, Relayed, Volume
from voxgate_blocks.readahead import each_answered, ticking
from voxgate_blocks.runs import find_extents, find_runs, not_found
from voxgate_blocks.scanning import Scan, ScanLimits, reading_threads
from voxgate_blocks.segments import count_segments, find_segment_ids, lookup_segments
from voxgate_serving.budget import ByteBudget

A = TypeVar("A")

_MOST_THREADS = 16
_WORKING_BYTES = 32
"""About what a search holds for each voxel beside the voxel itself."""
_OF_ONE_SEGMENT = (SegmentNotFound, SegmentSuperseded, InvalidSegmentId, StoreRefused)
"""What is wrong with one segment; anything else is wrong with the store or the call, and fails the call."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[A]):
    """An answer, and whether the store itself gave it."""

    value: A
    is_native: bool


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """Some of a segment's voxels.

    Attributes:
        runs: None while a store is waited for.
        done_bytes: raw bytes searched so far; 0 where the store answers by itself.
        total_bytes: raw bytes to search; 0 where that is unknown.
    """

    runs: Runs | None
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """One question about a volume that is opened.

    Attributes:
        volume: bound to its version, time and label view.
        scale: index of the scale asked about.
        limits: what searching voxels may cost.
        budget: of the server; a search holds its share while it runs.
        context: the caller's patience.
    """

    volume: Volume
    scale: int
    limits: ScanLimits
    budget: ByteBudget
    context: CallContext

    def ids_in(self, box: Box) -> Answer[npt.NDArray[np.uint64]]:
        """The ids in a box, uint64, ascending, without background.

        Raises:
            As `voxgate_blocks.segments.find_segment_ids`, and whatever the store raises.
        """
        check_box(self.volume.info, box, self.scale)
        knows = self.volume.capability(SegmentIds)
        ids = None if knows is None else knows.segment_ids_in(box, scale=self.scale)
        if ids is not None:
            return Answer(ids, self._is_native("segment_ids"))
        counted = self._native_counts(box)
        if counted is not None:
            return Answer(np.array([each.segment_id for each in counted.value], np.uint64), counted.is_native)
        with self._share(box) as limits:
            found = find_segment_ids(self.volume, box, scale=self.scale, limits=limits, context=self.context)
        return Answer(found, False)

    def counts_in(self, box: Box) -> Answer[list[SegmentCount]]:
        """The segments in a box with their voxel counts, by id, without background.

        Raises:
            As `voxgate_blocks.segments.count_segments`, and whatever the store raises.
        """
        check_box(self.volume.info, box, self.scale)
        counted = self._native_counts(box)
        if counted is not None:
            return counted
        with self._share(box) as limits:
            found = count_segments(self.volume, box, scale=self.scale, limits=limits, context=self.context)
        return Answer(found, False)

    def at(self, points: Sequence[Vec3]) -> Answer[list[int]]:
        """The segment id at each point.

        Raises:
            As `voxgate_blocks.segments.lookup_segments`, and whatever the store raises.
        """
        knows: SegmentLookup | None = self.volume.capability(SegmentLookup) or self.volume.capability(SegmentIndex)
        if knows is not None:
            return Answer(knows.segments_at(points, scale=self.scale), self._is_native("segment_lookup"))
        return Answer(lookup_segments(self.volume, points, scale=self.scale, context=self.context), False)

    def extents(self, segment_ids: Sequence[int]) -> Answer[list[SegmentExtent | VoxgateError]]:
        """Where each segment is, in order, or why that one has no answer.

        Args:
            segment_ids: none of them 0, none twice.

        Raises:
            As `voxgate_blocks.runs.find_extents`, and whatever the store raises but for a single segment.
        """
        bounds = scale_of(self.volume.info, self.scale).bounds
        knows_many = self.volume.capability(ManySegmentExtents)
        if knows_many is not None:
            return Answer(knows_many.segment_extents(segment_ids, scale=self.scale), self._is_native("segment_bounds"))
        knows = self.volume.capability(SegmentExtents)
        if knows is not None:
            ask = functools.partial(knows.segment_extent, scale=self.scale)
            found = _of_each(self.volume, segment_ids, ask, self.context)
            return Answer(found, self._is_native("segment_bounds"))
        with self._share(bounds) as limits:
            searched = find_extents(self.volume, segment_ids, scale=self.scale, limits=limits, context=self.context)
        return Answer(searched, False)

    def runs(self, segment_id: int, box: Box | None) -> Answer[Generator[FoundRuns]]:
        """The voxels of a segment as they are found.

        The server's bytes are held while the answer is iterated.

        Raises:
            What is wrong with the request, at once; what happens on the way, and SegmentNotFound for a segment without
            a voxel there, while it is iterated.
        """
        where = scale_of(self.volume.info, self.scale).bounds if box is None else box
        check_box(self.volume.info, where, self.scale)
        knows = self.volume.capability(SegmentRuns)
        if knows is not None:
            told = self._told(_begun(knows, segment_id, box, self.scale), where)
            return Answer(_some(segment_id, told), self._is_native("segment_voxels"))
        Scan(self.volume, where, self.scale, self.limits, self.context).check()
        return Answer(_some(segment_id, self._searched(segment_id, where)), False)

    def _told(self, pieces: Iterator[Runs], box: Box) -> Generator[FoundRuns]:
        """Runs as the store tells them."""
        with self._share(box) as limits:
            for runs in ticking(pieces, self.context, limits.tick_s):
                yield FoundRuns(runs)

    def _searched(self, segment_id: int, box: Box) -> Generator[FoundRuns]:
        """Runs as they are found by reading."""
        voxel_bytes = self.volume.info.dtype.itemsize
        total, done = box.voxel_count * voxel_bytes, 0
        with self._share(box) as limits:
            search = find_runs(self.volume, segment_id, box, scale=self.scale, limits=limits, context=self.context)
            for block, runs in search:
                done += 0 if runs is None else block.voxel_count * voxel_bytes
                yield FoundRuns(runs, done, total)

    def _native_counts(self, box: Box) -> Answer[list[SegmentCount]] | None:
        """What the store's index says of a box; None where there is none, or none for this box."""
        counts = self.volume.capability(SegmentCounts)
        found = None if counts is None else counts.counts_in(box, scale=self.scale)
        index = self.volume.capability(SegmentIndex) if found is None else None
        if index is not None:
            found = index.segments_in(box, scale=self.scale)
        return None if found is None else Answer(found, self._is_native("segment_counts"))

    def _is_native(self, power: str) -> bool:
        """Whether it is the store's own index that answers, and not another server that reads its voxels."""
        relayed = self.volume.capability(Relayed)
        if relayed is not None and power not in relayed.facts.powers:
            return False
        return ("segments", "surrogate") not in {(each.name, each.support) for each in self.volume.info.services}

    @contextmanager
    def _share(self, box: Box) -> Iterator[ScanLimits]:
        """The limits, within the share of the server's bytes that is held while a search runs."""
        wanted = box.voxel_count * (self.volume.info.dtype.itemsize + _WORKING_BYTES)
        with self.budget.share(min(self.limits.in_flight_bytes, wanted), self.context) as held:
            yield replace(self.limits, in_flight_bytes=held)


def supervoxels_of(volume: Volume, segment_ids: Sequence[int], context: CallContext) -> list[list[int] | VoxgateError]:
    """The supervoxels of each body, in order, or why that one has no answer.

    Raises:
        MissingCapability: when the store does not know supervoxels.
    """
    knows = _required(volume, Supervoxels, "supervoxels", "tell bodies from supervoxels")
    return _of_each(volume, segment_ids, knows.supervoxels_of, context)


def bodies_of(volume: Volume, supervoxel_ids: Sequence[int]) -> list[int]:
    """The body of each supervoxel, in order; 0 for one that does not exist any more.

    Raises:
        MissingCapability: when the store does not know supervoxels.
    """
    return _required(volume, Supervoxels, "supervoxels", "tell bodies from supervoxels").bodies_of(supervoxel_ids)


def reserve_ids(volume: Volume, count: int) -> int:
    """The first of `count` consecutive ids that nobody else gets.

    Raises:
        InvalidArgument: for less than one.
        MissingCapability: when the store hands out none.
        ReadOnly: when the operator allows no writes.
    """
    knows = _required(volume, SegmentIdReservation, "reserve_segment_ids", "hand out segment ids")
    if count < 1:
        raise InvalidArgument("no id was asked for", "ask for at least one", details={"field": "count"})
    return knows.reserve_segment_ids(count)


def _required(volume: Volume, kind: type[C], power: str, what: str) -> C:
    found = volume.capability(kind)
    if found is None:
        raise MissingCapability(
            f"the store of {volume.info.name or 'the volume'} does not {what}",
            "ask a volume whose capabilities have it",
            details={"capability": power},
        )
    return found


def _of_each(
    volume: Volume, segment_ids: Sequence[int], ask: Callable[[int], A], context: CallContext
) -> list[A | VoxgateError]:
    """Ask a store for each segment, some at a time."""

    def answer(segment_id: int) -> A | VoxgateError:
        try:
            return ask(segment_id)
        except _OF_ONE_SEGMENT as error:
            return error

    threads = min(_MOST_THREADS, reading_threads(volume))
    return each_answered(segment_ids, answer, threads=threads, context=context)


def _begun(knows: SegmentRuns, segment_id: int, box: Box | None, scale: int) -> Iterator[Runs]:
    """A store's runs, not asked for before the first is wanted: asking may already mean waiting for the store."""
    yield from knows.segment_runs(segment_id, box=box, scale=scale)


def _some(segment_id: int, pieces: Generator[FoundRuns]) -> Generator[FoundRuns]:
    """The same pieces, if there is a run among them.

    Raises:
        SegmentNotFound: at the end, when there was none.
    """
    with closing(pieces):
        count = 0
        for piece in pieces:
            count += 0 if piece.runs is None else len(piece.runs)
            yield piece
    if not count:
        raise not_found(segment_id)
