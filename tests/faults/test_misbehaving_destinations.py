"""Destinations that silently keep something else, and disks that are full."""

import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.fault_sites import DESTINATION, SOURCE, site
from support.faults import BOUNDS, precomputed, stored_precomputed, the_seed
from support.small_blocks import is_lied_about
from voxgate.model.geometry import Vec3, grid_cells
from voxgate.model.jobs import JobState, TransferSpec, Verification

GRANULE = Vec3(16, 16, 8)
MIB = 1 << 20
DISK = 24 * MIB
"""More than the copy needs."""
NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
MOUNT = f'mount -t tmpfs -o size={DISK} tmpfs "$0" && exec "$@"'


def lying_seed() -> tuple[str, set]:
    """A seed that has blocks corrupted, and their boxes."""
    draw = random.Random(the_seed())
    boxes = list(grid_cells(BOUNDS, GRANULE, BOUNDS.start))
    while True:
        seed = str(draw.randrange(2**32))
        chosen = {box for box in boxes if is_lied_about(seed, box)}
        if len(chosen) >= 2:
            return seed, chosen


def small_chunks():
    spec = precomputed()
    return replace(spec, scales=(replace(spec.scales[0], chunk_shape=GRANULE),))


def test_every_block_that_a_destination_corrupted_is_found_and_mended_by_resuming(tmp_path):
    seed, corrupted = lying_seed()
    with site(tmp_path) as here:
        here.server(SMALL_BLOCK_BYTES=str(GRANULE.product * 8), SMALL_BLOCK_LIES=seed).start()
        here.gate.open()
        handle = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=small_chunks()))
        ends = 0
        while (job := here.end_of(handle.job)).state is JobState.FAILED:
            assert job.error.reason == "VERIFICATION_FAILED"
            ends += 1
            handle.resume()
        assert 1 <= ends <= len(corrupted)
        failures = list(handle.failures())
        assert {failure.box for failure in failures} == corrupted
        assert {failure.error.reason for failure in failures} == {"VERIFICATION_FAILED"}
        here.check_ledger(job)
        assert np.array_equal(stored_precomputed(here.destination()), here.voxels)


def test_what_nobody_verifies_nobody_finds(tmp_path):
    """The destination of these tests does corrupt: else the test above would show nothing."""
    seed, corrupted = lying_seed()
    with site(tmp_path) as here:
        here.server(SMALL_BLOCK_BYTES=str(GRANULE.product * 8), SMALL_BLOCK_LIES=seed).start()
        here.gate.open()
        spec = TransferSpec(SOURCE, DESTINATION, destination_spec=small_chunks(), verification=Verification.NONE)
        job = here.end_of(here.create(spec).job)
        assert (job.state, job.result.verified_bytes) == (JobState.SUCCEEDED, 0)
        differing = stored_precomputed(here.destination()) != here.voxels
        assert differing.sum() == len(corrupted)


@pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "sh", "-c", MOUNT, "/mnt", "true"], capture_output=True).returncode != 0,
    reason="this user cannot mount a small disk",
)
def test_a_disk_that_is_full_fails_the_job_with_that_reason_and_with_more_room_it_goes_on(tmp_path):
    draw = random.Random(the_seed())
    with site(tmp_path) as here:
        server = here.server(prefix=(*NAMESPACE, "sh", "-c", MOUNT, str(tmp_path / "near")))
        server.start()
        here.gate.open()
        here.wait_until_served()
        inside = Path(f"/proc/{server.process.pid}/root{tmp_path}")
        room = draw.randint(MIB, here.voxels.nbytes - 2 * MIB)
        disk = os.statvfs(inside / "near")
        filler = inside / "near" / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - room)
        handle = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=precomputed()))
        job = here.end_of(handle.job)
        assert job.state is JobState.FAILED
        assert "no space left" in job.error.message
        done = here.done_blocks(job.name)
        assert done
        seen = [(len(here.gate.passed), done)]
        filler.unlink()
        handle.resume()
        job = here.end_of(handle.job)
        here.check_ledger(job)
        here.check_nothing_redone(job, seen)
        assert np.array_equal(stored_precomputed(inside / DESTINATION), here.voxels)
