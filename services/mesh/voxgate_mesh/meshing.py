"""Meshing segments of any Volume from its voxels: checked first, then block by block, streamed as it comes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

from voxgate.model.errors import SegmentNotFound
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext, Volume
from voxgate_blocks.readahead import ReadAhead, Selection, awaited, read_blocks
from voxgate_mesh.assembling import SegmentAssembler
from voxgate_mesh.blocks import Block, BlockPlan, HaloAssembler, HaloBlock
from voxgate_mesh.checks import MeshLimits, plan_request
from voxgate_mesh.labels import LabelTable
from voxgate_mesh.meshers import Mesher, Surface, find_mesher

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


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How many voxel bytes have been searched and meshed."""

    phase: str
    done_bytes: int
    total_bytes: int


MeshEvent = MeshPiece | MeshEnding | ScanProgress


@dataclass(frozen=True, slots=True)
class MeshingSettings:
    """What bounds the work; the same for every call of a server.

    Attributes:
        limits: what a request may ask for.
        ahead: how far to read ahead.
        block_shape: the blocks; None fits them to the store's chunks. Never changes a surface.
    """

    limits: MeshLimits = field(default_factory=MeshLimits)
    ahead: ReadAhead = field(default_factory=lambda: ReadAhead(tick_s=HEARTBEAT_S))
    block_shape: Vec3 | None = None


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
    plan, voxel_size_nm = plan_request(volume.info, request, settings.limits, settings.block_shape)
    return _Run(volume, request, plan, voxel_size_nm, mesher).events(workers, context, settings.ahead)


_Task = tuple[Block, HaloBlock, "Future[dict[int, Surface]]"]


class _Run:
    """One request under way."""

    def __init__(
        self, volume: Volume, request: MeshRequest, plan: BlockPlan, voxel_size_nm: VoxelSize, mesher: Mesher
    ) -> None:
        self._volume = volume
        self._scale = request.scale or 0
        self._plan = plan
        self._mesher = mesher
        self._table = LabelTable(request.segment_ids, volume.info.dtype)
        self._assemblers = {i: SegmentAssembler(i, plan.region, voxel_size_nm) for i in request.segment_ids}
        self._found: set[int] = set()
        self._item_bytes = volume.info.dtype.itemsize
        self._done_bytes = 0
        self._layer = plan.region.start.z

    def events(self, workers: Workers, context: CallContext, ahead: ReadAhead) -> Generator[MeshEvent]:
        """Read, mesh, join."""
        tasks: deque[_Task] = deque()
        halos = HaloAssembler(self._plan)
        to_read, to_mesh = itertools.tee(self._plan.blocks())
        boxes = (block.box for block in to_read)
        reads = read_blocks(self._volume, boxes, Selection(self._scale), ahead=ahead, context=context)
        try:
            yield self._progress()
            for _, voxels in reads:
                if voxels is not None:
                    block = next(to_mesh)
                    labels, found = self._table.compact(voxels)
                    self._found |= found
                    halo = halos.add(block, labels, self._table.dtype)
                    if halo is not None:
                        tasks.append((block, halo, workers.submit(self._mesher, halo.labels)))
                    self._done_bytes += block.box.voxel_count * self._item_bytes
                yield self._progress()
                while tasks and (len(tasks) > workers.parallelism + 1 or tasks[0][2].done()):
                    yield from self._joined(tasks.popleft(), context)
            while tasks:
                yield from self._joined(tasks.popleft(), context)
        finally:
            reads.close()
        yield from map(self._ending, self._assemblers)

    def _joined(self, task: _Task, context: CallContext) -> Iterator[MeshEvent]:
        """Append a block's surfaces, in the order of the plan."""
        block, halo, future = task
        for _ in awaited(future, context, HEARTBEAT_S):
            yield self._progress()
        if block.box.start.z > self._layer:
            self._layer = block.box.start.z
            for assembler in self._assemblers.values():
                assembler.forget_below(self._layer - 1)
        for label, surface in sorted(future.result().items()):
            assembler = self._assemblers[self._table.segment_id(label)]
            yield assembler.add(surface, halo.origin, halo.cells)

    def _progress(self) -> ScanProgress:
        return ScanProgress("meshing", self._done_bytes, self._plan.region.voxel_count * self._item_bytes)

    def _ending(self, segment_id: int) -> MeshEnding:
        if segment_id not in self._found:
            error = SegmentNotFound(
                f"segment {segment_id} does not occur in {self._plan.region} of scale {self._scale}",
                "check the id, the bounds and the label view",
                details={"segment_id": str(segment_id)},
            )
            return MeshEnding(segment_id, error=error, scale=self._scale)
        assembler = self._assemblers[segment_id]
        return MeshEnding(
            segment_id, assembler.vertex_count, assembler.face_count, scale=self._scale, search="everywhere"
        )
