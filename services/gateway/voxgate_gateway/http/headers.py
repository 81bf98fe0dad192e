"""What every answer carries: CORS, a request id, safe defaults; and the answer to OPTIONS."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "x-request-id"
METHODS = "GET, HEAD, OPTIONS"
CHALLENGE = b'Bearer realm="voxgate"'
"""What 401 asks for, in `WWW-Authenticate`, in dialects that have no word of their own for it."""
_CALLS = "/voxgate."
_CALL_METHODS = f"{METHODS}, POST"  # those that a browser can send read, all of them
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EXPOSED = (
    "accept-ranges, content-encoding, content-length, content-range, etag, grpc-message, grpc-status, "
    "grpc-status-details-bin, retry-after, x-request-id, x-voxgate-axes, x-voxgate-box, x-voxgate-data-type, "
    "x-voxgate-mapping, x-voxgate-mesh, x-voxgate-scale, x-voxgate-shape, x-voxgate-skeleton, x-voxgate-version"
)
_ALLOWED = (
    "authorization, cache-control, connect-protocol-version, connect-timeout-ms, content-type, grpc-timeout, "
    "if-none-match, if-range, range, traceparent, x-grpc-web, x-request-id, x-user-agent"
)


class CommonHeaders:
    """ASGI middleware: answers OPTIONS, and puts CORS, the request id and safe defaults on everything else."""

    def __init__(
        self, app: ASGIApp, headers: Mapping[str, str], allowed: Callable[[Scope], str] = lambda _: ""
    ) -> None:
        """`allowed` says which methods an address takes, where they are others than most take; else ""."""
        self._app = app
        self._allowed = allowed
        self._headers = dict(headers)
        self._raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = Headers(scope=scope).get(REQUEST_ID, "")
        if not _PLAIN_ID.fullmatch(request_id):
            # No secret, and the system's source of randomness would be asked for every chunk.
            request_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["method"] == "OPTIONS":
            preflight = {
                "allow": self._allowed(scope) or METHODS,
                # Nobody's page changes anything here but our own: what else is POST is not for others.
                "access-control-allow-methods": _CALL_METHODS if _CALLS in scope["path"] else METHODS,
                "access-control-allow-headers": _ALLOWED,
                "access-control-max-age": "86400",
            }
            answer = Response(status_code=204, headers={**self._headers, **preflight, REQUEST_ID: request_id})
            await answer(scope, receive, send)
            return
        proves = any(name == b"authorization" for name, _ in scope["headers"])
        added = [*self._raw, (REQUEST_ID.encode(), request_id.encode())]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Added and not replaced: an answer may vary with more than we do. None of the others is set elsewhere.
                message["headers"] = [*message["headers"], *added]
                if message["status"] == 401 and all(name != b"www-authenticate" for name, _ in message["headers"]):
                    message["headers"].append((b"www-authenticate", CHALLENGE))
                if proves:
                    # No cache, a browser's own neither, answers one caller with what was for another.
                    message["headers"].append((b"vary", b"Authorization"))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def common_headers(cors_origin: str) -> dict[str, str]:
    """Headers of every answer. `cors_origin` is the one origin whose pages may read, or "*"."""
    headers = {
        "access-control-allow-origin": cors_origin,
        "access-control-expose-headers": _EXPOSED,
        "x-content-type-options": "nosniff",
    }
    if cors_origin != "*":
        headers["vary"] = "Origin"
    return headers
