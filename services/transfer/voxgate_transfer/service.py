"""The Transfer and Job services, ready for any server."""

from __future__ import annotations

from voxgate.v1 import job_pb2_grpc, transfer_pb2_grpc
from voxgate_jobs.desk import JobDesk, open_desk
from voxgate_jobs.work import Patience
from voxgate_remotes.registry import Registry
from voxgate_serving.cache_metrics import cache_metrics
from voxgate_serving.job_metrics import JobNumbers
from voxgate_serving.remote_metrics import remote_metrics
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import ServerSettings
from voxgate_transfer.job_servicer import JobServicer
from voxgate_transfer.pyramids import Pyramids
from voxgate_transfer.servicers import TransferServicer
from voxgate_transfer.transfers import Transfers

TRANSFER = "voxgate.v1.TransferService"
JOB = "voxgate.v1.JobService"


def registrations(
    registry: Registry, settings: ServerSettings, desk: JobDesk | None = None
) -> list[ServiceRegistration]:
    """The services, with the records and the engine that they share.

    The engine lets its jobs go when the server starts to stop; who watches them is told to come back.

    Args:
        registry: the volumes.
        settings: of the server.
        desk: records and engine, where other services of this process share them; they end with these services.
    """
    desk = desk or open_desk(registry, settings)
    store, engine, opener = desk.store, desk.engine, desk.open_work
    transfers, pyramids = Transfers(registry, store, engine), Pyramids(registry, store, engine)
    transfer = TransferServicer(transfers, pyramids, writes_enabled=settings.writes_enabled)
    watchers = max(1, settings.workers // 2)
    job = JobServicer(
        store,
        store.ledger,
        engine,
        boxes=lambda spec: opener(spec, Patience()).box_of,
        watcher_count=watchers,
        is_admin=registry.is_admin,
    )

    def drain() -> None:
        desk.drain()
        job.close()

    return [
        ServiceRegistration(
            TRANSFER,
            lambda server: transfer_pb2_grpc.add_TransferServiceServicer_to_server(transfer, server),
            metrics=lambda: [*cache_metrics(registry.caches()), *remote_metrics(registry.traffic())],
        ),
        ServiceRegistration(
            JOB,
            lambda server: job_pb2_grpc.add_JobServiceServicer_to_server(job, server),
            drain=drain,
            close=desk.close,
            metrics=JobNumbers(store.counts).metrics,
        ),
    ]
