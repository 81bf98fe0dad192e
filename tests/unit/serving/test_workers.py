import os
import signal
import time

import pytest

from voxgate.model.errors import ConfigInvalid, InternalError, SegmentNotFound
from voxgate_serving.workers import WorkerPool


def square(number):
    return number * number


def own_pid():
    return os.getpid()


def fail():
    raise SegmentNotFound("there is no segment 7", "name another", details={"segment_id": "7"})


def die_once(path):
    """The first time, kill this worker as hard as can be."""
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def pool():
    made = WorkerPool(2)
    yield made
    made.close()


def test_fork_is_refused():
    with pytest.raises(ConfigInvalid, match="must not be forked"):
        WorkerPool(1, start_method="fork")


def test_work_runs_in_other_processes_and_with_none_of_them_inline(pool):
    assert [future.result(30) for future in [pool.submit(square, n) for n in range(20)]] == [n * n for n in range(20)]
    assert pool.submit(own_pid).result(30) != os.getpid()
    inline = WorkerPool(0)
    assert inline.submit(own_pid).result(0) == os.getpid()
    inline.close()


def test_errors_come_back_as_they_were_raised(pool):
    with pytest.raises(SegmentNotFound, match="there is no segment 7"):
        pool.submit(fail).result(30)
    assert pool.submit(square, 3).result(30) == 9


def test_a_killed_worker_costs_only_a_second_try(pool, tmp_path):
    assert pool.submit(die_once, str(tmp_path / "died")).result(60) == "survived"
    assert pool.submit(square, 4).result(30) == 16


def test_a_task_that_always_kills_its_worker_fails_and_the_pool_goes_on(pool):
    with pytest.raises(InternalError, match="died twice"):
        pool.submit(die).result(60)
    assert pool.submit(square, 5).result(60) == 25


def test_a_closed_pool_takes_nothing_more(pool):
    pool.close()
    with pytest.raises(InternalError, match="closed"):
        pool.submit(square, 1).result(10)


def test_workers_end_with_the_pool():
    pool = WorkerPool(1)
    pid = pool.submit(own_pid).result(30)
    pool.close()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its pool")
