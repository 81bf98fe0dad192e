"""The tree of errors: every failure voxgate reports, in every room and on both ends of the wire.

VoxgateError
├── InvalidArgument        EmptyBox MalformedName UnknownScheme LimitExceeded DataTypeMismatch ShapeMismatch
│                          WriteIncomplete WriteOverlap InvalidSegmentId UnsupportedEncoding RequestIdReused
├── NotFound               UnknownRemote UnknownVolume UnknownVersion UnknownScale SegmentNotFound UnknownJob
│                          UnknownKey
├── OutOfBounds
├── AlreadyExists
├── FailedPrecondition     ReadOnly UnalignedWrite UnsupportedFormat ConfigContradictsStore ConfigInvalid
│                          MissingCapability SegmentSuperseded VersionLocked StoreRefused
├── DataLoss               ChunkCorrupt ChunkMissing MetadataInvalid VerificationFailed IncompleteAnswer
│                          PartialWriteError
├── Unavailable            StoreUnavailable ServerUnreachable TlsFailed
├── PermissionDenied       PathRefused StoreAccessDenied
├── ServerBusy             StoreBusy
├── VersionMoved · Unimplemented · DeadlineExceeded · Cancelled · Unauthenticated · InternalError
└── JobFailed

Each leaf has a `reason`, the name of a value of the contract's ErrorReason (some are the client's own and never
travel). `voxgate.wire.errors` holds the one table between this tree and gRPC status codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class VoxgateError(Exception):
    """The root. Shown to people: what happened, then what to do about it; never a path, token or traceback.

    Attributes:
        message: what happened, one sentence.
        remedy: what to do about it; may be empty.
        details: short machine-readable facts (names, numbers) for programs.
        retry_after_s: seconds to wait before trying again, where that makes sense.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        details: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy
        self.details: dict[str, str] = dict(details or {})
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class InvalidArgument(VoxgateError):
    """The request can never succeed as it is."""

    reason = "INVALID_REQUEST"


class EmptyBox(InvalidArgument):
    """The box is empty or inverted."""

    reason = "EMPTY_BOX"


class MalformedName(InvalidArgument):
    """A volume name does not follow remote/segment/segment."""

    reason = "MALFORMED_NAME"


class UnknownScheme(InvalidArgument):
    """No adapter serves this URI scheme."""

    reason = "UNKNOWN_SCHEME"


class LimitExceeded(InvalidArgument):
    """More was asked for than the server's stated limit; `details` has `limit` and `asked`."""

    reason = "LIMIT_EXCEEDED"


class DataTypeMismatch(InvalidArgument):
    """The voxels have another number type than the volume; nothing is cast silently."""

    reason = "DATA_TYPE_MISMATCH"


class ShapeMismatch(InvalidArgument):
    """The voxels have another shape than their box."""

    reason = "SHAPE_MISMATCH"


class WriteIncomplete(InvalidArgument):
    """The stream of chunks ended before the box was covered."""

    reason = "WRITE_INCOMPLETE"


class WriteOverlap(InvalidArgument):
    """A voxel was sent twice in one write."""

    reason = "WRITE_OVERLAP"


class InvalidSegmentId(InvalidArgument):
    """0 is background, not a segment."""

    reason = "INVALID_SEGMENT_ID"


class UnsupportedEncoding(InvalidArgument):
    """No encoding that the client accepts can be produced, or one that was sent cannot be decoded."""

    reason = "UNSUPPORTED_ENCODING"


class RequestIdReused(InvalidArgument):
    """The request id was used for a different request."""

    reason = "REQUEST_ID_REUSED"


class NotFound(VoxgateError):
    """Something that was named does not exist."""

    reason = "UNKNOWN_VOLUME"


class UnknownRemote(NotFound):
    """No such remote is configured."""

    reason = "UNKNOWN_REMOTE"


class UnknownVolume(NotFound):
    """The remote has no such volume."""

    reason = "UNKNOWN_VOLUME"


class UnknownVersion(NotFound):
    """The volume has no such version."""

    reason = "UNKNOWN_VERSION"


class UnknownScale(NotFound):
    """The volume has no such scale."""

    reason = "UNKNOWN_SCALE"


class SegmentNotFound(NotFound):
    """The segment does not occur where it was looked for."""

    reason = "SEGMENT_NOT_FOUND"


class UnknownJob(NotFound):
    """No such job."""

    reason = "UNKNOWN_JOB"


class UnknownKey(NotFound):
    """There is no such key in this metadata, or no such file among stored meshes."""

    reason = "UNKNOWN_KEY"


class OutOfBounds(VoxgateError):
    """A box, point, channel or time lies outside the volume."""

    reason = "OUT_OF_BOUNDS"


class AlreadyExists(VoxgateError):
    """The name is taken."""

    reason = "ALREADY_EXISTS"


class FailedPrecondition(VoxgateError):
    """The volume or server is not in a state to do this."""

    reason = "UNSUPPORTED_FORMAT"


