"""Looking into files in a process of its own: what happens there stays there, and is told."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from voxgate.model.errors import Cancelled, InternalError, StoreBusy, StoreUnavailable
from voxgate_remotes.probing import ProbeFailed, Prober


@pytest.fixture(scope="module")
def prober():
    return Prober("support.probed")


def ask(prober, does, identity=None, seconds=60.0, **more):
    return prober.ask({"does": does, **more}, identity, seconds=seconds)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def test_one_process_answers_one_request_after_another(prober):
    first, second = ask(prober, "nothing", size=1), ask(prober, "nothing", size=2)
    assert first.said["pid"] == second.said["pid"] != os.getpid()
    assert second.said["asked"] == first.said["asked"] + 1
    assert second.data == b"{'does': 'nothing', 'size': 2}"


def test_a_process_that_crashes_is_told_and_the_next_request_is_answered(prober):
    with pytest.raises(ProbeFailed, match=r"crashed \(signal 11\)"):
        ask(prober, "crash")
    assert ask(prober, "nothing").said["asked"] == 1


def test_a_process_that_does_not_come_to_an_end_is_ended(prober):
    pid = ask(prober, "nothing").said["pid"]
    with pytest.raises(ProbeFailed, match=r"did not come to an end in 0.2 s"):
        ask(prober, "hang", seconds=0.2)
    assert not is_running(pid)
    assert ask(prober, "nothing").said["pid"] != pid


def test_a_crash_that_an_earlier_file_prepared_is_not_blamed_on_the_next(prober):
    ask(prober, "nothing")
    assert ask(prober, "crash unless first").said["asked"] == 1


def test_a_process_that_left_is_replaced(prober):
    with pytest.raises(ProbeFailed):
        ask(prober, "leave")
    assert ask(prober, "nothing").said["asked"] == 1


def test_errors_arrive_as_they_were_raised_and_faults_by_their_kind_alone(prober):
    with pytest.raises(StoreBusy) as caught:
        ask(prober, "refuse")
    assert (caught.value.message, caught.value.remedy) == ("somebody writes", "wait")
    assert (caught.value.details, caught.value.retry_after_s) == ({"who": "somebody"}, 2.5)
    with pytest.raises(InternalError) as fault:
        ask(prober, "fail")
    assert "LookupError" in str(fault.value)
    assert "private" not in str(fault.value)


def test_what_a_library_prints_is_no_answer(prober):
    assert ask(prober, "print").said["asked"] > 0


def test_it_has_only_so_much_memory_and_writes_nothing(prober, tmp_path):
    with pytest.raises(ProbeFailed):
        ask(prober, "take memory")
    with pytest.raises((InternalError, ProbeFailed)):
        ask(prober, "write", file=str(tmp_path / "a"))
    assert not (tmp_path / "a").exists() or (tmp_path / "a").stat().st_size == 0
    assert ask(prober, "nothing").said["asked"] > 0


def test_it_inherits_no_secrets(monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "VOXGATE_TOKEN", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "hidden")
    assert "hidden" not in ask(Prober("support.probed"), "nothing").said["environment"].values()


def test_those_who_ask_the_same_at_once_share_one_answer(prober, tmp_path):
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ask, prober, "wait", ("file", 1), until=str(gate)) for _ in range(8)]
        while not prober._state.calls:
            time.sleep(0.01)
        gate.touch()
        answers = [call.result(60) for call in calls]
    assert len({(each.said["pid"], each.said["asked"]) for each in answers}) == 1


def test_answers_are_remembered_for_one_state_of_a_file_alone(prober):
    first = ask(prober, "nothing", ("file", 2))
    assert ask(prober, "nothing", ("file", 2)) is first
    assert ask(prober, "nothing", ("file", 3)).said["asked"] > first.said["asked"]
    assert ask(prober, "nothing").said != ask(prober, "nothing").said, "of what has no state nothing is"


def test_what_is_remembered_is_bounded(prober, monkeypatch):
    monkeypatch.setattr("voxgate_remotes.probing._REMEMBERED_BYTES", 3 * 5000)
    first = ask(prober, "nothing", ("many", 0))
    for number in range(1, 9):
        ask(prober, "nothing", ("many", number))
    assert prober._state.known_bytes <= 3 * 5000
    assert ask(prober, "nothing", ("many", 0)).said["asked"] > first.said["asked"]


def test_a_failure_is_remembered_but_not_for_ever(prober, monkeypatch):
    with pytest.raises(ProbeFailed):
        ask(prober, "crash", ("file", 4))
    before = ask(prober, "nothing").said
    with pytest.raises(ProbeFailed, match="signal 11"):
        ask(prober, "crash", ("file", 4))
    assert ask(prober, "nothing").said["pid"] == before["pid"], "it was not tried again"
    monkeypatch.setattr("voxgate_remotes.probing._FAILURE_S", 0.0)
    for _ in range(2):
        with pytest.raises(ProbeFailed):
            ask(prober, "crash", ("file", 5))
        assert ask(prober, "nothing").said["asked"] == 1, "it was tried again"


def test_who_goes_away_does_not_wait(prober, tmp_path):
    def check():
        raise Cancelled("gone")

    with pytest.raises(Cancelled):
        prober.ask({"does": "wait", "until": str(tmp_path / "gate")}, None, seconds=60, check=check)
    (tmp_path / "gate").touch()


def test_several_files_are_looked_into_at_once(prober, tmp_path):
    waiting = threading.Thread(target=ask, args=(prober, "wait"), kwargs={"until": str(tmp_path / "gate")})
    waiting.start()
    assert ask(prober, "nothing").said["asked"] > 0
    (tmp_path / "gate").touch()
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_module_that_cannot_be_started_is_no_fault_of_a_file():
    with pytest.raises(StoreUnavailable, match="cannot be started"):
        ask(Prober("support.no_such_module"), "nothing")


ENDS = [
    "os._exit(0)",
    "os.kill(os.getpid(), 9)",
    "sys.exit(0)",
    "forked()",
    "hang(); os.kill(os.getpid(), 9)",
    "hang()",
]


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_with_the_process_that_asked(end):
    code = f"""
import os, sys, threading
from voxgate_remotes import probe_processes
from voxgate_remotes.probing import Prober
prober = Prober("support.probed")
pid = prober.ask({{"does": "nothing"}}, None, seconds=60).said["pid"]
print(pid, flush=True)
def hang():
    probe_processes._GRACE_S = 0
    request = {{"does": "hang", "then": "nothing"}}
    threading.Thread(target=prober.ask, args=(request, None), kwargs={{"seconds": 1.0}}, daemon=True).start()
    while not prober._state.busy:
        pass
def forked():
    child = os.fork()
    other = prober.ask({{"does": "nothing"}}, None, seconds=60).said["pid"]
    if child == 0:
        sys.exit(0 if other != pid else 1)
    assert other == pid and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert prober.ask({{"does": "nothing"}}, None, seconds=60).said["pid"] == pid
{end}
"""
    path = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env={**os.environ, "PYTHONPATH": path})
    assert b"Traceback" not in done.stderr, done.stderr
    pid = int(done.stdout.split()[0])
    until = time.monotonic() + 60
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(pid)
