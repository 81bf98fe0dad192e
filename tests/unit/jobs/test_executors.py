import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.job_engines import CountedWork, until
from voxgate.model.errors import ConfigInvalid, StoreUnavailable, Unavailable
from voxgate.model.jobs import TransferSpec
from voxgate_jobs.batches import Batch, Workshop
from voxgate_jobs.documents import spec_to_document, to_text
from voxgate_jobs.executors import BatchLost, DaskExecutor, SchedulerAddress

DOCUMENT = to_text(spec_to_document(TransferSpec("a/b", "c/d")))


@pytest.fixture
def opened() -> list[CountedWork]:
    return []


@pytest.fixture
def executor(opened) -> Iterator[DaskExecutor]:
    executor = DaskExecutor.embedded(opener(opened), 3)
    yield executor
    executor.close()


def opener(opened: list[CountedWork], **options):
    def open_work(spec, patience):
        opened.append(CountedWork(1000, **options))
        opened[-1].patience.append(patience)
        return opened[-1]

    return open_work


def batch(*blocks: int, run: str = "jobs/1/1") -> Batch:
    return Batch(run, DOCUMENT, blocks)


def test_work_is_opened_once_for_a_run_and_blocks_answer_by_number(executor, opened):
    futures = [executor.submit(batch(i, i + 1)) for i in (0, 5, 7)]
    done = {index: result.byte_count for future in futures for index, result in future.result(60).results.items()}
    assert done == dict.fromkeys((0, 1, 5, 6, 7, 8), 10)
    assert len(opened) == 1
    assert executor.slots() == 3
    executor.submit(batch(1, run="jobs/1/2")).result(60)
    assert len(opened) == 2


def test_nothing_of_the_embedded_cluster_listens(executor):
    before = listening()
    executor.submit(batch(0)).result(60)
    assert listening() == before


def listening() -> int:
    """TCP sockets of this process that listen."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as duplicate:
                count += duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            continue
    return count


def test_a_listening_socket_would_be_noticed():
    before = listening()
    with socket.create_server(("127.0.0.1", 0)):
        assert listening() == before + 1


def test_the_folder_that_dask_wants_is_gone_afterwards(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    executor = DaskExecutor.embedded(opener([]), 1)
    executor.submit(batch(0)).result(60)
    assert list(tmp_path.iterdir())
    executor.close()
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_stopped_ends_after_the_block_that_is_under_way_and_late_batches_do_nothing():
    gate = threading.Event()
    works: list[CountedWork] = []
    executor = DaskExecutor.embedded(opener(works, body=lambda _: gate.wait(30)), 2)
    futures = [executor.submit(batch(*range(i, i + 10))) for i in (0, 10, 20)]
    until(lambda: bool(works) and works[0].running == 2)
    executor.stop("jobs/1/1")
    until(works[0].told_to_stop)
    gate.set()
    assert sorted(len(future.result(60).results) for future in futures) == [0, 1, 1]
    assert all(future.result().trouble is None for future in futures)
    executor.forget("jobs/1/1")
    assert executor.submit(batch(5)).result(60).results == {}
    executor.close()
    with pytest.raises(Unavailable):
        executor.submit(batch(6))


def test_closing_fails_what_is_not_done():
    gate = threading.Event()
    executor = DaskExecutor.embedded(opener([], body=lambda _: gate.wait(30)), 1)
    futures = [executor.submit(batch(i)) for i in range(3)]
    executor.close()
    gate.set()
    for future in futures:
        with pytest.raises(BatchLost):
            future.result(60)


def test_a_batch_ends_with_the_block_that_failed_and_keeps_what_was_done_before():
    def body(index: int) -> None:
        if index == 2:
            raise StoreUnavailable("the store does not answer", retry_after_s=7.0)

    work = CountedWork(10, body)
    workshop = Workshop(lambda spec, patience: work)
    outcome = workshop.run(batch(0, 1, 2, 3))
    assert sorted(outcome.results) == [0, 1]
    assert outcome.trouble is not None
    assert (outcome.trouble.block, outcome.trouble.may_pass, outcome.trouble.retry_after_s) == (2, True, 7.0)
    assert work.flushed == 1


def test_works_that_nothing_runs_of_are_closed_beyond_a_number():
    opened: list[CountedWork] = []
    workshop = Workshop(opener(opened), keep=2)
    for run in ("a", "b", "c", "c", "a"):
        workshop.run(batch(0, run=run))
    assert len(opened) == 4  # "a" was opened anew


def test_a_scheduler_that_is_not_there_is_unavailable_and_not_asked_all_the_time():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    executor = DaskExecutor.remote(SchedulerAddress(f"tcp://127.0.0.1:{port}"))
    with pytest.raises(Unavailable):
        executor.submit(batch(0))
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(Unavailable):
            executor.slots()
    assert time.monotonic() - started < 60
    executor.close()


@pytest.mark.parametrize("url", ["", "localhost:8786", "http://localhost:8786", "tls://localhost:8786"])
def test_an_address_that_is_no_schedulers_is_refused(url: str):
    with pytest.raises(ConfigInvalid):
        SchedulerAddress(url)
