"""How the service refuses: typed errors with a code in JSON, the framework's refusals, and its plain server errors."""

from __future__ import annotations

from enum import IntEnum

from .messages import Reply, json_reply


class Code(IntEnum):
    """The service's error codes (public source of BossDB's endpoint, bosscore/error.py); those served here."""

    INVALID_URL = 1000
    INVALID_CUTOUT_ARGS = 1001
    TYPE_ERROR = 1002
    INVALID_POST_ARGUMENT = 1003
    INVALID_ARGUMENT = 1005
    REQUEST_TOO_LARGE = 2000
    DATATYPE_DOES_NOT_MATCH = 2001
    DATA_DIMENSION_MISMATCH = 2002
    DATATYPE_NOT_SUPPORTED = 2003
    UNSUPPORTED_4D = 2005
    INVALID_STATE = 2006
    MISSING_ROLE = 3000
    MISSING_PERMISSION = 3001
    ACCESS_DENIED = 3004
    RESOURCE_NOT_FOUND = 4000
    INTEGRITY_ERROR = 4003
    OBJECT_NOT_FOUND = 4004
    MARKED_FOR_DELETION = 4005
    SYSTEM_ERROR = 9001
    UNSUPPORTED_VERSION = 9003


_STATUS = {
    Code.REQUEST_TOO_LARGE: 413,
    Code.INVALID_STATE: 409,
    Code.MISSING_ROLE: 403,
    Code.MISSING_PERMISSION: 403,
    Code.ACCESS_DENIED: 429,
    Code.RESOURCE_NOT_FOUND: 404,
    Code.OBJECT_NOT_FOUND: 404,
    Code.MARKED_FOR_DELETION: 404,
}


class Refusal(Exception):
    """Any refusal: carries the reply that tells it."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class BossError(Refusal):
    """A refusal of the service itself: {"status", "code", "message"}."""

    def __init__(self, code: Code, message: object) -> None:
        status = _STATUS.get(code, 400)
        super().__init__(json_reply(status, {"status": status, "code": int(code), "message": message}))
        self.code = code


class FrameworkError(Refusal):
    """A refusal of the web framework below the service: {"detail"}."""

    def __init__(self, status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(json_reply(status, {"detail": detail}, headers))


class ServerError(Refusal):
    """What an exception that nobody caught looks like from outside: a page of HTML, no code."""

    def __init__(self) -> None:
        super().__init__(Reply(500, b"<h1>Server Error (500)</h1>", "text/html"))


class NoSuchPage(Refusal):
    """An address that no route takes: a page of HTML, no code."""

    def __init__(self) -> None:
        super().__init__(Reply(404, b"<h1>Not Found</h1>", "text/html"))
