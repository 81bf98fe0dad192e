"""What can only be done with a whole surface: fewer triangles, normals, and measuring what came from a store.

Pieces are collected until their segment ends, and worked on in threads, one segment in each: the code frees Python's
lock. Large surfaces are simplified in a process that is killed when the caller leaves, where there are such processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, VoxgateError
from voxgate.model.mesh_facts import MeshStatistics, Simplification
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext, VolumeInfo
from voxgate_blocks.readahead import awaited
from voxgate_mesh.holding import Holding
from voxgate_mesh.leveling import LeveledEvent, Superseded
from voxgate_mesh.measuring import measure
from voxgate_mesh.meshing import HEARTBEAT_S, MeshEvent, ScanProgress
from voxgate_mesh.normals import vertex_normals
from voxgate_mesh.threads import ThreadWorkers

R = TypeVar("R")

MANY_FACES = 100_000
"""From here on simplification may take longer than a caller who left should be worked for."""


class Killable(Protocol):
    """Where long work is done; `voxgate_serving.killable.KillableWorkers` is one."""

    def run(
        self, function: Callable[..., R], *args: Any, context: CallContext, tick_s: float | None = None
    ) -> Generator[None, None, R]:
        """Run a module-level function, yielding every `tick_s` seconds; returns its result."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A whole surface, ready to be sent.

    Attributes:
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres.
        faces: uint32 array of shape (m, 3).
        normals: float32 array of shape (n, 3), or None.
        statistics: what is measured of it.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.uint32]
    normals: npt.NDArray[np.float32] | None
    statistics: MeshStatistics | None


def finish_surface(
    vertices: npt.NDArray[np.float32],
    faces: npt.NDArray[np.uint32],
    known: MeshStatistics | None,
    simplification: Simplification | None,
    normals: bool,
) -> Finished:
    """Simplify a whole surface, measure it and give it normals.

    Args:
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres.
        faces: uint32 array of shape (m, 3), indices of vertices that exist.
        known: what was measured of it before; None where nobody did.
        simplification: how far to simplify; None means not.
        normals: whether to make normals.

    Raises:
        VoxgateError: where it cannot be simplified.
    """
    statistics = known
    if simplification is not None and len(faces):
        from voxgate_mesh.simplifying import simplify  # noqa: PLC0415  (numba takes a second; few calls need it)

        made = simplify(vertices, faces, simplification)
        vertices, faces = made.vertices, made.faces
        statistics = measure(vertices, faces, None if known is None else known.voxel_count, made.error_nm)
    elif statistics is None:
        statistics = measure(vertices, faces)
    return Finished(vertices, faces, vertex_normals(vertices, faces) if normals else None, statistics)


class Finisher:
    """Finishes the segments of one request."""

    def __init__(
        self,
        info: VolumeInfo,
        request: MeshRequest,
        max_bytes: int,
        context: CallContext,
        killable: Killable | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            info: the volume.
            request: whether to simplify, and whether to make normals.
            max_bytes: of vertices and faces that may be held at a time. Where they would be more, the largest segment
                is let go and ends with LimitExceeded.
            context: the caller's patience.
            killable: where large surfaces are simplified; None means in threads, which end with what they do.
        """
        self._request = request
        self._context = context
        self._killable = killable
        self._held = Holding(info, max_bytes)
        self._threads = ThreadWorkers()
        self._tasks: deque[tuple[MeshEnding, int, Future[Finished]]] = deque()
        self._phase = "finishing" if request.simplification is None else "simplifying"
        self._taken = self._done = 0

    def events(self, incoming: Generator[LeveledEvent]) -> Generator[MeshEvent]:
        """Collect pieces, and answer each segment whole when it ends, in the order of the endings."""
        try:
            for event in incoming:
                if isinstance(event, MeshPiece):
                    self._held.add(event)
                elif isinstance(event, Superseded):
                    self._held.forget(event.segment_id)
                elif isinstance(event, MeshEnding):
                    yield from self._ended(event)
                else:
                    yield event
                while self._tasks and self._tasks[0][2].done():
                    yield from self._answered()
            while self._tasks:
                yield from self._answered()
        finally:
            incoming.close()
            self._threads.close()

    def _ended(self, ending: MeshEnding) -> Generator[MeshEvent]:
        """Start to finish a segment, or say why there is nothing to finish."""
        error = ending.error or self._held.refused(ending)
        pieces = self._held.taken(ending.segment_id)
        size = sum(piece.byte_count for piece in pieces)
        self._taken += size
        done: Future[Finished] = Future()
        if error is None:
            done = self._threads.submit(self._finished, ending, pieces)
        else:
            done.set_exception(error)
        self._tasks.append((ending, size, done))
        while len(self._tasks) > self._threads.parallelism + 1:
            yield from self._answered()

    def _finished(self, ending: MeshEnding, pieces: list[MeshPiece]) -> Finished:
        """Finish one segment; runs in a thread."""
        self._context.check()
        vertices = np.concatenate([np.zeros((0, 3), np.float32), *(piece.vertices for piece in pieces)])
        faces = np.concatenate([np.zeros((0, 3), np.uint32), *(piece.faces for piece in pieces)])
        pieces.clear()
        if len(faces) and int(faces.max()) >= len(vertices):
            raise ChunkCorrupt(
                f"a triangle of segment {ending.segment_id} has a corner that does not exist",
                'take "computed", or have the stored mesh made anew',
                details={"segment_id": str(ending.segment_id)},
            )
        wish = self._request.simplification
        task = (vertices, faces, ending.statistics, wish, self._request.normals)
        if self._killable is None or wish is None or len(faces) < MANY_FACES:
            return finish_surface(*task)
        return _result(self._killable.run(finish_surface, *task, context=self._context))

    def _answered(self) -> Generator[MeshEvent]:
        """Wait for the oldest task, and answer its segment."""
        ending, size, future = self._tasks.popleft()
        for _ in awaited(future, self._context, HEARTBEAT_S):
            yield ScanProgress(self._phase, self._done, self._taken)
        self._done += size
        self._held.release(size)
        error = future.exception()
        if isinstance(error, VoxgateError):
            self._context.check()
            yield MeshEnding(
                ending.segment_id, error=error, origin=ending.origin, scale=ending.scale, search=ending.search
            )
            return
        made = future.result()
        yield ScanProgress(self._phase, self._done, self._taken)
        yield MeshPiece(ending.segment_id, 0, made.vertices, made.faces, made.normals)
        yield replace(ending, vertex_count=len(made.vertices), face_count=len(made.faces), statistics=made.statistics)


def _result(work: Generator[None, None, R]) -> R:
    """Run some work to its end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
