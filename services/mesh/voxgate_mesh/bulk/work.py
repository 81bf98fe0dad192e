"""The work of a bulk meshing: chunks level by level, then partitions of segments. Knows no engine and no transport."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.model.errors import AlreadyExists
from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import MeshJobMode, MeshJobResult, MeshJobSpec
from voxgate.model.mesh_stores import MeshStore
from voxgate.model.volumes import OpenOptions, Volume
from voxgate_jobs.work import BlockResult, Patience
from voxgate_mesh.bulk.coarser import make_coarser
from voxgate_mesh.bulk.finishing import finish_product
from voxgate_mesh.bulk.partials import partial_folder
from voxgate_mesh.bulk.pieces import Places, make_pieces
from voxgate_mesh.bulk.places import MeshPlaces, check_installed
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan, PartitionBlock
from voxgate_mesh.bulk.planning import planned
from voxgate_mesh.bulk.products import make_product
from voxgate_remotes.mesh_places import MARK

if TYPE_CHECKING:
    from voxgate_jobs.ledger import LedgerTotals


@dataclass(frozen=True, slots=True)
class MeshWork:
    """The open work of one bulk meshing. Satisfies `voxgate_jobs.work.Work`.

    Attributes:
        plan: what each block is.
        volume: what is read.
        store: where the meshes go.
        patience: when to stop. A block that is stopped leaves no part of a file.
    """

    plan: MeshPlan
    volume: Volume
    store: MeshStore
    patience: Patience

    @property
    def phase(self) -> str:
        """What is being done."""
        return "meshing"

    @property
    def block_count(self) -> int:
        """The chunks of all levels, and the partitions."""
        return self.plan.block_count

    @property
    def total_bytes(self) -> int:
        """Voxel bytes that are read: chunks share the voxels where they meet."""
        return self.volume.info.dtype.itemsize * math.prod(map(self._read_along, range(3)))

    @property
    def digest(self) -> str:
        """Tells this numbering of blocks from any other."""
        return self.plan.digest

    @property
    def stage_starts(self) -> Sequence[int]:
        """The first block of each coarser level, and the first partition."""
        return self.plan.stage_starts

    def run_block(self, index: int) -> BlockResult:
        """Make the pieces of a chunk, or the meshes of a partition, and write them whole.

        Raises:
            StoreUnavailable: when trying again may help.
            AlreadyExists: see `check_free`.
            VoxgateError: whatever reading the volume and writing files raises; Cancelled when stopped.
        """
        block, context = self.plan.block(index), self.patience.reading
        if isinstance(block, PartitionBlock):
            check_free(self.plan, self.store)
            made = make_product(self.plan, self.store, block.partition, context)
        elif block.level:
            made = make_coarser(self.plan, block, self._places, context)
        else:
            made = make_pieces(self.plan, self.volume, block.position, self._places, context)
        return BlockResult(made.byte_count, made.checksum)

    def flush(self) -> None:
        """Nothing: a file is durable when its writing is answered."""

    def box_of(self, index: int) -> tuple[int, Box] | None:
        """Scale and box of the voxels that a chunk is made of; None for a partition."""
        block = self.plan.block(index)
        return self._box(block) if isinstance(block, LevelBlock) else None

    def finish(self, totals: LedgerTotals, checksum: str) -> MeshJobResult:  # noqa: ARG002  (the Protocol's shape)
        """Let everybody find the meshes, and remove what was only needed on the way. May be called again."""
        check_free(self.plan, self.store)
        return finish_product(self.plan, self.store, checksum)

    @property
    def _places(self) -> Places:
        return Places(self.store.files, partial_folder(self.store.folder, self.plan))

    def _box(self, block: LevelBlock) -> tuple[int, Box]:
        plan = self.plan
        span = Vec3(*(extent << block.level for extent in plan.chunk_shape))
        start = plan.region.start - Vec3(1, 1, 1) + Vec3(*(a * b for a, b in zip(block.position, span, strict=True)))
        read = Box(start, start + span + Vec3(1, 1, 1))
        return plan.spec.scale, read.intersection(plan.region)

    def _read_along(self, axis: int) -> int:
        """Voxels that all chunks in a row read, along one axis."""
        count = tuple(self.plan.grid_shape(0))[axis]
        positions = (Vec3(*(at if each == axis else 0 for each in range(3))) for at in range(count))
        boxes = (self.plan.voxel_box(position).intersection(self.plan.region) for position in positions)
        return sum(tuple(box.shape)[axis] for box in boxes)


def check_free(plan: MeshPlan, store: MeshStore) -> None:
    """Refuse to replace meshes that somebody else stored since the job began, unless it is to replace what is there.

    Raises:
        AlreadyExists.
    """
    if plan.spec.mode is MeshJobMode.OVERWRITE:
        return
    there = store.announced()
    mark = (there or {}).get(MARK)
    if there is not None and not (isinstance(mark, dict) and mark.get("plan") == plan.digest):
        raise AlreadyExists(
            f'other meshes were stored at "{plan.spec.destination}" meanwhile',
            "choose another destination, or say that they are to be overwritten",
            details={"name": plan.spec.destination},
        )


def open_mesh_job(stores: MeshPlaces, spec: MeshJobSpec, patience: Patience) -> MeshWork:
    """Open the volume and the place of a bulk meshing, and plan it.

    Args:
        stores: where they are.
        spec: which; as its record has it, with nothing left to choose.
        patience: when to stop.

    Raises:
        Unimplemented: where what encodes meshes is not installed.
        ReadOnly, MissingCapability, UnsupportedFormat: when the destination takes no meshes any more.
        VoxgateError: whatever opening raises; see `voxgate_mesh.bulk.planning.planned`.
    """
    check_installed()
    volume = stores.open(spec.volume, OpenOptions(version=spec.version, context=patience.reading))
    plan = planned(spec, volume.info)
    return MeshWork(plan, volume, stores.mesh_store(spec.destination or spec.volume), patience)
