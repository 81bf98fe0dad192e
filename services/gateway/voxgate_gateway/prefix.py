"""Path prefixes: behind JupyterHub, an ingress or an ssh tunnel the first page is at `/user/x/proxy/8080/`, say.

Most proxies take their prefix off before they pass a request on; the addresses in our pages are relative, so nothing
else is needed. Some leave it on and say so in `X-Forwarded-Prefix`: then it is taken off here.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER = b"x-forwarded-prefix"
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~@%+-]+)+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._~-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?", re.ASCII)


class ForwardedPrefix:
    """ASGI middleware: takes the prefix off that a proxy left on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and (prefix := _stated(scope)):
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            if raw == prefix:
                # Without the slash, whatever is relative to the page would be beside it.
                last = prefix.rpartition(b"/")[2].decode()
                await RedirectResponse(f"{last}/", status_code=308)(scope, receive, send)
                return
            if raw.startswith(prefix + b"/"):
                decoded = len(_unquoted(prefix))
                scope = {**scope, "raw_path": raw[len(prefix) :], "path": scope["path"][decoded:]}
        await self._app(scope, receive, send)


def _stated(scope: Scope) -> bytes:
    """The prefix that a proxy states, without a slash at its end; empty for none, and for what can be none."""
    for name, value in scope["headers"]:
        if name == _HEADER:
            text = value.decode("latin-1").strip().rstrip("/")
            return text.encode() if _PREFIX.fullmatch(text) else b""
    return b""


def _unquoted(path: bytes) -> str:
    return unquote(path.decode("ascii"))


def root_of(request: Request) -> str:
    """The way from the address of a request to the first page: "./" or "../" as often as needed."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return "../" * (raw.partition(b"?")[0].count(b"/") - 1) or "./"


def base_of(request: Request) -> str:
    """The address of the first page as whoever asks sees it, without a slash at its end, as far as headers tell.

    For people to copy; a page's own script replaces it by what the browser knows.
    """
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    host = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    prefix = _stated(request.scope).decode()
    scheme = scheme if scheme in ("http", "https") else request.url.scheme
    for candidate in (host, headers.get("host", "")):
        if _HOST.fullmatch(candidate):
            return f"{scheme}://{candidate}{prefix}"
    return f"{scheme}://localhost{prefix}"
