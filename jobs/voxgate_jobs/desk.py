"""What the services of one process share of jobs: the records, what opens work, and what runs it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from voxgate_jobs.addresses import with_password
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.executors import DaskExecutor, SchedulerAddress
from voxgate_jobs.kinds import Opener
from voxgate_jobs.runs import Tools
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.tuning import EngineSettings
from voxgate_jobs.work import Engine, OpenWork
from voxgate_remotes.registry import Registry

IN_MEMORY = "sqlite://"
"""The address of records that end with the process."""


class DeskSettings(Protocol):
    """What a server's operator says of jobs; see `voxgate_serving.settings.ServerSettings`."""

    @property
    def jobs_url(self) -> str:
        """Where the records are."""
        ...

    @property
    def jobs_password_file(self) -> str:
        """File that has the password of `jobs_url`; empty for none."""
        ...

    @property
    def job_threads(self) -> int:
        """Blocks that run at once in this process."""
        ...

    @property
    def scheduler(self) -> str:
        """Address of a Dask scheduler; empty runs jobs here."""
        ...

    @property
    def scheduler_tls_ca(self) -> str:
        """See SchedulerAddress."""
        ...

    @property
    def scheduler_tls_cert(self) -> str:
        """See SchedulerAddress."""
        ...

    @property
    def scheduler_tls_key(self) -> str:
        """See SchedulerAddress."""
        ...

    @property
    def writes_enabled(self) -> bool:
        """Whether this server takes writes."""
        ...

    @property
    def grace_s(self) -> float:
        """Seconds that a server which stops waits for what is under way."""
        ...


@dataclass(frozen=True, slots=True)
class JobDesk:
    """Records of jobs and what runs them. One service of the process calls `drain` and `close`.

    Attributes:
        store: the records; its `ledger` is what is done of each.
        engine: what runs them.
        open_work: opens the work of any kind that is installed here.
        grace_s: seconds that `drain` waits for blocks that are being written.
    """

    store: SqlJobStore
    engine: Engine
    open_work: OpenWork
    grace_s: float = 10.0

    def drain(self) -> None:
        """Let the jobs go: who shares the records goes on with them, or a restart."""
        self.engine.close(grace_s=self.grace_s)

    def close(self) -> None:
        """Close the records; nothing is asked of them afterwards."""
        self.store.close()


def open_desk(registry: Registry, settings: DeskSettings, kinds: Collection[str] | None = None) -> JobDesk:
    """Open the records, and run the jobs in them whose kind is installed here.

    Without a `jobs_url`, jobs live in memory. A server that serves reads only runs no jobs: its remotes take no writes,
    and others who share the records can run them.

    Args:
        registry: where volumes are.
        settings: of the server.
        kinds: names of the only kinds to run, see `voxgate_jobs.documents.KINDS`; None means all that are installed.

    Raises:
        ConfigInvalid: for an address that is none, a password that cannot be read, or TLS without its files; for
            records of a newer release.
        Unavailable: when the database does not answer.
    """
    address = with_password(settings.jobs_url or IN_MEMORY, settings.jobs_password_file)
    opener = Opener(registry, kinds)
    executor = executor_of(settings, opener)
    store = SqlJobStore(address)
    tools = Tools(store, store.ledger, executor, opener, EngineSettings(), opener.kinds)
    return JobDesk(store, Coordinator(tools, takes_up=settings.writes_enabled), opener, settings.grace_s)


def executor_of(settings: DeskSettings, opener: OpenWork) -> DaskExecutor:
    """Threads of this process, or the workers of the scheduler that is stated.

    Raises:
        ConfigInvalid: for an address that is none, or TLS without its files.
    """
    if not settings.scheduler:
        return DaskExecutor.embedded(opener, settings.job_threads)
    return DaskExecutor.remote(
        SchedulerAddress(
            settings.scheduler, settings.scheduler_tls_ca, settings.scheduler_tls_cert, settings.scheduler_tls_key
        )
    )
