"""Reads that outlive a broken stream: the boxes that did not come are asked for again, and nothing else."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import grpc

from voxgate.model.errors import Cancelled, ChunkCorrupt, VersionMoved, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, Scale
from voxgate.wire.errors import DETAILS_KEY, from_rpc_error

# What the library says of a connection that ended under a call. CANCELLED is also what a server that is being stopped
# leaves behind; a call that we cancel ourselves raises our own error before this is looked at.
_BREAKS = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Broken:
    """How a call ended that did not bring everything, where asking again makes sense.

    Attributes:
        error: what to raise when nobody asks again.
        missing: what did not come: disjoint boxes, at least one.
    """

    error: VoxgateError
    missing: tuple[Box, ...]


Attempt = Callable[[Box], Broken | None]
"""Asks for a box once; None when all of it came. Raises where asking again cannot help."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """How often to ask again.

    Attributes:
        first_attempts: calls in a row that bring nothing, of a read that nothing has come of yet.
        later_attempts: calls in a row that bring nothing, once something came: long enough for a server to restart.
        first_wait_s: before the first repetition; doubles with each fruitless one.
        most_wait_s: the longest wait.
    """

    first_attempts: int = 7
    later_attempts: int = 10
    first_wait_s: float = 0.1
    most_wait_s: float = 2.0

    def wait(self, fruitless: int, context: CallContext) -> None:
        """Wait before the next call, a little differently in each client, no longer than the caller does.

        Raises:
            Cancelled, DeadlineExceeded.
        """
        seconds = min(self.most_wait_s, self.first_wait_s * 2 ** min(fruitless, 16))
        seconds *= random.uniform(0.75, 1.25)  # noqa: S311  (so that many clients do not come back at once)
        if context.deadline is not None:
            seconds = min(seconds, max(0.0, context.deadline - time.monotonic()))
        context.stop.wait(seconds)
        context.check()


class Tries:
    """How often one read was tried in vain since something last came of it. For one thread.

    Args:
        context: whose patience ends the waiting.
        persistence: how often to ask again.
    """

    def __init__(self, context: CallContext, persistence: Persistence | None = None) -> None:
        self._context = context
        self._persistence = persistence or Persistence()
        self._most = self._persistence.first_attempts
        self._fruitless = 0

    def bore_fruit(self) -> None:
        """Something came: from here on the server has time to start again."""
        self._most, self._fruitless = self._persistence.later_attempts, 0

    def broke(self, error: VoxgateError) -> None:
        """Wait before the next call, after one that broke.

        Raises:
            VoxgateError: this error, when it was asked often enough.
            Cancelled, DeadlineExceeded: when the caller waits no longer.
        """
        self._fruitless += 1
        if self._fruitless >= self._most:
            raise error
        self._persistence.wait(self._fruitless - 1, self._context)


def is_break(error: grpc.RpcError) -> bool:
    """Whether a call ended with its connection, or its server, rather than with an answer of the server's."""
    if not isinstance(error, grpc.Call) or error.code() not in _BREAKS:
        return False
    trailers: Any = error.trailing_metadata() or ()
    is_answer = any(key == DETAILS_KEY for key, _ in trailers)
    return not is_answer or isinstance(from_rpc_error(error), Cancelled)


def read_whole(box: Box, attempt: Attempt, *, context: CallContext, persistence: Persistence | None = None) -> None:
    """Ask for a box, and again for what is missing of it, until all of it came.

    Args:
        box: what to read.
        attempt: asks once.
        context: whose patience ends the waiting.
        persistence: how often to ask again.

    Raises:
        VoxgateError: what the last attempt broke with, when nothing more comes; whatever `attempt` raises.
    """
    left = [box]
    tries = Tries(context, persistence)
    corrupt: set[str] = set()
    while left:
        part = left.pop()
        broken = attempt(part)
        if broken is None:
            tries.bore_fruit()
            continue
        if isinstance(broken.error, ChunkCorrupt):
            block = broken.error.details.get("box", broken.error.message)
            if block in corrupt:
                raise broken.error
            corrupt.add(block)
        if sum(each.voxel_count for each in broken.missing) < part.voxel_count:
            tries.bore_fruit()
        tries.broke(broken.error)
        left.extend(reversed(broken.missing))


