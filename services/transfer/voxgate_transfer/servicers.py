"""The TransferService on the wire: it only translates."""

from __future__ import annotations

import grpc

from voxgate.model.errors import ReadOnly
from voxgate.v1 import transfer_pb2, transfer_pb2_grpc
from voxgate.wire.job_specs import pyramid_job_spec_from_proto, transfer_spec_from_proto
from voxgate.wire.jobs import job_to_proto, request_id_from_proto
from voxgate_serving.auth.principals import owner_of
from voxgate_serving.calls import call_context
from voxgate_transfer.pyramids import Pyramids
from voxgate_transfer.transfers import Transfers


class TransferServicer(transfer_pb2_grpc.TransferServiceServicer):
    """Starts transfers.

    Args:
        transfers: what starts them.
        pyramids: what starts pyramids.
        writes_enabled: whether this server takes writes at all.
    """

    def __init__(self, transfers: Transfers, pyramids: Pyramids, *, writes_enabled: bool) -> None:
        self._transfers = transfers
        self._pyramids = pyramids
        self._writes_enabled = writes_enabled

    def CreateTransfer(  # noqa: N802  (the contract's name)
        self, request: transfer_pb2.CreateTransferRequest, context: grpc.ServicerContext
    ) -> transfer_pb2.CreateTransferResponse:
        """Create the destination and a job."""
        self._check_writes()
        job = self._transfers.start(
            owner_of(context),
            request_id_from_proto(request.request_id),
            transfer_spec_from_proto(request.spec),
            call_context(context),
        )
        return transfer_pb2.CreateTransferResponse(job=job_to_proto(job))

    def CreatePyramid(  # noqa: N802  (the contract's name)
        self, request: transfer_pb2.CreatePyramidRequest, context: grpc.ServicerContext
    ) -> transfer_pb2.CreatePyramidResponse:
        """Create the levels and a job."""
        self._check_writes()
        job = self._pyramids.start(
            owner_of(context),
            request_id_from_proto(request.request_id),
            pyramid_job_spec_from_proto(request.spec),
            call_context(context),
        )
        return transfer_pb2.CreatePyramidResponse(job=job_to_proto(job))

    def _check_writes(self) -> None:
        if not self._writes_enabled:
            raise ReadOnly(
                "this server serves reads only", "connect on its own machine, or let its operator allow writes"
            )
