"""HTTP answers of every dialect: bodies as `voxgate_gateway.http` has them sent, and typed errors as JSON.

The status of an error is chosen by what published clients do with it (neuroglancer, cloud-volume, tensorstore):
404 and 403 mean "no data here" to all of them and become blank voxels, so no failure of a store may use those; 429, 503
and 504 are tried again; anything else is shown or raised.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voxgate.model import errors
from voxgate.model.errors import VoxgateError
from voxgate.model.hops import REASON_HEADER
from voxgate_gateway.http.coding import accepts_gzip, compressed, worth_compressing
from voxgate_gateway.http.conditions import compressed_etag, etag_of, etag_of_name, has_it, still_wants_range
from voxgate_gateway.http.headers import METHODS
from voxgate_gateway.http.ranges import Span, Unsatisfiable, asked_span
from voxgate_serving.logs import logger

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
_JOINED_BYTES = 4 << 20


def status_of(error: VoxgateError) -> int:
    """The HTTP status of a typed error. 502: the server behind the gateway failed in a way it has no name for."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 502)


@dataclass(frozen=True, slots=True)
class Content:
    """A body, and what HTTP has to know of it.

    Attributes:
        data: the bytes.
        media_type: what they are.
        etag: a strong ETag that somebody knows already; empty to make it from the bytes.
        coding: "gzip" for bytes that are compressed already, for a client that takes them so and asks for no range.
        compressible: whether to compress them for clients that accept it.
    """

    data: bytes | memoryview
    media_type: str
    etag: str = ""
    coding: str = ""
    compressible: bool = False


def content_answer(
    request: Request, content: Content, *, cache_control: str = "no-cache", headers: Mapping[str, str] | None = None
) -> Response:
    """Answer GET or HEAD with a body; with the one range of it that is asked for; or with 304 for one that is known.

    A body is either compressed or cut, never both: a range is always one of the plain bytes. Several ranges at once,
    and a Range that cannot be read, are answered with the whole.
    """
    etag = content.etag or etag_of(content.data)
    answered = {"etag": etag, "cache-control": cache_control, "accept-ranges": "bytes", **(headers or {})}
    if content.compressible or content.coding:
        answered["vary"] = "Accept-Encoding"
    if has_it(request.headers, etag):
        return Response(status_code=304, headers=answered)
    data = content.data
    span = None
    if "range" in request.headers and request.method == "GET" and not content.coding:
        if still_wants_range(request.headers, etag):
            try:
                span = asked_span(request.headers["range"], len(data))
            except Unsatisfiable:
                return _unsatisfiable(len(data), answered)
    elif content.coding:
        answered["content-encoding"] = content.coding
    elif content.compressible and wants_gzip(request) and worth_compressing(len(data)):
        data = compressed(data)
        answered |= {"content-encoding": "gzip", "etag": compressed_etag(etag)}
    if request.method == "HEAD":
        return length_answer(len(data), content.media_type, answered)
    if span is not None:
        answered["content-range"] = span.header(len(data))
        part = memoryview(data)[span.start : span.stop]
        return Response(part, status_code=206, media_type=content.media_type, headers=answered)
    return Response(data, media_type=content.media_type, headers=answered)


def body_answer(
    request: Request, body: bytes, media_type: str, *, cache_control: str = "no-cache", etag: str = ""
) -> Response:
    """Answer GET or HEAD with a body as it is; see `content_answer`."""
    return content_answer(request, Content(body, media_type, etag), cache_control=cache_control)


def pieces_answer(
    request: Request, pieces: Sequence[bytes], media_type: str, *, cache_control: str = "no-cache"
) -> Response:
    """Answer with a body that came in pieces; a large one leaves in the same pieces, and is never joined."""
    if sum(map(len, pieces)) <= _JOINED_BYTES:
        return body_answer(request, b"".join(pieces), media_type, cache_control=cache_control)
    etag = etag_of_name(*map(etag_of, pieces))
    length = sum(map(len, pieces))
    headers = {"etag": etag, "cache-control": cache_control, "accept-ranges": "bytes"}
    if known := known_answer(request, etag, cache_control=cache_control):
        return known
    if request.method == "HEAD":
        return length_answer(length, media_type, headers)
    part = asked_part(request, length, headers)
    if isinstance(part, Response):
        return part
    body = _cut(pieces, part.span)
    return StreamingResponse(body, status_code=part.status, media_type=media_type, headers=part.headers)


