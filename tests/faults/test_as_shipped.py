"""A coordinator that is killed, with blocks and leases as they are shipped: no other test waits for those."""

import hashlib
import random

import numpy as np
import pytest
import tensorstore as ts

from support.fault_sites import DESTINATION, SOURCE, Site, site
from support.faults import the_seed, until
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import JobState, TransferSpec
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_jobs.tuning import EngineSettings
from voxgate_transfer.planner import DEFAULT_TASK_BYTES

BOUNDS = Box.of(x=(-96, 672), y=(40, 552), z=(1000, 1384))
CHUNK = Vec3(128, 128, 128)


def write_image(here: Site) -> np.ndarray:
    """An image of 144 MiB in place of the site's source: noise in z-planes that all differ, (1, z, y, x)."""
    shape = BOUNDS.shape
    plane = np.random.default_rng(3).integers(0, 256, (shape.y, shape.x), np.uint8)
    voxels = (plane[None] + np.arange(shape.z, dtype=np.uint8)[:, None, None] * np.uint8(7))[None]
    scale = {
        "key": "fine",
        "size": list(shape),
        "voxel_offset": list(BOUNDS.start),
        "resolution": [4, 4, 40],
        "chunk_size": list(CHUNK),
        "encoding": "raw",
    }
    store = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{here.folder / SOURCE}/"},
            "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
            "scale_metadata": scale,
            "create": True,
            "delete_existing": True,
        }
    ).result()
    store.write(voxels.transpose(3, 2, 1, 0)).result()
    return voxels


@pytest.mark.full
def test_a_coordinator_as_it_is_shipped_is_killed_and_the_next_one_goes_on_from_the_ledger(tmp_path):
    assert (DEFAULT_TASK_BYTES, EngineSettings().lease_s) == (32 << 20, 20.0)
    destination = VolumeSpec(
        np.dtype("<u1"),
        VolumeKind.IMAGE,
        (ScaleSpec(BOUNDS, VoxelSize(4.0, 4.0, 40.0), Vec3(64, 64, 64), Vec3(128, 128, 128)),),
        format="zarr3",
    )
    with site(tmp_path) as here:
        voxels = write_image(here)
        here.shrinks = False
        here.gate.allow(0)
        server = here.server()
        server.start()
        job = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=destination)).job
        draw = random.Random(the_seed())
        here.gate.allow(draw.randint(50, 60))  # two blocks at a time, of 16 each
        here.gate.wait_until_used_up()
        until(lambda: bool(here.done_blocks(job.name)), "a block in the ledger")
        here.gate.settle(draw.uniform(0.0, 0.4))
        server.kill()
        count, done = len(here.gate.passed), here.done_blocks(job.name)
        here.gate.turn_away()
        server.start()
        here.gate.open()
        job = here.end_of(job)
        assert job.state is JobState.SUCCEEDED, job
        assert job.run_count == 2
        manifest = list(here.handle(job).manifest())
        assert 4 < len(manifest) < 16
        for block in manifest:
            part = np.ascontiguousarray(voxels[:, *block.box.slices_zyx(BOUNDS.start)])
            assert block.checksum == hashlib.sha256(part.tobytes()).digest()
        assert sum(block.box.voxel_count for block in manifest) == BOUNDS.voxel_count
        stored = ts.open(
            {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{here.destination()}/0/"}}
        ).result()
        assert np.array_equal(stored.read().result()[None], voxels)
        kept = [block.box for block in manifest if block.block_index in done]
        again = {name for name in here.gate.passed[count:] if any(box.contains(box_of(name)) for box in kept)}
        assert not again, f"read again although the ledger had them: {again}"


def box_of(name: str) -> Box:
    """The box of a chunk of the source by its file's name."""
    spans = [tuple(map(int, span.rsplit("-", 1))) for span in name.split("_")]
    return Box.of(*spans)
