"""A Dask scheduler and a worker at `tls://`, as processes, with certificates of an authority of the test's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.certificates import Certificate, certificate
from support.dask_clusters import address_of, threads_at
from support.fault_sites import DESTINATION, SOURCE, Site, site
from support.faults import free_port, sharded, stored_zarr, until
from voxgate.model.errors import ConfigInvalid, Unavailable, VoxgateError
from voxgate.model.jobs import JobState, TransferSpec
from voxgate_jobs import clusters
from voxgate_jobs.executors import OPENER, SchedulerAddress


@pytest.fixture(scope="module")
def believed(tmp_path_factory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("authorities") / "believed")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("authorities") / "stranger")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def here(tmp_path_factory, port, believed):
    """A site with a scheduler that can be reached, and a worker that has joined it or will."""
    with site(tmp_path_factory.mktemp("site"), scheduler=port, certificate=believed) as made:
        made.scheduler(port).start()
        made.worker(port, 0).start()
        until(lambda: threads_at(address_of(port, believed)) == 1, "the worker")
        made.gate.open()
        yield made


def test_a_transfer_runs_on_the_workers_of_a_scheduler_that_speaks_tls(here: Site):
    here.server().start()
    job = here.end_of(here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=sharded())).job)
    here.check_ledger(job)
    assert np.array_equal(stored_zarr(here.destination()), here.voxels)


@pytest.mark.parametrize(
    ("whose", "errors"),
    [
        ("another authority's, believing only that", (ConfigInvalid,)),
        ("ours, believing only another authority", (ConfigInvalid,)),
        # In TLS 1.3 a client has said all of its part before it is refused: it may only see a closed connection.
        ("another authority's, believing ours", (ConfigInvalid, Unavailable)),
    ],
)
def test_who_has_not_the_right_certificate_is_refused_and_told_what_to_look_at(
    here: Site, port: int, believed: Certificate, stranger: Certificate, whose: str, errors: tuple[type[VoxgateError]]
):
    mixed = {
        "another authority's, believing only that": stranger,
        "ours, believing only another authority": replace(believed, authority=stranger.authority),
        "another authority's, believing ours": replace(stranger, authority=believed.authority),
    }
    with pytest.raises(errors) as caught:
        clusters.remote(address_of(port, mixed[whose]), OPENER)
    assert "scheduler_tls_" in caught.value.remedy
    assert str(Path(stranger.file).parent) not in f"{caught.value.message} {caught.value.remedy}"


def test_who_speaks_no_tls_is_not_answered(here: Site, port: int):
    with pytest.raises(Unavailable):
        clusters.remote(SchedulerAddress(f"tcp://127.0.0.1:{port}"), OPENER)


def test_a_job_of_a_server_without_the_right_certificate_fails_and_says_why(
    here: Site, port: int, stranger: Certificate, tmp_path: Path
):
    with site(tmp_path, scheduler=port, certificate=stranger) as other:
        other.server().start()
        other.gate.open()
        handle = other.create(TransferSpec(SOURCE, DESTINATION, destination_spec=sharded()))
        job = other.end_of(handle.job)
        assert job.state is JobState.FAILED
        assert job.error is not None
        assert job.error.reason == "CONFIG_INVALID"
        assert "certificates" in job.error.message
        assert not other.done_blocks(job.name)