@dataclass(frozen=True, slots=True)
class Part:
    """What is sent of a body that is sent bit by bit.

    Attributes:
        span: its bytes.
        status: 200 for all of them, 206 for a range.
        headers: of the answer, its length included.
    """

    span: Span
    status: int
    headers: dict[str, str]


def asked_part(request: Request, length: int, headers: Mapping[str, str]) -> Part | Response:
    """What GET asks of a body of `length` bytes; or the refusal of a range that it does not have.

    `headers` are the answer's; without an ETag among them nothing stands for If-Range.
    """
    span, status, told = Span(0, length), 200, dict(headers)
    if "range" in request.headers and still_wants_range(request.headers, headers.get("etag", "")):
        try:
            asked = asked_span(request.headers["range"], length)
        except Unsatisfiable:
            return _unsatisfiable(length, headers)
        if asked is not None:
            span, status = asked, 206
            told["content-range"] = asked.header(length)
    told["content-length"] = str(span.stop - span.start)
    return Part(span, status, told)


async def _cut(pieces: Sequence[bytes], span: Span) -> AsyncIterator[memoryview]:
    at = 0
    for piece in pieces:
        start, stop = max(span.start - at, 0), min(span.stop - at, len(piece))
        if start < stop:
            yield memoryview(piece)[start:stop]
        at += len(piece)


def json_answer(request: Request, value: object, *, cache_control: str = "no-cache") -> Response:
    """Answer with compact JSON, compressed where that is accepted. Segment ids in `value` must be strings."""
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    return content_answer(request, Content(body, "application/json", compressible=True), cache_control=cache_control)


def length_answer(length: int, media_type: str, headers: Mapping[str, str]) -> Response:
    """Answer HEAD: the exact length of the body that GET would send, and none of it."""
    return Response(media_type=media_type, headers={"accept-ranges": "bytes", **headers, "content-length": str(length)})


def known_answer(request: Request, etag: str, *, cache_control: str) -> Response | None:
    """304 for a client that has the body of this ETag already, before the body is made; None for any other."""
    if not has_it(request.headers, etag):
        return None
    return Response(status_code=304, headers={"etag": etag, "cache-control": cache_control})


def wants_gzip(request: Request) -> bool:
    """Whether a whole body may be sent compressed: it is accepted, and no range is asked for."""
    return "range" not in request.headers and accepts_gzip(request.headers.get("accept-encoding", ""))


def caching(request: Request, *, lasting: bool) -> str:
    """The Cache-Control of voxels: for ever where the URL states a version that can never change, else asked anew.

    What is answered to somebody who proved who they are is for nobody else's cache.
    """
    if not lasting:
        return "no-cache"
    return f"{'private' if 'authorization' in request.headers else 'public'}, max-age=31536000, immutable"


def error_answer(error: VoxgateError, request_id: str = "") -> Response:
    """The JSON of a typed error, with Retry-After where trying again makes sense."""
    status = status_of(error)
    problem: dict[str, Any] = {"reason": error.reason, "message": error.message, "remedy": error.remedy}
    if error.details:
        problem["details"] = error.details
    if request_id:
        problem["request_id"] = request_id
    headers = {"cache-control": "no-store", REASON_HEADER: error.reason}
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
            request_id=_request_id(request),
            trace_id=str(getattr(request.state, "trace_id", "")),
        )
    return answer


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of its own refusals (no such route, method not allowed): the same JSON as ours."""
    if not isinstance(error, HTTPException):
        raise error
    problem = {"reason": "HTTP", "message": str(error.detail), "remedy": "the first page (/) lists what is served"}
    headers = {**(error.headers or {}), "cache-control": "no-store"}
    if error.status_code == 405:
        problem["message"] = f"{request.method[:20]} is not taken: everything here is served for reading"
        problem["remedy"] = "volumes are written through the gRPC API"
        headers = {"cache-control": "no-store", "allow": METHODS}
    body = json.dumps({"error": {**problem, "request_id": _request_id(request)}}).encode()
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


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _unsatisfiable(length: int, headers: Mapping[str, str]) -> Response:
    problem = {"reason": "HTTP", "message": "the range has no byte of this body", "remedy": f"it has {length} bytes"}
    body = json.dumps({"error": problem}).encode()
    told = {name: value for name, value in headers.items() if name != "etag"}
    told |= {"content-range": f"bytes */{length}", "cache-control": "no-store"}
    return Response(body, status_code=416, media_type="application/json", headers=told)
