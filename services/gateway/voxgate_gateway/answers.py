"""HTTP answers: bodies with exact lengths and strong ETags, typed errors as JSON, and CORS.

The status of an error is chosen by what published clients do with it (neuroglancer, cloud-volume, tensorstore):
404 and 403 mean "no data here" to all of them and become blank voxels, so no failure of a store may use those; 429, 503
and 504 are tried again; anything else is shown or raised.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxgate.model import errors
from voxgate.model.errors import VoxgateError
from voxgate_serving.logs import logger

REQUEST_ID = "x-request-id"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# First match wins.
_STATUSES: tuple[tuple[type[VoxgateError], int], ...] = (
    (errors.InvalidArgument, 400),
    (errors.NotFound, 404),
    (errors.OutOfBounds, 404),
    (errors.AlreadyExists, 409),
    (errors.VersionMoved, 409),
    (errors.FailedPrecondition, 422),
    (errors.DataLoss, 422),
    (errors.Unauthenticated, 401),
    (errors.PermissionDenied, 403),
    (errors.Unimplemented, 501),
    (errors.DeadlineExceeded, 504),
    (errors.Unavailable, 503),
    (errors.ServerBusy, 503),
    (errors.Cancelled, 503),
)
_DEFAULT_RETRY_S = 1.0


def status_of(error: VoxgateError) -> int:
    """The HTTP status of a typed error. 502: the server behind the gateway failed in a way it has no name for."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 502)


def etag_of(body: bytes) -> str:
    """A strong ETag: equal exactly when the bytes are."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def body_answer(request: Request, body: bytes, media_type: str, *, cache_control: str = "no-cache") -> Response:
    """Answer GET or HEAD with a body, or 304 when the client has it already."""
    etag = etag_of(body)
    headers = {"etag": etag, "cache-control": cache_control}
    if _client_has(request, etag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return length_answer(len(body), media_type, headers)
    return Response(body, media_type=media_type, headers=headers)


def length_answer(length: int, media_type: str, headers: Mapping[str, str]) -> Response:
    """Answer HEAD: the exact length of the body that GET would send, and none of it."""
    return Response(media_type=media_type, headers={**headers, "content-length": str(length)})


def json_answer(request: Request, value: object, *, cache_control: str = "no-cache") -> Response:
    """Answer with compact JSON. Segment ids in `value` must be strings."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return body_answer(request, body, "application/json", cache_control=cache_control)


def error_answer(error: VoxgateError, request_id: str = "") -> Response:
    """The JSON of a typed error, with Retry-After where trying again makes sense."""
    status = status_of(error)
    problem: dict[str, Any] = {"reason": error.reason, "message": error.message, "remedy": error.remedy}
    if error.details:
        problem["details"] = error.details
    if request_id:
        problem["request_id"] = request_id
    headers = {"cache-control": "no-store"}
    if status in (503, 504):
        headers["retry-after"] = str(math.ceil(error.retry_after_s or _DEFAULT_RETRY_S))
    body = json.dumps({"error": problem}).encode()
    return Response(body, status_code=status, media_type="application/json", headers=headers)


async def on_voxgate_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of typed errors."""
    if not isinstance(error, VoxgateError):
        raise error
    answer = error_answer(error, _request_id(request))
    if answer.status_code >= 500:
        logger().warning(
            "request failed",
            path=request.url.path,
            reason=error.reason,
            message=error.message,
            status=answer.status_code,
        )
    return answer


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of its own refusals (no such route, method not allowed): the same JSON as ours."""
    if not isinstance(error, HTTPException):
        raise error
    problem = {"reason": "HTTP", "message": str(error.detail), "remedy": "the first page (/) lists what is served"}
    body = json.dumps({"error": {**problem, "request_id": _request_id(request)}}).encode()
    headers = {**(error.headers or {}), "cache-control": "no-store"}
    return Response(body, status_code=error.status_code, media_type="application/json", headers=headers)


async def on_fault(request: Request, error: Exception) -> Response:
    """The answer to a fault of the gateway's own: says nothing but the request id; the server's log has the rest."""
    request_id = _request_id(request)
    logger().error("internal error", request_id=request_id, path=request.url.path, exc_info=error)
    fault = errors.InternalError("the gateway failed", f"report request id {request_id}")
    answer = error_answer(fault, request_id)
    answer.status_code = 500
    # This handler runs outside the middleware below; without CORS a browser sees no status at all.
    answer.headers.update(request.app.state.common_headers)
    return answer


class CommonHeaders:
    """ASGI middleware: answers OPTIONS, and puts CORS, the request id and safe defaults on everything else."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = Headers(scope=scope).get(REQUEST_ID, "")
        if not _PLAIN_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        headers = {**self._headers, REQUEST_ID: request_id}
        if scope["method"] == "OPTIONS":
            preflight = {
                "access-control-allow-methods": "GET, HEAD, OPTIONS",
                "access-control-allow-headers": "authorization, cache-control, if-none-match, range, x-request-id",
                "access-control-max-age": "86400",
            }
            await Response(status_code=204, headers={**headers, **preflight})(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def common_headers(cors_origin: str) -> dict[str, str]:
    """Headers of every answer. `cors_origin` is the one origin whose pages may read, or "*"."""
    headers = {
        "access-control-allow-origin": cors_origin,
        "access-control-expose-headers": "content-encoding, content-length, etag, retry-after, x-request-id",
        "x-content-type-options": "nosniff",
    }
    if cors_origin != "*":
        headers["vary"] = "Origin"
    return headers


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _client_has(request: Request, etag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in given.split(","))
