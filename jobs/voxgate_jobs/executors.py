"""Executors: where batches of blocks run. Dask distributed is the only one, within this process or on a cluster.

An executor is no record: what it forgets is submitted again by who reads the ledger. Losing a worker, or the scheduler
with all that it knew, fails futures; it never loses a job.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from voxgate.model.errors import ConfigInvalid, Unavailable
from voxgate_jobs.batches import Batch, BatchOutcome, Workshop
from voxgate_jobs.work import OpenWork

if TYPE_CHECKING:
    from voxgate_jobs.clusters import Connection

_LOG = logging.getLogger(__name__)
_SLOTS_S = 2.0
"""How old the known number of threads may be: workers come and go."""
_RECONNECT_S = 1.0
"""A scheduler that did not answer is not asked again before."""
OPENER = "voxgate_jobs.worker:configured_opener"


class BatchLost(Exception):
    """Nothing is known of what a batch did; run it again.

    Attributes:
        suspect: whether workers died while they ran it, so that it may be what kills them.
    """

    def __init__(self, why: str, *, suspect: bool) -> None:
        super().__init__(why)
        self.suspect = suspect


class Executor(Protocol):
    """Runs batches. Thread-safe."""

    def slots(self) -> int:
        """How many batches run at once, now; at least 1.

        Raises:
            Unavailable: when there is nothing to run them on at present.
        """
        ...

    def submit(self, batch: Batch) -> Future[BatchOutcome]:
        """Run a batch. The future is never cancelled by the executor; it fails with BatchLost.

        Raises:
            Unavailable: when there is nothing to run it on at present.
        """
        ...

    def stop(self, run: str, *, writing: bool = False) -> None:
        """Let a run's batches end soon: after the block that is being written; with `writing` not even then.

        Returns at once. Batches that have not begun answer without results.
        """
        ...

    def forget(self, run: str) -> None:
        """Let go of what was opened for a run that has ended. Returns at once."""
        ...

    def close(self) -> None:
        """End everything; futures that are not done fail with BatchLost."""
        ...


@dataclass(frozen=True, slots=True)
class SchedulerAddress:
    """A Dask scheduler.

    Attributes:
        url: "tls://host:port" or "tcp://host:port". Whoever reaches a scheduler runs code on its workers: `tcp://` is
            for this machine and for networks that are closed.
        ca_file: PEM file of the authorities that are believed, for `tls://`.
        cert_file: PEM file of our certificate.
        key_file: PEM file of its key.
    """

    url: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __post_init__(self) -> None:
        """Check what can be checked without asking it.

        Raises:
            ConfigInvalid: for another scheme, or TLS without its three files.
        """
        if not self.url.startswith(("tcp://", "tls://")):
            raise ConfigInvalid('"scheduler" is no address of a Dask scheduler', 'write "tls://HOST:PORT"')
        if self.is_encrypted and not (self.ca_file and self.cert_file and self.key_file):
            raise ConfigInvalid(
                "a scheduler at tls:// needs certificates",
                "state scheduler_tls_ca, scheduler_tls_cert, scheduler_tls_key",
            )

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.url.startswith("tls://")


class DaskExecutor:
    """Batches as Dask tasks. Connects, and imports Dask, when first needed; again whenever the connection was lost.

    Args:
        connect: makes a connection; raises Unavailable.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False
        self._not_before = 0.0
        self._slots: tuple[float, int] = (0.0, 1)
        self._lock = threading.Lock()
        self._futures: dict[Future[BatchOutcome], tuple[str, Any]] = {}
        # Telling a worker that is gone takes until a timeout; nobody waits for that.
        self._control = ThreadPoolExecutor(1, thread_name_prefix="voxgate-executor")

    @classmethod
    def embedded(cls, open_work: OpenWork, threads: int) -> DaskExecutor:
        """Threads of this process, over the stores that it has open."""

        def connect() -> Connection:
            from voxgate_jobs import clusters  # noqa: PLC0415  (Dask takes half a second; few servers run jobs)

            return clusters.embedded(Workshop(open_work), threads)

        return cls(connect)

    @classmethod
    def remote(cls, address: SchedulerAddress, *, opener: str = OPENER) -> DaskExecutor:
        """The workers of a scheduler elsewhere; see `voxgate_jobs.worker` for what they need."""

        def connect() -> Connection:
            from voxgate_jobs import clusters  # noqa: PLC0415  (as above)

            return clusters.remote(address, opener)

        return cls(connect)

    def slots(self) -> int:
        """See Executor. A cluster without workers counts as one slot: batches wait for the first worker to come."""
        connection = self._connected()
        asked, count = self._slots
        if time.monotonic() - asked > _SLOTS_S:
            with self._lost_is_unavailable(connection):
                count = max(1, connection.slots())
            self._slots = (time.monotonic(), count)
        return count

    def submit(self, batch: Batch) -> Future[BatchOutcome]:
        """See Executor."""
        from voxgate_jobs.worker import run_batch  # noqa: PLC0415  (as above; imported by now)

        connection = self._connected()
        future: Future[BatchOutcome] = Future()
        key = f"{batch.run}-{batch.blocks[0]}-{uuid.uuid4().hex}"
        with self._lost_is_unavailable(connection):
            task = connection.client.submit(run_batch, batch, key=key, pure=False)
            with self._lock:
                self._futures[future] = (batch.run, task)
            task.add_done_callback(functools.partial(self._ended, future))
        return future

    def stop(self, run: str, *, writing: bool = False) -> None:
        """See Executor."""
        self._tell(lambda connection: connection.stop(run, writing))

    def forget(self, run: str) -> None:
        """See Executor. What the cluster still has of the run is cancelled, should anything be left."""
        with self._lock:
            left = [future for future, (owner, _) in self._futures.items() if owner == run]
        for future in left:
            self._settle(future, BatchLost("the run has ended", suspect=False), release=True)
        self._tell(lambda connection: connection.forget(run))

    def close(self) -> None:
        """See Executor."""
        with self._connecting:
            self._closed = True
            connection, self._connection = self._connection, None
        with self._lock:
            left = list(self._futures)
        for future in left:
            self._settle(future, BatchLost("the executor was closed", suspect=False))
        self._control.shutdown(wait=True, cancel_futures=True)
        if connection is not None:
            _quietly(connection.close)

    def _connected(self) -> Connection:
        with self._connecting:
            if self._closed:
                raise Unavailable("the executor is closed", "try again on another server")
            if self._connection is not None and not self._connection.is_alive:
                self._drop()
            if self._connection is None:
                if time.monotonic() < self._not_before:
                    raise Unavailable("the scheduler of the workers does not answer", "try again later")
                try:
                    self._connection = self._connect()
                except Unavailable:
                    self._not_before = time.monotonic() + _RECONNECT_S
                    raise
                self._slots = (0.0, 1)
            return self._connection

    def _drop(self) -> None:
        """Let go of a connection that was lost; what ran over it is lost, too."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _LOG.warning("the connection to the scheduler was lost; connecting again")
            threading.Thread(target=_quietly, args=(connection.close,), name="voxgate-close", daemon=True).start()
        with self._lock:
            left = list(self._futures)
        for future in left:
            self._settle(future, BatchLost("the scheduler was lost", suspect=False))

    @contextlib.contextmanager
    def _lost_is_unavailable(self, connection: Connection) -> Any:
        try:
            yield
        except Exception as error:
            _LOG.info("the scheduler is gone: %s", type(error).__name__)
            with self._connecting:
                if self._connection is connection and not connection.is_alive:
                    self._drop()
            raise Unavailable("the scheduler of the workers does not answer", "try again later") from error

    def _tell(self, message: Callable[[Connection], None]) -> None:
        connection = self._connection
        if connection is not None and not self._closed:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._control.submit(_quietly, functools.partial(message, connection))

    def _ended(self, future: Future[BatchOutcome], task: Any) -> None:
        """Called by Dask on a thread of its own when a task is done, failed, or was lost."""
        outcome: BatchOutcome | BatchLost
        try:
            outcome = task.result(timeout=30)
        except CancelledError:
            outcome = BatchLost("the scheduler was lost", suspect=False)
        except Exception as error:  # noqa: BLE001  (Dask's own, or a worker that cannot run our task)
            suspect = type(error).__name__ == "KilledWorker"
            _LOG.warning("a batch was lost: %s", error, exc_info=None if suspect else error)
            outcome = BatchLost("the workers died" if suspect else "a worker failed", suspect=True)
        self._settle(future, outcome)

    def _settle(
        self, future: Future[BatchOutcome], outcome: BatchOutcome | BatchLost, *, release: bool = False
    ) -> None:
        with self._lock:
            _, task = self._futures.pop(future, ("", None))
        if release and task is not None:
            _quietly(functools.partial(task.cancel, reason="the run has ended"))
        with contextlib.suppress(InvalidStateError):  # settled by another thread
            if isinstance(outcome, BatchLost):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _quietly(action: Callable[[], object]) -> None:
    """Do what is only tidying: a cluster that is gone needs none."""
    try:
        action()
    except Exception as error:  # noqa: BLE001  (whatever it was, nobody waits for it)
        _LOG.info("the cluster did not hear: %s", type(error).__name__)
