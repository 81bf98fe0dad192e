"""What a run still has to do: blocks that the ledger lacks, and blocks that are to be tried again."""

from __future__ import annotations

import bisect
import heapq
from collections import deque
from collections.abc import Sequence

from voxgate_jobs.ledger import Ledger


class MissingBlocks:
    """The blocks that the ledger lacks, ascending, stage by stage; holds one window at a time, however many there are.

    Args:
        ledger: what is done.
        name: the job's.
        stage_starts: see `Work.stage_starts`.
    """

    def __init__(self, ledger: Ledger, name: str, stage_starts: Sequence[int]) -> None:
        self._ledger = ledger
        self._name = name
        self._starts = tuple(stage_starts)
        self._windows = deque(ledger.unfinished(name))
        self._blocks = deque[int]()
        self._stage = -1

    def is_empty(self) -> bool:
        """Whether every block was taken.

        Raises:
            Unavailable: when the database is away; ask again.
        """
        while not self._blocks and self._windows:
            self._blocks.extend(self._ledger.window(self._name, self._windows[0]).missing())
            self._windows.popleft()
        return not self._blocks

    def take(self, count: int, *, all_before_done: bool) -> tuple[int, ...]:
        """At most `count` blocks of one stage, empty when there is none to be begun yet.

        Args:
            count: at least 1.
            all_before_done: whether every block that was taken is done and committed: then the next stage may begin.

        Raises:
            Unavailable: when the database is away; ask again.
        """
        if self.is_empty():
            return ()
        stage = self._stage_of(self._blocks[0])
        if stage != self._stage and self._stage >= 0 and not all_before_done:
            return ()
        self._stage = stage
        taken: list[int] = []
        while self._blocks and len(taken) < count and self._stage_of(self._blocks[0]) == stage:
            taken.append(self._blocks.popleft())
        return tuple(taken)

    def _stage_of(self, block: int) -> int:
        return bisect.bisect_right(self._starts, block)


class Postponed:
    """Blocks to be tried again, each when its time has come."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, tuple[int, ...]]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, blocks: tuple[int, ...]) -> None:
        """Try them again at `due`, of `time.monotonic()`."""
        if blocks:
            self._count += 1  # equal times in the order they came
            heapq.heappush(self._heap, (due, self._count, blocks))

    def take(self, now: float) -> tuple[int, ...]:
        """Blocks whose time has come, empty when there are none."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return ()


class Suspects:
    """Blocks that workers may have died of, each to be tried with nothing of the job beside it.

    Whoever shares a worker with the block that kills it dies too, and is not to be blamed.
    """

    def __init__(self) -> None:
        self._waiting = Postponed()
        self._deaths: dict[int, int] = {}
        self._tried: int | None = None

    def __bool__(self) -> bool:
        """Whether any waits or is being tried: nothing else may begin."""
        return len(self._waiting) > 0 or self._tried is not None

    def add(self, due: float, blocks: tuple[int, ...]) -> None:
        """Try each alone at `due`, of `time.monotonic()`."""
        for block in blocks:
            self._waiting.add(due, (block,))

    def take(self, now: float) -> tuple[int, ...]:
        """One block to be tried alone, empty when there is none yet. To be asked only while nothing runs."""
        blocks = self._waiting.take(now)
        self._tried = blocks[0] if blocks else None
        return blocks

    def interrupted(self, blocks: tuple[int, ...]) -> bool:
        """Whether these were being tried alone; they are not any more, and nothing was learnt."""
        if self._tried not in blocks:
            return False
        self._tried = None
        return True

    def lost(self, block: int) -> int:
        """How often workers have died of it alone, now that a batch with it was lost; 0 while it is only suspected."""
        if block == self._tried:
            self._tried = None
            self._deaths[block] = self._deaths.get(block, 0) + 1
        return self._deaths.get(block, 0)

    def returned(self, blocks: tuple[int, ...]) -> None:
        """Its worker lived."""
        for block in blocks:
            self._deaths.pop(block, None)
            if block == self._tried:
                self._tried = None
