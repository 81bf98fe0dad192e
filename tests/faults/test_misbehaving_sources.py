"""Sources that fail, cut answers short, are slow, or have lost half of a file: over a socket, to the last voxel."""

import random
import threading
import time

import numpy as np
import pytest
from cloudvolume import CloudVolume

from support.fault_sites import SOURCE, Site, site
from support.faults import BOUNDS, CHUNK_COUNT, precomputed, sharded, stored_precomputed, stored_zarr, the_seed
from voxgate.model.jobs import JobState, TransferSpec

WHOLE = 5 << 20
"""Bytes of a block here: many of the source's chunks, any of which may fail."""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as made:
        made.server(SMALL_BLOCK_BYTES=str(WHOLE)).start()
        made.gate.open()
        yield made


class Moods:
    """One read in ten goes wrong, whichever the seed says; counts them."""

    def __init__(self, what: str, draw: random.Random, pause_s: float = 0.0) -> None:
        self.count = 0
        self._what, self._draw, self._pause_s = what, draw, pause_s
        self._lock = threading.Lock()

    def __call__(self, path: str) -> str:
        with self._lock:
            strikes = self._draw.random() < 0.1 or self.count == 0
            self.count += strikes
        if strikes:
            time.sleep(self._pause_s)
        return self._what if strikes else ""


def copied(here: Site, name: str, spec, reader) -> None:
    job = here.create(TransferSpec(SOURCE, name, destination_spec=spec)).job
    job = here.end_of(job)
    here.check_ledger(job)
    assert (job.run_count, job.progress.failed_block_count) == (1, 0)
    assert np.array_equal(reader(here.destination(name)), here.voxels)


@pytest.mark.parametrize("what", ["503", "429", "cut"])
def test_one_read_in_ten_fails_and_is_asked_again(here, what):
    here.gate.mood = moods = Moods(what, random.Random(the_seed()))
    before = len(here.gate.passed)
    copied(here, f"near/fails-{what}", sharded(), stored_zarr)
    assert len(here.gate.passed) - before >= CHUNK_COUNT + moods.count


def test_a_source_that_is_slow_now_and_then_is_waited_for(here):
    here.gate.mood = Moods("", random.Random(the_seed()), pause_s=0.5)
    copied(here, "near/slow", precomputed(), stored_precomputed)


def test_half_of_a_chunk_is_never_zeros_but_an_error_and_the_job_goes_on_once_the_chunk_is_whole(here):
    draw = random.Random(the_seed())
    bad = draw.randrange(CHUNK_COUNT)
    names = sorted(path.name for path in (here.folder / "far" / "seg" / "fine").iterdir())
    here.gate.mood = lambda path: "short" if path.endswith(names[bad]) else ""
    handle = here.create(TransferSpec(SOURCE, "near/short", destination_spec=precomputed()))
    job = here.end_of(handle.job)
    assert job.state is JobState.FAILED
    assert job.error.code == "DATA_LOSS"
    (failure,) = handle.failures()
    done = here.done_blocks(job.name)
    assert failure.block_index not in done
    copy = CloudVolume(f"file://{here.destination('near/short')}", progress=False, fill_missing=True)
    for block in here.handle(job).manifest():
        spans = tuple(slice(a, b) for a, b in zip(block.box.start, block.box.stop, strict=True))
        stored = np.asarray(copy[spans]).transpose(3, 2, 1, 0)
        assert np.array_equal(stored, here.voxels[:, *block.box.slices_zyx(BOUNDS.start)])
    here.gate.mood = lambda _: ""
    handle.resume()
    job = here.end_of(handle.job)
    assert job.run_count == 2
    here.check_ledger(job)
    assert np.array_equal(stored_precomputed(here.destination("near/short")), here.voxels)
