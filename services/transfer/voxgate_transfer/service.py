"""The Transfer and Job services, ready for any server."""

from __future__ import annotations

import functools

from voxgate.model.jobs import JobSpec, TransferSpec
from voxgate.v1 import job_pb2_grpc, transfer_pb2_grpc
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.executors import DaskExecutor, SchedulerAddress
from voxgate_jobs.runs import Tools
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.tuning import EngineSettings
from voxgate_jobs.work import OpenWork, Patience, Work
from voxgate_remotes.registry import Registry
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import ServerSettings
from voxgate_transfer.coarsening import open_pyramid
from voxgate_transfer.job_servicer import JobServicer
from voxgate_transfer.placing import IN_MEMORY
from voxgate_transfer.pyramids import Pyramids
from voxgate_transfer.servicers import TransferServicer
from voxgate_transfer.transfers import Transfers, open_transfer

TRANSFER = "voxgate.v1.TransferService"
JOB = "voxgate.v1.JobService"


def registrations(registry: Registry, settings: ServerSettings) -> list[ServiceRegistration]:
    """The services, with the records and the engine that they share.

    Without a `jobs_url`, jobs live in memory. A server that serves reads only runs no jobs: its remotes take no writes,
    and others who share the records can run them. The engine lets its jobs go when the server starts to stop; who
    watches them is told to come back.
    """
    store = SqlJobStore(settings.jobs_url or IN_MEMORY)
    opener = functools.partial(open_job, registry)
    tools = Tools(store, store.ledger, executor_of(settings, opener), opener, EngineSettings())
    engine = Coordinator(tools, takes_up=settings.writes_enabled)
    transfers, pyramids = Transfers(registry, store, engine), Pyramids(registry, store, engine)
    transfer = TransferServicer(transfers, pyramids, writes_enabled=settings.writes_enabled)
    watchers = max(1, settings.workers // 2)
    job = JobServicer(
        store, store.ledger, engine, boxes=lambda spec: opener(spec, Patience()).box_of, watcher_count=watchers
    )

    def drain() -> None:
        engine.close(grace_s=settings.grace_s)
        job.close()

    return [
        ServiceRegistration(
            TRANSFER, lambda server: transfer_pb2_grpc.add_TransferServiceServicer_to_server(transfer, server)
        ),
        ServiceRegistration(
            JOB,
            lambda server: job_pb2_grpc.add_JobServiceServicer_to_server(job, server),
            drain=drain,
            close=store.close,
        ),
    ]


def open_job(registry: Registry, spec: JobSpec, patience: Patience) -> Work:
    """Open the work of any job that this service creates; see `voxgate_jobs.work.OpenWork`."""
    if isinstance(spec, TransferSpec):
        return open_transfer(registry, spec, patience)
    return open_pyramid(registry, spec, patience)


def executor_of(settings: ServerSettings, opener: OpenWork) -> DaskExecutor:
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
