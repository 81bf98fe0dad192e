"""Boxes that are being written: of two that overlap, one waits."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext

_PATIENCE_S = 0.25


class Regions:
    """The boxes that are written or wait to be, in the order in which they came. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._boxes: list[tuple[Hashable, Box]] = []

    @contextmanager
    def held(self, of: Hashable, box: Box, context: CallContext) -> Iterator[None]:
        """Hold a box of something; waits for every overlapping one that came before.

        Raises:
            Cancelled, DeadlineExceeded: while waiting.
        """
        mine = (of, box)
        with self._changed:
            self._boxes.append(mine)
        try:
            with self._changed:
                while self._is_taken(mine):
                    context.check()
                    self._changed.wait(_PATIENCE_S)
            yield
        finally:
            with self._changed:
                self._boxes = [each for each in self._boxes if each is not mine]
                self._changed.notify_all()

    def _is_taken(self, mine: tuple[Hashable, Box]) -> bool:
        """Whether a box that came before overlaps."""
        for each in self._boxes:
            if each is mine:
                return False
            if each[0] == mine[0] and not each[1].intersection(mine[1]).is_empty:
                return True
        return False
