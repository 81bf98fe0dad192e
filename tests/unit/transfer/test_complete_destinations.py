"""Destinations whose operator says that every chunk is there: `absent_chunks = "error"`."""

import itertools
import uuid
from pathlib import Path

import numpy as np
import pytest

from support.pyramids import BOUNDS, CHUNK, SIZE, expected, run
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import PyramidJobSpec, PyramidSpec, TransferMode, TransferSpec, Verification
from voxgate.model.volumes import CallContext, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.work import Patience
from voxgate_remotes.config import RemoteConfig, RemotesConfig, VolumeOverrides
from voxgate_remotes.registry import Registry
from voxgate_transfer.coarsening import open_pyramid
from voxgate_transfer.pyramids import Pyramids
from voxgate_transfer.transfers import Transfers, open_transfer

FACTORS = (Vec3(2, 2, 1),)
WISHES = list(itertools.product(Verification, (TransferMode.OVERWRITE, TransferMode.UPDATE)))


class Idle:
    """An engine that takes jobs and leaves them."""

    def check_room(self) -> None:
        pass

    def submit(self, name: str) -> None:
        pass


def hollow() -> np.ndarray:
    """Nothing but zeros, and one id above 2**63 in the last corner."""
    voxels = np.zeros((1, *BOUNDS.shape.zyx), "<u8")
    voxels[0, -1, -1, -1] = 2**63 + 5
    return voxels


def complete(folder: Path) -> Registry:
    """A source in memory, "memory/hollow", and "files", whose volume "whole" is to be complete."""
    whole = VolumeOverrides(absent_chunks="error")
    files = RemoteConfig(uri=f"file://{folder}", writable=True, volumes={"whole": whole})
    remotes = {"files": files, "memory": RemoteConfig(uri="memory://", writable=True)}
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, SIZE, CHUNK),))
    registry.create("memory/hollow", spec).capability(Writable).write(BOUNDS, hollow())
    return registry


def stored(form: str, shard: Vec3 | None = None) -> VolumeSpec:
    return VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, SIZE, CHUNK, shard),), format=form)


@pytest.mark.parametrize(("verification", "mode"), WISHES)
@pytest.mark.parametrize("spec", [stored("precomputed"), stored("zarr2"), stored("zarr3", Vec3(32, 24, 14))])
def test_empty_blocks_are_written_where_an_absent_chunk_would_be_a_loss(
    tmp_path: Path, spec: VolumeSpec, verification: Verification, mode: TransferMode
):
    registry = complete(tmp_path)
    asked = TransferSpec("memory/hollow", "files/whole", destination_spec=spec, skip_empty=True,
                         verification=verification, mode=mode)  # fmt: skip
    job = Transfers(registry, SqlJobStore("sqlite://"), Idle()).start("ada", str(uuid.uuid4()), asked, CallContext())
    totals = run(open_transfer(registry, job.spec, Patience(), task_bytes=9_000))
    assert totals.done_block_count > 1
    assert totals.skipped_block_count == 0
    assert np.array_equal(registry.open("files/whole").read(BOUNDS), hollow())


def test_the_levels_of_a_pyramid_are_whole_too(tmp_path: Path):
    registry = complete(tmp_path)
    registry.create("files/whole", stored("zarr3")).capability(Writable).write(BOUNDS, hollow())
    asked = PyramidJobSpec("files/whole", PyramidSpec(FACTORS))
    job = Pyramids(registry, SqlJobStore("sqlite://"), Idle()).start("ada", str(uuid.uuid4()), asked, CallContext())
    totals = run(open_pyramid(registry, job.spec, Patience(), task_bytes=9_000))
    assert totals.skipped_block_count == 0
    ((bounds, voxels),) = expected(hollow(), FACTORS, "mode")
    assert np.array_equal(registry.open("files/whole").read(bounds, scale=1), voxels)
