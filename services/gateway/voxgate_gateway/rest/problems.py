"""Errors as RFC 9457 has them: application/problem+json, from the typed errors and statuses of every dialect."""

from __future__ import annotations

import http
import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import InternalError, VoxgateError
from voxgate_gateway.answers import status_of
from voxgate_gateway.prefix import base_of
from voxgate_gateway.rest.operations import Schema, record, text
from voxgate_serving.logs import logger

MEDIA_TYPE = "application/problem+json"
_RETRY_S = 1.0

PROBLEM: Schema = record(
    {
        "type": {"type": "string", "format": "uri", "description": "Where people read about the reason."},
        "title": text("The phrase of the status."),
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": text("What happened."),
        "reason": text("What happened, for programs: a name that never changes, such as LIMIT_EXCEEDED."),
        "remedy": text("What to do about it; may be empty."),
        "request_id": text("What the server's log calls this request."),
        "details": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Facts for programs, such as the limit that was exceeded.",
        },
    },
    optional=("details",),
)


def problem(
    request: Request, error: VoxgateError, *, status: int = 0, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that a typed error is; `status` replaces the one that every dialect gives it."""
    code = status or status_of(error)
    body: dict[str, Any] = {
        "type": f"{base_of(request)}/api/#{error.reason}",
        "title": http.HTTPStatus(code).phrase,
        "status": code,
        "detail": error.message,
        "reason": error.reason,
        "remedy": error.remedy,
        "request_id": str(getattr(request.state, "request_id", "")),
    }
    if error.details:
        body["details"] = error.details
    told = {"cache-control": "no-store", **(headers or {})}
    if code in (503, 504):
        told["retry-after"] = str(math.ceil(error.retry_after_s or _RETRY_S))
    if code >= 500:
        logger().warning(
            "request failed", path=request.url.path, reason=error.reason, message=error.message, status=code
        )
    return Response(json.dumps(body).encode(), status_code=code, media_type=MEDIA_TYPE, headers=told)


def fault(request: Request, error: Exception) -> Response:
    """The answer to a fault of our own: the request id and nothing else; the log has the rest."""
    request_id = str(getattr(request.state, "request_id", ""))
    logger().error("internal error", request_id=request_id, path=request.url.path, exc_info=error)
    return problem(request, InternalError("the gateway failed", f"report request id {request_id}"), status=500)
