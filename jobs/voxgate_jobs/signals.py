"""When a run ends before its work does, and how it waits for stores and for the database until then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from voxgate.model.errors import ServerBusy, Unavailable
from voxgate_jobs.tuning import RetryPolicy
from voxgate_jobs.work import Patience

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


class Abandoned(Exception):
    """A run ends without another word to its record: whoever takes the job up next goes on."""


class Signals:
    """What others want of a run. Thread-safe.

    Args:
        name: the job's, for the log.
        retry: how stores are asked again.
    """

    def __init__(self, name: str, retry: RetryPolicy) -> None:
        self.patience = Patience()
        self._name = name
        self._retry = retry
        self._lost = threading.Event()
        self._closing = threading.Event()

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be begun: the owner asked, or the coordinator closes."""
        return self.patience.reading.stop.is_set()

    @property
    def lost(self) -> bool:
        """Whether the job is somebody else's by now, or waiting for blocks has taken too long."""
        return self._lost.is_set()

    def stop(self) -> None:
        """Begin nothing more."""
        self.patience.reading.stop.set()

    def close(self) -> None:
        """Begin nothing more, and do not wait for a database that is away either."""
        self._closing.set()
        self.stop()

    def abandon(self) -> None:
        """End now."""
        self._lost.set()
        self.patience.end()

    def patiently(self, action: Callable[[], T]) -> T:
        """Ask stores for something as often as blocks are tried.

        Raises:
            Cancelled: when nothing more is to be begun.
        """
        attempts = 0
        while True:
            self.patience.reading.check()
            try:
                return action()
            except (Unavailable, ServerBusy) as error:
                attempts += 1
                if attempts >= self._retry.attempts:
                    raise
                _LOG.info("%s tries again: %s", self._name, error)
                self.patience.reading.stop.wait(self._retry.delay_s(attempts, error.retry_after_s or 0.0))

    def insist(self, action: Callable[[], T]) -> T:
        """Ask the database until it answers: there is no going on without it, and no giving up a job for it.

        Raises:
            Abandoned: when the run has to end meanwhile.
        """
        while True:
            try:
                return action()
            except Unavailable as error:
                if self._lost.is_set() or self._closing.is_set():
                    raise Abandoned from error
                _LOG.warning("%s waits: %s", self._name, error)
                self._closing.wait(self._retry.first_delay_s)
