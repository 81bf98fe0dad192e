"""How long a store is waited for, apart from its caller's patience: as long as something comes.

Tensorstore waits for a server that accepts and says nothing until it ends. Its HTTP client has limits of its own (a
low speed, for some seconds), but only as environment variables of the whole process. So it is looked from here whether
anything arrives: a read fills its array chunk by chunk, as the store sends them (seen in release 0.1.86).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voxgate.model.errors import StoreUnavailable
from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, Scale, Voxels
from voxgate_remotes.objects.cells import Corners


def _nothing() -> None:
    """A store that is waited for without end."""


@dataclass(frozen=True, slots=True)
class TimedContext(CallContext):
    """A caller's patience, with another reason to stop.

    Attributes:
        watch: called where the caller's patience is looked at; raises what ends the wait.
    """

    watch: Callable[[], None] = _nothing

    def check(self) -> None:
        """Raise Cancelled or DeadlineExceeded for the caller, StoreUnavailable for a store that is stuck."""
        CallContext.check(self)
        self.watch()


@dataclass(frozen=True, slots=True)
class Patience:
    """What an operator allows a store.

    Attributes:
        seconds: without a sign of life.
        who: the store, for messages: "the s3 store".
    """

    seconds: float
    who: str

    def of(
        self, context: CallContext, doing: str, progress: Callable[[], object] = _nothing, *, requests: int = 1
    ) -> CallContext:
        """A caller's patience that ends besides when the store is stuck, from now on.

        Args:
            context: the caller's.
            doing: what is waited for, for the message: "reading voxels".
            progress: answers something else whenever something arrived.
            requests: how many the store answers one after the other, where no progress can be seen.
        """
        allowed = self.seconds * requests
        since, seen = time.monotonic(), progress()

        def watch() -> None:
            nonlocal since, seen
            now = progress()
            if now != seen:
                since, seen = time.monotonic(), now
            elif time.monotonic() - since > allowed:
                raise self.stuck(doing, allowed)

        return TimedContext(context.deadline, context.stop, context.via, context.caller, context.trace, watch)

    def stuck(self, doing: str, seconds: float) -> StoreUnavailable:
        """What is told of a store that did not answer."""
        return StoreUnavailable(
            f"{self.who} sent nothing for {seconds:g} s ({doing})",
            "try again later; for a slow store its operator raises `timeout_s`",
            details={"timeout_s": f"{self.seconds:g}"},
        )


class Arrivals:
    """Notices chunks that arrive in an array, whatever is in them.

    The first voxel of each chunk's part is turned into its complement before: also a chunk that is what the array
    held before changes it.
    """

    def __init__(self, out: Voxels, box: Box, level: Scale) -> None:
        """Mark an array of shape (c, z, y, x) that is about to be filled with the voxels of `box`."""
        self._bits = out.view(f"u{out.dtype.itemsize}")
        self._at = np.ix_(np.arange(out.shape[0]), *Corners(box, level).starts)
        self._bits[self._at] = ~self._bits[self._at]

    def __call__(self) -> bytes:
        """What is in the marked voxels now."""
        found: bytes = self._bits[self._at].tobytes()
        return found
