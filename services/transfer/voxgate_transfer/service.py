"""The Transfer and Job services, ready for any server."""

from __future__ import annotations

import functools
import os

from voxgate.v1 import job_pb2_grpc, transfer_pb2_grpc
from voxgate_jobs.engine import EngineSettings, ThreadEngine
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_remotes.registry import Registry
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import ServerSettings
from voxgate_transfer.servicers import JobServicer, TransferServicer
from voxgate_transfer.transfers import Transfers, open_transfer

TRANSFER = "voxgate.v1.TransferService"
JOB = "voxgate.v1.JobService"


def registrations(registry: Registry, settings: ServerSettings) -> list[ServiceRegistration]:
    """The services, with the records and the engine that they share.

    The engine is drained with the Job service: jobs end before the server does, so those who watch them learn it.
    """
    jobs = SqlJobStore("sqlite://")
    workers = EngineSettings(worker_count=max(2, min(4, os.cpu_count() or 1)))
    engine = ThreadEngine(jobs, functools.partial(open_transfer, registry), workers)
    transfer = TransferServicer(Transfers(registry, jobs, engine), writes_enabled=settings.writes_enabled)
    job = JobServicer(jobs, engine, watcher_count=max(1, settings.workers // 2))
    return [
        ServiceRegistration(
            TRANSFER, lambda server: transfer_pb2_grpc.add_TransferServiceServicer_to_server(transfer, server)
        ),
        ServiceRegistration(
            JOB,
            lambda server: job_pb2_grpc.add_JobServiceServicer_to_server(job, server),
            drain=functools.partial(engine.close, grace_s=settings.grace_s),
        ),
    ]
