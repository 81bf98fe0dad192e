"""An error that stopped a job, as its record keeps it."""

from __future__ import annotations

from voxgate.model import errors
from voxgate.model.jobs import JobError

_CODES: tuple[tuple[type[errors.VoxgateError], str], ...] = (
    (errors.InvalidArgument, "INVALID_ARGUMENT"),
    (errors.NotFound, "NOT_FOUND"),
    (errors.OutOfBounds, "OUT_OF_RANGE"),
    (errors.AlreadyExists, "ALREADY_EXISTS"),
    (errors.FailedPrecondition, "FAILED_PRECONDITION"),
    (errors.DataLoss, "DATA_LOSS"),
    (errors.Unavailable, "UNAVAILABLE"),
    (errors.PermissionDenied, "PERMISSION_DENIED"),
    (errors.ServerBusy, "RESOURCE_EXHAUSTED"),
    (errors.VersionMoved, "ABORTED"),
    (errors.Unimplemented, "UNIMPLEMENTED"),
    (errors.DeadlineExceeded, "DEADLINE_EXCEEDED"),
    (errors.Cancelled, "CANCELLED"),
    (errors.Unauthenticated, "UNAUTHENTICATED"),
)
"""The branches of the tree and their gRPC codes' names. This room knows no grpc: a test compares the two tables."""


def job_error(error: Exception) -> JobError:
    """The record of an error; anything but a VoxgateError is a fault of ours, and its text stays in our log."""
    if not isinstance(error, errors.VoxgateError):
        return JobError("INTERNAL", "INTERNAL", "the server failed while running the job; its log says more")
    code = next((name for branch, name in _CODES if isinstance(error, branch)), "INTERNAL")
    return JobError(error.reason, code, str(error))
