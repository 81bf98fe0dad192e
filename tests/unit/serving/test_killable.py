import os
import signal
import threading
import time

import pytest

from voxgate.model.errors import (
    Cancelled,
    ConfigInvalid,
    DeadlineExceeded,
    InternalError,
    SegmentNotFound,
    VoxgateError,
)
from voxgate.model.volumes import CallContext
from voxgate_serving.killable import KillableWorkers


def own_pid():
    return os.getpid()


def square(number):
    return number * number


def fail():
    raise SegmentNotFound("there is no segment 7", "name another", details={"segment_id": "7"})


class Untravelled(Exception):
    def __init__(self, one, other):
        super().__init__("neither is kept")


def fail_untravelled():
    raise Untravelled(1, 2)


def die_once(path):
    """The first time, kill this worker as hard as can be."""
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def tell_and_hang(path):
    with open(path + ".part", "w") as sink:
        sink.write(str(os.getpid()))
    os.rename(path + ".part", path)
    time.sleep(3600)


@pytest.fixture
def workers():
    made = KillableWorkers(1)
    yield made
    made.close()


def result(workers, function, *args, context=None):
    """What the function answers."""
    running = workers.run(function, *args, context=context or CallContext())
    while True:
        try:
            next(running)
        except StopIteration as end:
            return end.value


def wait_until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it never came")


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def test_fork_is_refused():
    with pytest.raises(ConfigInvalid, match="must not be forked"):
        KillableWorkers(1, start_method="fork")


def test_work_runs_in_a_process_that_is_kept_for_the_next(workers):
    first = result(workers, own_pid)
    assert first != os.getpid()
    assert result(workers, own_pid) == first
    assert [result(workers, square, n) for n in range(5)] == [0, 1, 4, 9, 16]


def test_none_at_all_still_is_one_process():
    none = KillableWorkers(0)
    assert result(none, own_pid) != os.getpid()
    none.close()


def test_errors_come_back_as_they_were_raised(workers):
    with pytest.raises(SegmentNotFound, match="there is no segment 7") as caught:
        result(workers, fail)
    assert caught.value.details == {"segment_id": "7"}
    with pytest.raises(InternalError, match="failed with Untravelled"):
        result(workers, fail_untravelled)
    assert result(workers, square, 3) == 9


def test_a_process_that_dies_costs_only_a_second_try(workers, tmp_path):
    assert result(workers, die_once, str(tmp_path / "died")) == "survived"


def test_work_that_always_kills_its_process_fails_and_the_next_goes_on(workers):
    with pytest.raises(InternalError, match="died twice"):
        result(workers, die)
    assert result(workers, square, 5) == 25


def ended(workers, tmp_path, context, leave):
    """Start work that hangs, leave, and answer (the error, the pid of the work)."""
    caught = []

    def run():
        try:
            result(workers, tell_and_hang, str(tmp_path / "pid"), context=context)
        except VoxgateError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    leave()
    thread.join(60)
    assert not thread.is_alive()
    return caught[0], pid


def test_the_process_is_killed_when_the_caller_leaves(workers, tmp_path):
    context = CallContext()
    error, pid = ended(workers, tmp_path, context, context.stop.set)
    assert isinstance(error, Cancelled)
    assert is_gone(pid)
    assert result(workers, square, 6) == 36


def test_the_process_is_killed_when_the_deadline_passes(workers, tmp_path):
    context = CallContext(time.monotonic() + 3600)
    error, pid = ended(workers, tmp_path, context, lambda: object.__setattr__(context, "deadline", time.monotonic()))
    assert isinstance(error, DeadlineExceeded)
    assert is_gone(pid)


def test_the_process_is_killed_when_nobody_waits_for_it_any_more(workers, tmp_path):
    running = workers.run(tell_and_hang, str(tmp_path / "pid"), context=CallContext(), tick_s=0.0)
    wait_until(lambda: next(running) is None and (tmp_path / "pid").exists())
    running.close()
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_whoever_waits_for_a_process_can_leave(workers, tmp_path):
    busy = workers.run(tell_and_hang, str(tmp_path / "pid"), context=CallContext(), tick_s=0.0)
    next(busy)
    left = CallContext()
    left.stop.set()
    with pytest.raises(Cancelled):
        result(workers, square, 2, context=left)
    busy.close()
    assert result(workers, square, 2) == 4


def test_closing_ends_what_runs(workers, tmp_path):
    error, pid = ended(workers, tmp_path, CallContext(), workers.close)
    assert isinstance(error, InternalError)
    assert is_gone(pid)
    with pytest.raises(InternalError, match="closed"):
        result(workers, square, 1)


def test_a_process_without_work_ends_by_itself_and_another_takes_its_place():
    impatient = KillableWorkers(1, idle_s=0.2)
    first = result(impatient, own_pid)
    wait_until(lambda: is_gone(first))
    assert result(impatient, own_pid) != first
    impatient.close()