class OfSegment(Protocol):
    """An answer about one segment."""

    @property
    def segment_id(self) -> int:
        """Which."""
        ...


A = TypeVar("A", bound=OfSegment)


def answer_each(
    segment_ids: Sequence[int], ask: Callable[[Sequence[int]], Iterator[A]], *, context: CallContext, address: str
) -> Iterator[A]:
    """Yield one answer for each id; where a stream breaks, only those that did not come are asked for again.

    Args:
        segment_ids: none twice.
        ask: one stream of answers, one for each of the ids it is given; raises grpc's errors as they are.
        context: whose patience ends the waiting.
        address: of the server, for messages to people.

    Raises:
        VoxgateError: what the last stream broke with, when nothing more comes; whatever the server refuses.
    """
    left = dict.fromkeys(segment_ids)
    asked = tuple(segment_ids)
    tries = Tries(context)
    while True:
        try:
            for answer in ask(asked):
                del left[answer.segment_id]
                tries.bore_fruit()
                yield answer
        except grpc.RpcError as error:
            if not is_break(error):
                raise from_rpc_error(error, address) from None
            # When only the last words are missing, every answer is here.
            if left:
                tries.broke(from_rpc_error(error, address))
                asked = tuple(left)
                continue
        return


def lanes_of(box: Box, level: Scale, count: int) -> list[Box]:
    """Cut a box into at most `count` parts of about equal size, along its slowest axis, between stored chunks."""
    cell, origin = level.stored_chunk_shape, level.grid_origin
    first = (box.start.z - origin.z) // cell.z
    stop = -((origin.z - box.stop.z) // cell.z)
    planes = stop - first
    count = max(1, min(count, planes))
    cuts = [origin.z + (first + planes * i // count) * cell.z for i in range(1, count)]
    ends = [box.start.z, *cuts, box.stop.z]
    return [
        Box(Vec3(box.start.x, box.start.y, a), Vec3(box.stop.x, box.stop.y, b)) for a, b in itertools.pairwise(ends)
    ]


def read_in_lanes(parts: list[Box], attempts: list[Attempt], *, context: CallContext, failed: threading.Event) -> None:
    """Read each part with its own attempt, at the same time.

    Args:
        parts: what to read.
        attempts: one for each part.
        context: whose patience ends the waiting.
        failed: set when one part failed: the attempts look at it and end.

    Raises:
        VoxgateError: of the part that failed.
    """

    def read(part: Box, attempt: Attempt) -> None:
        try:
            read_whole(part, attempt, context=context)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(len(parts), thread_name_prefix="voxgate-read") as pool:
        running = [pool.submit(read, part, attempt) for part, attempt in zip(parts, attempts, strict=True)]
        try:
            wait(running)
        except BaseException:
            # The user's interrupt does not wait for the voxels.
            failed.set()
            raise
    errors = [error for error in (each.exception() for each in running) if error is not None]
    # What the others were ended with is not what went wrong.
    errors.sort(key=lambda error: isinstance(error, Cancelled))
    if errors:
        raise errors[0]


class OneVersion:
    """The version that every call of one read must be answered at: the one that the first header says. Thread-safe."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._lock = threading.Lock()

    @property
    def wanted(self) -> str:
        """What to ask for; empty means any."""
        return self._version

    def note(self, version: str | None) -> None:
        """Take the version of an answer; None while it did not say.

        Raises:
            VersionMoved: when an earlier answer was of another.
        """
        if version is None or version == self._version:
            return
        with self._lock:
            if self._version and version != self._version:
                raise VersionMoved(
                    f"the volume moved from {self._version} to {version or 'another version'} in the middle of a read",
                    "open it again",
                )
            self._version = version