class ReadOnly(FailedPrecondition):
    """The volume or its remote takes no writes."""

    reason = "READ_ONLY"


class UnalignedWrite(FailedPrecondition):
    """The box cuts write granules and the store cannot merge safely."""

    reason = "UNALIGNED_WRITE"


class UnsupportedFormat(FailedPrecondition):
    """What the store holds is of a kind that no adapter reads or creates."""

    reason = "UNSUPPORTED_FORMAT"


class ConfigContradictsStore(FailedPrecondition):
    """A stated option contradicts the store."""

    reason = "CONFIG_CONTRADICTS_STORE"


class ConfigInvalid(FailedPrecondition):
    """The operator's configuration is wrong; the message names the key."""

    reason = "CONFIG_INVALID"


class MissingCapability(FailedPrecondition):
    """The volume lacks what was asked of it; `details["capability"]` names it."""

    reason = "MISSING_CAPABILITY"


class SegmentSuperseded(FailedPrecondition):
    """The segment was merged into others, or split; `details["current"]` has the ids that took its place, if known."""

    reason = "SEGMENT_SUPERSEDED"


class VersionLocked(FailedPrecondition):
    """The version is committed and can never change; write to an open one."""

    reason = "VERSION_LOCKED"


class StoreRefused(FailedPrecondition):
    """The store understood the request and refuses it; the message has its own words."""

    reason = "STORE_REFUSED"


class DataLoss(VoxgateError):
    """Voxels that should be there are not to be had. Never answered with zeros instead."""

    reason = "CHUNK_CORRUPT"


class ChunkCorrupt(DataLoss):
    """A stored chunk cannot be decoded."""

    reason = "CHUNK_CORRUPT"


class ChunkMissing(DataLoss):
    """A stored chunk is absent and the operator declared the volume complete."""

    reason = "CHUNK_MISSING"


class MetadataInvalid(DataLoss):
    """The store's metadata is truncated or contradicts itself."""

    reason = "METADATA_INVALID"


class VerificationFailed(DataLoss):
    """What was read back after writing differs from what was written."""

    reason = "VERIFICATION_FAILED"


class IncompleteAnswer(DataLoss):
    """The server's stream did not cover what was asked for. The client's own; never travels."""

    reason = "INCOMPLETE_ANSWER"


class PartialWriteError(DataLoss):
    """Some boxes of a write were not written; `failures` pairs each with its reason. The client's own.

    Attributes:
        failures: (box as text, message) for each failed box.
    """

    reason = "PARTIAL_WRITE"

    def __init__(self, message: str, remedy: str = "", *, failures: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, remedy)
        self.failures = failures


class Unavailable(VoxgateError):
    """A server or store does not answer; trying again may help."""

    reason = "STORE_UNAVAILABLE"


class StoreUnavailable(Unavailable):
    """The store does not answer or failed."""

    reason = "STORE_UNAVAILABLE"


class ServerUnreachable(Unavailable):
    """Nothing answers at the server's address. The client's own; never travels."""

    reason = "SERVER_UNREACHABLE"


class TlsFailed(ServerUnreachable):
    """The two ends do not believe each other, or only one of them speaks TLS. The client's own; never travels."""

    reason = "TLS_FAILED"


class PermissionDenied(VoxgateError):
    """The caller may not do this; of a volume, `details["role"]` is what they lack on `details["name"]`."""

    reason = "PERMISSION_DENIED"


class PathRefused(PermissionDenied):
    """The path or address leads outside what the operator allows."""

    reason = "PATH_REFUSED"


class StoreAccessDenied(PermissionDenied):
    """The store does not let this server in, or not to this: its operator's credentials are missing or not enough."""

    reason = "STORE_ACCESS_DENIED"


class Unauthenticated(VoxgateError):
    """The caller did not prove who it is; `details["cause"]` is what was wrong, such as TOKEN_EXPIRED."""

    reason = "UNAUTHENTICATED"


class ServerBusy(VoxgateError):
    """The server is at its memory or concurrency budget; try again after `retry_after_s`."""

    reason = "SERVER_BUSY"


class StoreBusy(ServerBusy):
    """The store asks for fewer requests; try again after `retry_after_s`."""

    reason = "STORE_BUSY"


class VersionMoved(VoxgateError):
    """The volume moved on since the version that was asked for."""

    reason = "VERSION_MOVED"


class Unimplemented(VoxgateError):
    """The server has no such service or feature."""

    reason = "UNIMPLEMENTED"


class DeadlineExceeded(VoxgateError):
    """The deadline passed."""

    reason = "DEADLINE_EXCEEDED"


class Cancelled(VoxgateError):
    """The caller went away or cancelled."""

    reason = "CANCELLED"


class InternalError(VoxgateError):
    """A fault of the server's; its log has the request id."""

    reason = "INTERNAL"


class JobFailed(VoxgateError):
    """A job ended without success; `job_error` has its reason. The client's own; never travels."""

    reason = "JOB_FAILED"
