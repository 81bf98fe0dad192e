"""How the BossDB dialect refuses: `{"status", "code", "message"}` with the service's codes.

Codes: the public source of BossDB's endpoint (jhuapl-boss/boss, bosscore/error.py).
"""

from __future__ import annotations

import json
import math
from enum import IntEnum

from starlette.responses import Response

from voxgate.model import errors
from voxgate.model.errors import VoxgateError
from voxgate.model.hops import REASON_HEADER


class Code(IntEnum):
    """The service's codes that are answered here."""

    INVALID_URL = 1000
    INVALID_CUTOUT_ARGS = 1001
    TYPE_ERROR = 1002
    INVALID_POST_ARGUMENT = 1003
    INVALID_ARGUMENT = 1005
    BAD_REQUEST = 1006
    REQUEST_TOO_LARGE = 2000
    DATATYPE_DOES_NOT_MATCH = 2001
    DATA_DIMENSION_MISMATCH = 2002
    DATATYPE_NOT_SUPPORTED = 2003
    INVALID_REQUEST = 2004
    UNSUPPORTED_4D = 2005
    INVALID_STATE = 2006
    MISSING_ROLE = 3000
    MISSING_PERMISSION = 3001
    RESOURCE_NOT_FOUND = 4000
    GROUP_NOT_FOUND = 4001
    USER_NOT_FOUND = 4002
    INTEGRITY_ERROR = 4003
    OBJECT_NOT_FOUND = 4004
    SYSTEM_ERROR = 9001
    UNHANDLED = 9002
    UNSUPPORTED_VERSION = 9003


_STATUSES = {
    Code.REQUEST_TOO_LARGE: 413,
    Code.INVALID_REQUEST: 404,
    Code.INVALID_STATE: 409,
    Code.MISSING_ROLE: 403,
    Code.MISSING_PERMISSION: 403,
    Code.RESOURCE_NOT_FOUND: 404,
    Code.GROUP_NOT_FOUND: 404,
    Code.USER_NOT_FOUND: 404,
    Code.OBJECT_NOT_FOUND: 404,
    Code.UNHANDLED: 500,
}
"""Of codes that are not 400."""


class BossError(Exception):
    """A refusal in the dialect's words.

    Attributes:
        code: which of the service's.
        message: for people.
        status: of HTTP; the code's own, where none is given.
        reason: of the typed error that it stands for, for a voxgate that asks; empty where it stands for none.
    """

    def __init__(self, code: Code, message: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(code, message)
        self.reason = reason
        self.code = code
        self.message = message
        self.status = _STATUSES.get(code, 400) if status is None else status


# First match wins. Nothing of a store that fails is a 404: clients take that for "there is nothing".
_TYPED: tuple[tuple[type[VoxgateError], int, Code], ...] = (
    (errors.LimitExceeded, 413, Code.REQUEST_TOO_LARGE),
    (errors.EmptyBox, 400, Code.INVALID_CUTOUT_ARGS),
    (errors.DataTypeMismatch, 400, Code.DATATYPE_DOES_NOT_MATCH),
    (errors.ShapeMismatch, 400, Code.DATA_DIMENSION_MISMATCH),
    (errors.MalformedName, 404, Code.RESOURCE_NOT_FOUND),
    (errors.InvalidArgument, 400, Code.INVALID_ARGUMENT),
    (errors.UnknownScale, 400, Code.TYPE_ERROR),
    (errors.SegmentNotFound, 404, Code.OBJECT_NOT_FOUND),
    (errors.UnknownKey, 400, Code.INVALID_POST_ARGUMENT),
    (errors.NotFound, 404, Code.RESOURCE_NOT_FOUND),
    (errors.OutOfBounds, 400, Code.INVALID_CUTOUT_ARGS),
    (errors.AlreadyExists, 400, Code.INVALID_POST_ARGUMENT),
    (errors.ReadOnly, 403, Code.MISSING_PERMISSION),
    (errors.VersionLocked, 403, Code.MISSING_PERMISSION),
    (errors.UnsupportedFormat, 400, Code.DATATYPE_NOT_SUPPORTED),
    (errors.MissingCapability, 400, Code.SYSTEM_ERROR),
    (errors.FailedPrecondition, 409, Code.INVALID_STATE),
    (errors.VersionMoved, 409, Code.INVALID_STATE),
    (errors.Unauthenticated, 401, Code.MISSING_PERMISSION),
    (errors.PermissionDenied, 403, Code.MISSING_PERMISSION),
    (errors.Unimplemented, 501, Code.SYSTEM_ERROR),
    (errors.DeadlineExceeded, 504, Code.UNHANDLED),
    (errors.Unavailable, 503, Code.UNHANDLED),
    (errors.ServerBusy, 503, Code.UNHANDLED),
    (errors.Cancelled, 503, Code.UNHANDLED),
)
_DEFAULT_RETRY_S = 1.0


def boss_error_of(error: VoxgateError) -> BossError:
    """A typed error in the dialect's words; 500 for what it has no name for."""
    for kind, status, code in _TYPED:
        if isinstance(error, kind):
            return BossError(code, str(error), status=status, reason=error.reason)
    return BossError(Code.UNHANDLED, str(error), reason=error.reason)


def takes_no_writes(what: str) -> BossError:
    """The refusal of a change where the operator allows none."""
    message = f"{what} takes no writes: its operator allows them with writable = true"
    return BossError(Code.MISSING_PERMISSION, message, reason=errors.ReadOnly.reason)


def refusal_answer(error: BossError, *, retry_after_s: float | None = None) -> Response:
    """The JSON of a refusal; with Retry-After where trying again makes sense.

    `detail` is where the web framework below the service puts its own refusals (405, 406, 415).
    """
    problem = {"status": error.status, "code": int(error.code), "message": error.message, "detail": error.message}
    headers = {"cache-control": "no-store"}
    if error.reason:
        headers[REASON_HEADER] = error.reason
    if error.status in (429, 503, 504):
        headers["retry-after"] = str(math.ceil(retry_after_s or _DEFAULT_RETRY_S))
    if error.status == 401:
        headers["www-authenticate"] = "Token"
    return Response(json.dumps(problem), status_code=error.status, media_type="application/json", headers=headers)
