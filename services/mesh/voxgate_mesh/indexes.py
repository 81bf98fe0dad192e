"""The store's own index of where segments are, where it has one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from voxgate.model.errors import InvalidSegmentId, SegmentNotFound, SegmentSuperseded, StoreRefused, VoxgateError
from voxgate.model.segments import ManySegmentExtents, SegmentExtent, SegmentExtents
from voxgate.model.volumes import CallContext, Relayed, Volume
from voxgate_blocks.readahead import each_answered, ticking
from voxgate_blocks.scanning import reading_threads

_POWER = "segment_bounds"
_MOST_THREADS = 16
_MANY_AT_A_TIME = 1000
_OF_ONE_SEGMENT = (SegmentNotFound, SegmentSuperseded, InvalidSegmentId, StoreRefused)

Extent = SegmentExtent | VoxgateError
_Ask = Callable[[Sequence[int], int, CallContext], list[Extent]]


@dataclass(frozen=True, slots=True)
class Index:
    """Asks a store where segments are.

    Attributes:
        ask: the answers for some segments, in order, at a scale.
        at_a_time: how many to ask for at once.
        per_question: how many segments the store is asked for in one question.
    """

    ask: _Ask
    at_a_time: int
    per_question: int = 1

    def question_count(self, segment_count: int) -> int:
        """How many questions it takes to ask for so many segments."""
        return -(-segment_count // self.per_question)

    def extents(
        self, segment_ids: Sequence[int], scale: int, context: CallContext, tick_s: float | None
    ) -> Generator[tuple[int, Extent] | None]:
        """Where each segment is, or why that one has no answer.

        Yields:
            An id with its answer, in order; None every `tick_s` seconds that the store is waited for.

        Raises:
            Whatever the store raises but for a single segment; Cancelled or DeadlineExceeded from the context.
        """

        def answers() -> Iterator[list[tuple[int, Extent]]]:
            for start in range(0, len(segment_ids), self.at_a_time):
                context.check()
                some = segment_ids[start : start + self.at_a_time]
                yield list(zip(some, self.ask(some, scale, context), strict=True))

        pieces = ticking(answers(), context, tick_s)
        try:
            for piece in pieces:
                if piece is None:
                    yield None
                else:
                    yield from piece
        finally:
            pieces.close()


def store_index(volume: Volume) -> Index | None:
    """The index of a volume's store; None where it has none.

    A volume on another voxgate offers bounds in any case, and finds them there by reading all of its voxels where the
    store has no index: that is none.
    """
    relayed = volume.capability(Relayed)
    if relayed is not None and _POWER not in relayed.facts.powers:
        return None
    knows_many = volume.capability(ManySegmentExtents)
    if knows_many is not None:
        return Index(_many(knows_many), _MANY_AT_A_TIME, _MANY_AT_A_TIME)
    knows = volume.capability(SegmentExtents)
    if knows is None:
        return None
    threads = min(_MOST_THREADS, reading_threads(volume))
    return Index(_each(knows, threads), 4 * threads)


def _many(knows: ManySegmentExtents) -> _Ask:
    def ask(segment_ids: Sequence[int], scale: int, _: CallContext) -> list[Extent]:
        return knows.segment_extents(segment_ids, scale=scale)

    return ask


def _each(knows: SegmentExtents, threads: int) -> _Ask:
    def ask(segment_ids: Sequence[int], scale: int, context: CallContext) -> list[Extent]:
        def one(segment_id: int) -> Extent:
            try:
                return knows.segment_extent(segment_id, scale=scale)
            except _OF_ONE_SEGMENT as error:
                return error

        return each_answered(segment_ids, one, threads=threads, context=context)

    return ask
