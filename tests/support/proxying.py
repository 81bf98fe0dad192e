"""A reverse proxy that serves another server below a path, as JupyterHub's, nginx and others do."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from .certificates import Certificate

_OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length", "date", "server"})
_BESIDE = "/files/"


class Asked(str):
    """The path of a request.

    Attributes:
        byte_range: what its Range header says; empty for none.
    """

    __slots__ = ("byte_range",)

    def __new__(cls, path: str, byte_range: str) -> Asked:
        made = super().__new__(cls, path)
        made.byte_range = byte_range
        return made


@contextlib.contextmanager
def proxy_to(
    url: str,
    prefix: str,
    *,
    strips: bool = True,
    beside: str = "",
    asked: list[str] | None = None,
    certificate: Certificate | None = None,
) -> Iterator[str]:
    """Serve the server at `url` below `prefix` on a loopback port; yields the address of its first page, no slash.

    Args:
        url: of the server behind.
        prefix: "/user/x/proxy/8080".
        strips: whether the prefix is taken off, without a word, or left on and stated in X-Forwarded-Prefix.
        beside: the address of a second server, which is served at /files/.
        asked: takes the path of every request, each an Asked.
        certificate: for TLS, which ends here; None speaks plain HTTP.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            if asked is not None:
                asked.append(Asked(self.path, self.headers.get("range", "")))
            if beside and self.path.startswith(_BESIDE):
                target, path, stated = urlsplit(beside), "/" + self.path[len(_BESIDE) :], {}
            elif self.path == prefix and strips:
                self.send_response(308)
                self.send_header("location", f"{prefix}/")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            elif self.path == prefix or self.path.startswith(f"{prefix}/"):
                target = urlsplit(url)
                path = self.path[len(prefix) :] if strips else self.path
                stated = {} if strips else {"x-forwarded-prefix": prefix}
            else:
                self.send_error(404, "outside of the prefix")
                return
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_ONE_HOP} | stated
            try:
                connection.request(self.command, path, headers={**headers, "host": self.headers["host"]})
                answer = connection.getresponse()
                if answer.getheader("content-type", "").startswith("text/event-stream"):
                    _pass_on_as_it_comes(self, answer)
                    return
                body = answer.read()
            finally:
                connection.close()
            _send_head(self, answer)
            length = answer.getheader("content-length") if self.command == "HEAD" else str(len(body))
            self.send_header("content-length", length or "0")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_GET = do_HEAD = do_OPTIONS = do_POST = _pass_on  # noqa: N815  (named by the library)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key)
        # The handshake is left to the thread of the connection: a browser opens some of which it says nothing.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_address[1]}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _send_head(handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
    handler.send_response(answer.status)
    for key, value in answer.getheaders():
        if key.lower() not in _OF_ONE_HOP:
            handler.send_header(key, value)


def _pass_on_as_it_comes(handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
    """A stream of events has no length, and its reader waits for each."""
    _send_head(handler, answer)
    handler.send_header("connection", "close")
    handler.end_headers()
    with contextlib.suppress(OSError):
        while piece := answer.read1(65536):
            handler.wfile.write(piece)


def folder_url(url: str, prefix: str, folder: Path) -> str:
    """The address that a file below /files/ of a proxy has."""
    return f"{url.removesuffix(prefix)}{_BESIDE}{folder}"
