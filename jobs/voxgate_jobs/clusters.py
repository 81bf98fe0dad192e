"""Connections to Dask: a cluster of threads within this process, or a scheduler elsewhere. Imports Dask: takes a while.

Nothing here listens on a network: the embedded cluster speaks within the process and has no dashboard.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dask
from distributed import Client, Scheduler, Security, SpecCluster, Worker
from distributed.comm.core import CommClosedError, FatalCommClosedError

from voxgate.model.errors import ConfigInvalid, Unavailable, VoxgateError
from voxgate_jobs.batches import Workshop
from voxgate_jobs.executors import SchedulerAddress
from voxgate_jobs.worker import WorkshopPlugin, forget_run, stop_run

_LOG = logging.getLogger(__name__)
_CONNECT_S = 5.0
_EMBEDDED: Mapping[str, object] = MappingProxyType(
    {
        # What Dask remembers of tasks for its own debugging, 100,000 lines of it, and its profiler.
        "distributed.admin.low-level-log-length": 100,
        "distributed.worker.profile.enabled": False,
    }
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of a scheduler.

    Attributes:
        client: the client.
        stop: lets a run's batches end soon, (run, writing); may take as long as the slowest worker takes to answer.
        forget: lets go of a run.
        close: ends the client, and the cluster where it is our own.
    """

    client: Client
    stop: Callable[[str, bool], None]
    forget: Callable[[str], None]
    close: Callable[[], None]

    @property
    def is_alive(self) -> bool:
        """Whether tasks can be submitted."""
        return bool(self.client.status == "running")

    def slots(self) -> int:
        """Threads of all workers that there are now."""
        return sum(self.client.nthreads().values())


class _SilentScheduler(Scheduler):
    """A scheduler without an HTTP server: Dask's listens on every interface, dashboard or not."""

    def start_http_server(
        self, routes: Any, dashboard_address: Any, default_port: int = 0, ssl_options: Any = None
    ) -> None:
        """Start none."""


class _SilentWorker(Worker):
    """The same of a worker."""

    def start_http_server(
        self, routes: Any, dashboard_address: Any, default_port: int = 0, ssl_options: Any = None
    ) -> None:
        """Start none."""


def embedded(workshop: Workshop, threads: int) -> Connection:
    """A scheduler and one worker with `threads` threads, all within this process."""
    _quiet()
    resources = contextlib.ExitStack()
    # Its default is a folder that all users share; nothing is ever spilled into it.
    folder = tempfile.mkdtemp(prefix="voxgate-dask-")
    resources.callback(_tidy, Path(folder))
    speaking = {"protocol": "inproc://", "dashboard": False}
    worker = {
        **speaking,
        "nthreads": threads,
        "local_directory": folder,
        "memory_limit": 0,  # this process holds more than blocks; Dask must not pause for what is none of its
        "plugins": (WorkshopPlugin(workshop=workshop),),
    }
    with dask.config.set({**_EMBEDDED, "temporary-directory": folder}):
        cluster = SpecCluster(
            scheduler={"cls": _SilentScheduler, "options": speaking},
            workers={0: {"cls": _SilentWorker, "options": worker}},
            silence_logs=logging.ERROR,
        )
    resources.callback(cluster.close, timeout=2)
    client = Client(cluster, set_as_default=False)
    resources.callback(client.close, timeout=2)
    return Connection(
        client=client,
        stop=lambda run, writing: workshop.stop(run, writing=writing),
        forget=workshop.forget,
        close=resources.close,
    )


def remote(address: SchedulerAddress, opener: str) -> Connection:
    """A scheduler elsewhere; its workers, also those that join later, get the plug-in.

    Args:
        address: where it is.
        opener: see `WorkshopPlugin`.

    Raises:
        Unavailable: when it does not answer, or ends the connection: it does that, too, where it believes us nothing.
        ConfigInvalid: for files of TLS that cannot be read, and where one side refuses the other's certificate.
    """
    _quiet()
    try:
        client = Client(
            address.url,
            security=_security(address),
            set_as_default=False,
            timeout=_CONNECT_S,
        )
    except (OSError, TimeoutError) as error:
        _LOG.warning("the scheduler does not answer: %s", error)
        raise _unreachable(error, is_encrypted=address.is_encrypted) from error
    try:
        client.register_plugin(WorkshopPlugin(opener))
    except BaseException:
        client.close(timeout=1)
        raise

    def stop(run: str, writing: bool) -> None:
        client.run(stop_run, run, writing=writing, on_error="ignore")

    def forget(run: str) -> None:
        client.run(forget_run, run, on_error="ignore")

    return Connection(client, stop, forget, lambda: client.close(timeout=2))


def _unreachable(error: BaseException, *, is_encrypted: bool) -> VoxgateError:
    """Why there is no connection, as far as it can be told.

    In TLS 1.3 a client has said all of its part before its certificate is looked at: where it is not believed it may
    hear so, or see no more than a connection that is closed, as it also is by a scheduler that ends.
    """
    if isinstance(error, FatalCommClosedError):  # one side refused the other's certificate
        return ConfigInvalid(
            "the scheduler of the workers and this server do not believe each other's certificates",
            "have the same authority sign both, and state it as scheduler_tls_ca",
        )
    if is_encrypted and isinstance(error, CommClosedError):
        return Unavailable(
            "the scheduler of the workers closes the connection while TLS is agreed on",
            "try again later; if it stays so, look whether it believes the certificate in scheduler_tls_cert",
        )
    return Unavailable("the scheduler of the workers does not answer", "try again later")


def _tidy(folder: Path) -> None:
    """Remove the folder, unless a worker that hangs is still in it: Dask would complain, at the end of the process."""
    if not any((folder / "dask-scratch-space").glob("*worker-*/")):
        shutil.rmtree(folder, ignore_errors=True)


def _quiet() -> None:
    """Dask tells every step of its life as news; what matters of it is logged here."""
    logging.getLogger("distributed").setLevel(logging.ERROR)


def _security(address: SchedulerAddress) -> Security | None:
    if not address.is_encrypted:
        return None
    try:
        return Security(
            tls_ca_file=address.ca_file,
            tls_client_cert=address.cert_file,
            tls_client_key=address.key_file,
            require_encryption=True,
        )
    except (OSError, ValueError, TypeError) as error:
        raise ConfigInvalid("the TLS files of the scheduler cannot be used", "correct scheduler_tls_*") from error
