"""The one table between the tree of errors and gRPC: status code, google.rpc.Status details, and back.

A failed call carries `google.rpc.Status` in the trailing metadata `grpc-status-details-bin` with an ErrorInfo (reason,
domain "voxgate", metadata), a BadRequest for bad arguments, a ResourceInfo for what was not found, and a RetryInfo
where trying again makes sense: under 4 KB in all, because many proxies drop larger trailers.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from voxgate.model import errors
from voxgate.model.errors import VoxgateError
from voxgate.model.reasons import error_class
from voxgate.v1 import types_pb2
from voxgate.wire.tls_troubles import tls_failed, trouble_of_grpc

DOMAIN = "voxgate"
DETAILS_KEY = "grpc-status-details-bin"
_MAX_TEXT = 600
_MAX_DETAILS = 8

# First match wins, so leaves that differ from their parent stand before it.
_CODES: tuple[tuple[type[VoxgateError], grpc.StatusCode], ...] = (
    (errors.InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.OutOfBounds, grpc.StatusCode.OUT_OF_RANGE),
    (errors.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (errors.FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.DataLoss, grpc.StatusCode.DATA_LOSS),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.ServerBusy, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.VersionMoved, grpc.StatusCode.ABORTED),
    (errors.Unimplemented, grpc.StatusCode.UNIMPLEMENTED),
    (errors.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.Cancelled, grpc.StatusCode.CANCELLED),
    (errors.InternalError, grpc.StatusCode.INTERNAL),
)


def status_code(error: VoxgateError) -> grpc.StatusCode:
    """The canonical code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 12] + " … (cut off)"


def _code_number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


def to_status(error: VoxgateError) -> status_pb2.Status:
    """The error as google.rpc.Status, with details, under 4 KB."""
    details: list[Message] = []
    metadata = {key[:60]: _cut(value)[:200] for key, value in list(error.details.items())[:_MAX_DETAILS]}
    if error.remedy:
        metadata["remedy"] = _cut(error.remedy)
    details.append(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    if isinstance(error, errors.InvalidArgument):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.details.get("field", ""), description=_cut(error.message)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, errors.NotFound):
        details.append(
            error_details_pb2.ResourceInfo(
                resource_type=error.reason.removeprefix("UNKNOWN_").lower(),
                resource_name=error.details.get("name", ""),
                description=_cut(error.message),
            )
        )
    if isinstance(error, errors.Unavailable | errors.ServerBusy):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int((error.retry_after_s or 1.0) * 1000))
        details.append(retry)
    status = status_pb2.Status(code=_code_number(status_code(error)), message=_cut(error.message))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _from_status(status: status_pb2.Status) -> VoxgateError | None:
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    retry_after: float | None = None
    found = False
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
            found = info.domain == DOMAIN
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            detail.Unpack(retry)
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
    if not found:
        return None
    facts = dict(info.metadata)
    remedy = facts.pop("remedy", "")
    kind = error_class(info.reason) or _class_of_code(status.code)
    return kind(status.message, remedy, details=facts, retry_after_s=retry_after)


def _class_of_code(number: int) -> type[VoxgateError]:
    return next((kind for kind, code in _CODES if _code_number(code) == number), errors.InternalError)


def error_from_status(status: status_pb2.Status) -> VoxgateError:
    """The typed error of a call that failed; one without our details is told by its code."""
    return _from_status(status) or _class_of_code(status.code)(_cut(status.message))


def from_rpc_error(error: grpc.RpcError, address: str = "the server") -> VoxgateError:
    """The typed error of a failed call; one without our details (a proxy, a dead server) is told by its code."""
    trailers: Any = error.trailing_metadata() if isinstance(error, grpc.Call) else None
    for key, value in trailers or ():
        if key == DETAILS_KEY:
            try:
                typed = _from_status(status_pb2.Status.FromString(value))
            except DecodeError:
                break
            if typed is not None:
                return typed
    if not isinstance(error, grpc.Call):
        return errors.InternalError(f"the call failed: {type(error).__name__}")
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        trouble = trouble_of_grpc(error.details() or "")
        if trouble is not None:
            return tls_failed(trouble, address)
        return errors.ServerUnreachable(
            f"nothing answers at {address}", 'start one with "voxgate serve" or set VOXGATE_SERVER'
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.ServerBusy(
            _cut(error.details() or "the server is busy"), "try again in a moment", retry_after_s=1.0
        )
    return _class_of_code(_code_number(code))(_cut(error.details() or code.name))


def item_from_error(error: VoxgateError) -> types_pb2.ItemError:
    """The error as the failure of one item inside a data message."""
    return types_pb2.ItemError(reason=error.reason, code=_code_number(status_code(error)), message=_cut(str(error)))


def error_from_item(item: types_pb2.ItemError) -> VoxgateError:
    """The typed error of one failed item."""
    kind = error_class(item.reason) or _class_of_code(item.code)
    return kind(item.message)
