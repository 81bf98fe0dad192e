"""A gateway's process that dies: started again behind the same socket, and given up when that does not help."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import urllib3
from urllib3.util import Retry

from support.servers import health, settings
from support.standin_volumes import StandIn, image, served
from voxgate.client.connection import connect
from voxgate.model.errors import Unavailable
from voxgate_gateway.process import GatewayProcess, GatewayState, Restarts
from voxgate_remotes.config import RemotesConfig
from voxgate_standalone.suite import start_suite

CELL = "/ng/lab/em/-/raw/8_8_33/-7-9_1000-1020_21-29"
UNREFUSED = Retry(total=None, connect=0, read=100, status=0, other=0, redirect=0, backoff_factor=0)
"""A connection that breaks is made again; one that is refused is a failure at once."""


class Running:
    """A gateway's process, and what it said of itself."""

    def __init__(self, address: str, restarts: Restarts) -> None:
        self.states: list[GatewayState] = []
        self._changed = threading.Condition()
        self.gateway = GatewayProcess(address, port=0, restarts=restarts, on_state=self._told)

    def _told(self, state: GatewayState) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def wait_for(self, state: GatewayState, times: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.states.count(state) >= times, 120), self.states

    def kill(self) -> int:
        """Kill the child as the system does when memory is short; which it was."""
        pid = self.gateway.pid
        os.kill(pid, signal.SIGKILL)
        return pid


@contextlib.contextmanager
def running(restarts: Restarts, address: str = "127.0.0.1:1"):
    made = Running(address, restarts)
    made.gateway.start()
    try:
        yield made
    finally:
        made.gateway.stop(1)


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def is_there(pid: int) -> bool:
    """Whether there is such a process, dead and not waited for included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_whoever_reads_while_the_gateway_is_killed_again_and_again_gets_exact_bytes_and_is_never_refused():
    info, arrays = image()
    expected = arrays[0][:, :8, :20, :16].tobytes()
    done = threading.Event()
    # More often than in a row: each served for long enough, as seconds go here.
    restarts = Restarts(pauses_s=(0.0,), settled_s=0.0)
    with served(StandIn({info.name: (info, arrays)})) as address, running(restarts, address) as one:

        def read() -> tuple[int, set[bytes]]:
            count, answers = 0, set()
            with urllib3.PoolManager(timeout=100, retries=UNREFUSED) as pool:
                while not done.is_set():
                    answer = pool.request("GET", one.gateway.url + CELL)
                    assert answer.status == 200
                    answers.add(answer.data)
                    count += 1
            return count, answers

        with ThreadPoolExecutor(4) as threads:
            readers = [threads.submit(read) for _ in range(4)]
            try:
                for number in range(3):
                    one.kill()
                    one.wait_for(GatewayState.SERVING, number + 2)
                assert urllib3.request("GET", one.gateway.url + CELL, timeout=100, retries=False).data == expected
            finally:
                done.set()
            for reader in readers:
                count, answers = reader.result(120)
                assert count > 0
                assert answers == {expected}


def test_who_connects_while_nobody_serves_waits_and_is_answered_by_the_next_one():
    with running(Restarts(pauses_s=(1.0,))) as one:
        one.kill()
        one.wait_for(GatewayState.RESTARTING)
        answer = urllib3.request("GET", f"{one.gateway.url}/healthz", timeout=100, retries=False)
        assert answer.status == 200
        one.wait_for(GatewayState.SERVING, 2)


def test_a_gateway_that_ends_at_once_again_and_again_is_given_up_with_a_reason_and_leaves_nothing(caplog):
    with running(Restarts(pauses_s=(0.0,))) as one:
        assert one.gateway.failure is None
        pids = [one.kill()]
        one.wait_for(GatewayState.SERVING, 2)
        pids.append(one.kill())
        one.wait_for(GatewayState.FAILED)
        assert isinstance(one.gateway.failure, Unavailable)
        assert is_refused(one.gateway.port)
        assert not any(map(is_there, pids))
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "starting it again" in line and '"code": -9' in line]) == 1
    assert len([line for line in said if "given up" in line]) == 1
    assert one.states[-1] is GatewayState.STOPPED


def test_one_that_is_waiting_to_be_started_again_is_stopped_at_once():
    with running(Restarts(pauses_s=(100_000.0,))) as one:
        pid = one.kill()
        one.wait_for(GatewayState.RESTARTING)
        one.gateway.stop(1)
        assert one.states[-1] is GatewayState.STOPPED
        assert is_refused(one.gateway.port)
        assert not is_there(pid)


def test_a_gateway_that_is_stopped_is_not_started_again():
    with running(Restarts(pauses_s=(0.0,))) as one:
        pid = one.gateway.pid
        one.gateway.stop(1)
        assert not is_there(pid)
        assert one.states == [GatewayState.SERVING, GatewayState.STOPPED]


def test_the_health_of_a_suite_has_that_of_a_gateway_in_the_same_process():
    suite = start_suite(RemotesConfig(remotes={}), settings())
    try:
        assert health(suite.server.health_port, "http") == "SERVING"
    finally:
        suite.stop(1.0)


def test_a_suite_whose_gateway_was_given_up_says_so_and_serves_on(monkeypatch):
    monkeypatch.setattr("voxgate_gateway.process.Restarts", lambda: Restarts(pauses_s=()))
    suite = start_suite(RemotesConfig(remotes={}), settings(), own_process=True)
    try:
        with connect(suite.server.address) as client:
            assert health(suite.server.health_port, "http") == "SERVING"
            assert client.server_info().http_url == suite.gateway.url
            os.kill(suite.gateway.pid, signal.SIGKILL)
            until = time.monotonic() + 100
            while health(suite.server.health_port, "http") == "SERVING" and time.monotonic() < until:
                time.sleep(0.05)
            assert health(suite.server.health_port, "http") == "NOT_SERVING"
            assert health(suite.server.health_port, "ready") == "SERVING"
            assert client.server_info().http_url == ""
    finally:
        suite.stop(1.0)
