"""Meshing segments of any Volume from its voxels: checked first, then block by block, streamed as it comes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext, Volume
from voxgate_blocks.readahead import ReadAhead, awaited
from voxgate_mesh.assembling import SegmentAssembler
from voxgate_mesh.blocks import Block, HaloAssembler, HaloBlock
from voxgate_mesh.checks import MeshLimits, plan_request
from voxgate_mesh.locating import Locator
from voxgate_mesh.meshers import Mesher, Surface, find_mesher, frees_gil
from voxgate_mesh.progress import ScanProgress as ScanProgress  # noqa: PLC0414  (an event of this module)
from voxgate_mesh.reading import AFTER, Walk
from voxgate_mesh.targets import Located, Target
from voxgate_mesh.threads import ThreadWorkers

if TYPE_CHECKING:
    from voxgate_mesh.arrays import mesh_labels as mesh_labels  # noqa: PLC0414  (offered here, see the end)

HEARTBEAT_S = 0.5
"""While waiting, how often a sign of life is given."""

P = ParamSpec("P")
R = TypeVar("R")


class Workers(Protocol):
    """Where blocks are meshed; `voxgate_serving.workers.WorkerPool` is one."""

    @property
    def parallelism(self) -> int:
        """How many tasks run at once."""
        ...

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run a module-level function; its arguments and result are pickled."""
        ...


MeshEvent = MeshPiece | MeshEnding | ScanProgress


@dataclass(frozen=True, slots=True)
class MeshingSettings:
    """What bounds the work; the same for every call of a server.

    Attributes:
        limits: what a request may ask for.
        ahead: how far to read ahead.
        block_shape: the blocks; None fits them to the store's chunks. Never changes the surface of what is found.
        keep_bytes: how much one call remembers of blocks that it looks at before it is known which are needed; what
            is beyond is read twice.
    """

    limits: MeshLimits = field(default_factory=MeshLimits)
    ahead: ReadAhead = field(default_factory=lambda: ReadAhead(tick_s=HEARTBEAT_S))
    block_shape: Vec3 | None = None
    keep_bytes: int = 64 << 20


def mesh_segments(
    volume: Volume, request: MeshRequest, *, workers: Workers, context: CallContext, settings: MeshingSettings
) -> Generator[MeshEvent]:
    """Mesh segments: everything that can be refused is refused by this call, before a voxel is read.

    Args:
        volume: a segmentation. It is read here, in this process; workers get small arrays only.
        request: which surfaces.
        workers: where blocks are meshed.
        context: when to stop: nothing is read later than a heartbeat after it says so.
        settings: limits of the server.

    Returns:
        Pieces, progress, and at the end one ending for each id. Surfaces are closed at the border of the bounds, or
        open there; then neighbours join without a gap when their bounds overlap by one voxel.

    Raises:
        InvalidArgument, InvalidSegmentId, LimitExceeded, UnknownScale, EmptyBox, OutOfBounds, MissingCapability,
        ConfigInvalid: for what can never work. Iterating raises what the volume raises.
    """
    _, mesher = find_mesher(request.mesher)
    limits, scale = settings.limits, request.scale or 0
    plan, voxel_size_nm = plan_request(volume.info, request, limits, settings.block_shape)
    target = Target(volume, scale, plan, request.segment_ids, limits, settings.ahead, context, settings.keep_bytes)
    return _Run(target, Locator(target, request.search), voxel_size_nm, mesher).events(workers)


_Task = tuple[Block, HaloBlock, "Future[dict[int, Surface]]"]


class _Run:
    """One request under way."""

    def __init__(self, target: Target, locator: Locator, voxel_size_nm: VoxelSize, mesher: Mesher) -> None:
        self._target = target
        self._plan = target.plan
        self._locator = locator
        self._mesher = mesher
        self._assemblers = {i: SegmentAssembler(i, target.plan.region, voxel_size_nm) for i in target.segment_ids}
        self._voxels: Counter[int] = Counter()
        self._done = 0
        self._total = 0
        self._layer = target.plan.region.start.z

    def events(self, workers: Workers) -> Generator[MeshEvent]:
        """Locate, read, mesh, join."""
        located = yield from self._locator.steps()
        threads = ThreadWorkers() if frees_gil(self._mesher) else None
        try:
            yield from self._meshed(located, threads or workers)
        finally:
            if threads is not None:
                threads.close()
        for segment_id in self._target.segment_ids:
            yield self._ending(segment_id, located)

    def _meshed(self, located: Located, workers: Workers) -> Generator[MeshEvent]:
        """Read, mesh, join."""
        tasks: deque[_Task] = deque()
        halos = HaloAssembler(self._plan)
        table, context = located.reader.table, self._target.context
        self._total = self._voxels_of(located)
        walk = Walk(self._plan, located.codes, located.labels, located.reader.size_of)
        blocks = walk.blocks(self._target.ahead, context)
        try:
            yield self._progress()
            for block, found in blocks:
                if found is not None:
                    halo = halos.add(block, found.labels, table.dtype)
                    if halo is not None:
                        context.check()
                        tasks.append((block, halo, workers.submit(self._mesher, halo.labels)))
                    self._voxels.update({table.segment_id(label): count for label, count in found.counts.items()})
                    self._done += 0 if found is AFTER else block.box.voxel_count
                yield self._progress()
                while tasks and (len(tasks) > workers.parallelism + 1 or tasks[0][2].done()):
                    yield from self._joined(tasks.popleft(), located)
            while tasks:
                yield from self._joined(tasks.popleft(), located)
        finally:
            blocks.close()

    def _joined(self, task: _Task, located: Located) -> Iterator[MeshEvent]:
        """Append a block's surfaces, in the order of the plan."""
        block, halo, future = task
        for _ in awaited(future, self._target.context, HEARTBEAT_S):
            yield self._progress()
        if block.box.start.z > self._layer:
            self._layer = block.box.start.z
            for assembler in self._assemblers.values():
                assembler.forget_below(self._layer - 1)
        for label, surface in sorted(future.result().items()):
            assembler = self._assemblers[located.reader.table.segment_id(label)]
            yield assembler.add(surface, halo.origin, halo.cells)

    def _voxels_of(self, located: Located) -> int:
        """The voxels to mesh."""
        if located.codes is None:
            return self._plan.region.voxel_count
        return int(self._plan.voxel_counts(located.codes).sum())

    def _progress(self) -> ScanProgress:
        voxel_bytes = self._target.volume.info.dtype.itemsize
        return ScanProgress("meshing", self._done * voxel_bytes, self._total * voxel_bytes)

    def _ending(self, segment_id: int, located: Located) -> MeshEnding:
        scale, voxels = self._target.scale, self._voxels[segment_id]
        expected = located.expected.get(segment_id, voxels)
        if not voxels or voxels != expected:
            error = located.errors.get(segment_id) or self._target.absent(segment_id)
            if voxels != expected:
                error = self._target.contradicted(segment_id, expected, voxels)
            return MeshEnding(segment_id, error=error, scale=scale, search=located.search)
        assembler = self._assemblers[segment_id]
        return MeshEnding(
            segment_id,
            assembler.vertex_count,
            assembler.face_count,
            scale=scale,
            search=located.search,
            statistics=assembler.statistics(voxels),
        )


def __getattr__(name: str) -> Any:
    """`mesh_labels`, which meshes an array: it is built upon this module, so it is looked up when it is asked for."""
    if name == "mesh_labels":
        from voxgate_mesh import arrays  # noqa: PLC0415

        return arrays.mesh_labels
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
