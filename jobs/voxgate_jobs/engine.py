"""The coordinator: takes jobs up, keeps its leases on them, and lets them go.

Any number of coordinators share a store, in any number of processes. A job that nobody runs is taken up by whoever
looks first: one that is new, and one whose coordinator died or was told to stop.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable

from voxgate.model.errors import ServerBusy, Unavailable, UnknownJob
from voxgate.model.jobs import Job, JobState
from voxgate_jobs import records
from voxgate_jobs.leases import LeaseLost
from voxgate_jobs.runs import Run, Tools

_LOG = logging.getLogger(__name__)
_RENEWALS = 5
"""How often a lease is renewed before it would end: a database may be away for most of that time."""


class Coordinator:
    """An Engine over a store that others may share.

    Args:
        tools: the store and its ledger, what opens work, and where it runs. The executor is closed with the engine.
        takes_up: whether it runs jobs; one that does not only records wishes, for those that do.
    """

    def __init__(self, tools: Tools, *, takes_up: bool = True) -> None:
        self._tools = tools
        self._store = tools.store
        self._settings = tools.settings
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[Run, threading.Thread]] = {}
        self._waiting: set[str] = set()
        self._closing = threading.Event()
        self._news = threading.Event()
        self._keepers: list[threading.Thread] = []
        if takes_up:
            self._keepers = [self._thread(self._take_up, "take-up"), self._thread(self._renew, "renew")]

    def check_room(self) -> None:
        """See Engine. Counts the jobs that were submitted here."""
        if self._closing.is_set():
            raise ServerBusy("the server is stopping", "try again later", retry_after_s=10.0)
        with self._lock:
            waiting = list(self._waiting)
        if len(waiting) >= self._settings.waiting_count:
            taken = {name for name in waiting if not self._is_pending(name)}
            with self._lock:
                self._waiting -= taken
                full = len(self._waiting) >= self._settings.waiting_count
            if full:
                raise ServerBusy(
                    "the server has as many jobs waiting as it takes", "try again later", retry_after_s=10.0
                )

    def submit(self, name: str) -> None:
        """See Engine."""
        with self._lock:
            self._waiting.add(name)
        self._news.set()

    def cancel(self, name: str, *, owner: str | None = None) -> Job:
        """See Engine. The record says so first: whoever runs the job reads it there."""
        self._store.get(name, owner=owner)
        job = self._store.update(name, records.asked_to_stop)
        with self._lock:
            running = self._runs.get(name)
            self._waiting.discard(name)
        if running is not None and job.state is JobState.CANCELLING:
            running[0].stop()
        self._news.set()
        return job

    def resume(self, name: str, *, owner: str | None = None) -> Job:
        """See Engine."""
        if self._store.get(name, owner=owner).state.is_terminal:
            self.check_room()
        job = self._store.update(name, records.resumed)
        if job.state is JobState.PENDING:
            self.submit(name)
        return job

    def close(self, *, grace_s: float = 10.0) -> None:
        """See Engine. Jobs stay RUNNING in their records, released: nobody asked them to stop."""
        self._closing.set()
        self._news.set()
        for keeper in self._keepers[:1]:  # no job is taken up from here on
            keeper.join(self._settings.lease_s)
        with self._lock:
            runs = list(self._runs.values())
        for run, _ in runs:
            run.close()
        until = time.monotonic() + grace_s
        for _, thread in runs:
            thread.join(max(0.0, until - time.monotonic()))
        for run, thread in runs:
            if thread.is_alive():
                run.abandon()
                self._let_go(run)
        for keeper in self._keepers:
            keeper.join(1.0)
        self._tools.executor.close()

    def _take_up(self) -> None:
        """The first keeper: runs jobs that nobody runs."""
        while not self._closing.is_set():
            self._news.clear()
            while not self._closing.is_set() and self._has_room() and self._quietly(self._claimed):
                pass
            self._news.wait(self._settings.poll_s)

    def _has_room(self) -> bool:
        with self._lock:
            return len(self._runs) < self._settings.running_count

    def _claimed(self) -> bool:
        """Take up one job; False when there is none."""
        claim = self._store.claim(self._holder, self._settings.lease_s, self._tools.kinds)
        if claim is None:
            return False
        run = Run(claim, self._tools)
        with self._lock:
            self._waiting.discard(run.name)
            # Our own run may have lost its lease while the database was away; the new one waits for nothing of it.
            before = self._runs.pop(run.name, None)
            self._runs[run.name] = (run, self._thread(lambda: self._go(run), run.name))
        if before is not None:
            before[0].abandon()
        return True

    def _go(self, run: Run) -> None:
        try:
            run.go()
        finally:
            with self._lock:
                if run.name in self._runs and self._runs[run.name][0] is run:
                    del self._runs[run.name]
            self._news.set()

    def _renew(self) -> None:
        """The second keeper: renews leases, until the last run has ended."""
        while not self._closing.wait(self._settings.lease_s / _RENEWALS) or self._is_busy():
            with self._lock:
                runs = [run for run, _ in self._runs.values()]
            for run in runs:
                self._quietly(lambda run=run: self._renewed(run))  # type: ignore[misc]  # a default binds it
            if self._closing.is_set():
                time.sleep(min(0.2, self._settings.lease_s / _RENEWALS))

    def _is_busy(self) -> bool:
        with self._lock:
            return any(thread.is_alive() for _, thread in self._runs.values())

    def _renewed(self, run: Run) -> bool:
        try:
            self._store.renew(run.lease, self._settings.lease_s)
        except LeaseLost:
            with self._lock:
                current = self._runs.get(run.name)
            if current is not None and current[0] is run and not self._has_ended(run.name):
                _LOG.warning("somebody else has taken up %s", run.name)
                run.abandon()
        return True

    def _has_ended(self, name: str) -> bool:
        """Whether the lease is gone because our own run ended the record a moment ago."""
        return self._store.get(name).state.is_terminal

    def _let_go(self, run: Run) -> None:
        self._quietly(lambda: bool(self._store.release(run.lease)))  # type: ignore[func-returns-value]

    def _is_pending(self, name: str) -> bool:
        try:
            return self._store.get(name).state is JobState.PENDING
        except UnknownJob:
            return False

    def _quietly(self, action: Callable[[], bool]) -> bool:
        """Do what is done again soon; a database that is away must not end a keeper."""
        try:
            return action()
        except Unavailable as error:
            _LOG.warning("the coordinator waits: %s", error)
        except UnknownJob:
            pass  # forgotten meanwhile
        except Exception:  # noqa: BLE001  (the top of a thread that has to live on)
            _LOG.exception("the coordinator goes on after a fault")
        return False

    @staticmethod
    def _thread(target: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"voxgate-{name}", daemon=True)
        thread.start()
        return thread
