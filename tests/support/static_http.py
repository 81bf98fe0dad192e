"""A server of static files on a loopback socket, as plain as they come, with knobs for what goes wrong on the way."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass
class StaticFiles:
    """The files below a folder, and how they are served.

    Attributes:
        root: of all files.
        has_ranges: False: a request for a range is answered with everything, as RFC 9110 allows.
        latency_s: a wait before each answer.
        gzip: files whose name has a `.gz` beside it are sent with `Content-Encoding: gzip`, as web servers do.
        codings: ending of a file's name -> the Content-Encoding that it is sent with.
        statuses: pattern of a path -> the status that it is answered with.
        said: the body of such an answer.
        redirects: pattern of a path -> where it leads.
        cut: pattern of paths whose bodies end before they should; empty for none.
        held: an answer waits until it is set, where `latency_s` is not enough.
        token: what must be in the Authorization header; empty for nobody's business.
        whim: path -> what becomes of this one answer: "" as usual, a status, "cut" ends it early, "short" is half
            of the file as if that were all. May take its time.
        asked: (method, path, Range or "", Authorization or "") of every request so far.
    """

    root: Path
    has_ranges: bool = True
    latency_s: float = 0.0
    gzip: bool = False
    codings: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    said: bytes = b"no such luck"
    redirects: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    held: threading.Event = field(default_factory=threading.Event)
    token: str = ""
    whim: Callable[[str], str] = lambda _: ""
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def url(self) -> str:
        """Of the root."""
        return f"http://{self.address}"


@contextlib.contextmanager
def static_http(root: Path, port: int = 0) -> Iterator[StaticFiles]:
    """Serve until the block ends, at a port of the system's choice unless told otherwise."""
    files = StaticFiles(root)

    class Handler(_Handler):
        served = files

    server = _Server(("127.0.0.1", port), Handler)
    files.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.held.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up in these tests; nobody wants to read of it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet where it fits, not one that waits for the acknowledgement of its headers
    disable_nagle_algorithm = True
    served: StaticFiles
    _is_cut = False

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _answer(self, with_body: bool) -> None:
        files, path = self.served, unquote(urlsplit(self.path).path)
        asked_range = self.headers.get("Range", "")
        said = self.headers.get("Authorization", "")
        files.asked.append((self.command, path, asked_range, said))
        time.sleep(files.latency_s)
        files.held.wait(60)
        whim = files.whim(path)
        if whim.isdecimal():
            self._send(int(whim), files.said, {}, with_body)
            return
        if files.token and said != f"Bearer {files.token}":
            self._send(401, b"who are you?", {}, with_body)
            return
        for pattern, status in files.statuses.items():
            if re.search(pattern, path):
                self._send(status, files.said, {}, with_body)
                return
        for pattern, target in files.redirects.items():
            if re.search(pattern, path):
                self._send(302, b"", {"Location": target}, with_body)
                return
        data, headers = self._found(path)
        if data is None:
            self._send(404, b"not here", {}, with_body)
            return
        data = data[: len(data) // 2] if whim == "short" else data
        self._is_cut = whim == "cut" or bool(files.cut and re.search(files.cut, path))
        span = span_of(asked_range, len(data)) if files.has_ranges else None
        if span is None:
            self._send(200, data, headers, with_body)
        elif span[0] >= span[1]:
            self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"}, with_body)
        else:
            headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{len(data)}"
            headers["ETag"] = _etag(data)  # of the whole file, as RFC 9110 has it
            self._send(206, data[span[0] : span[1]], headers, with_body)

    def _found(self, path: str) -> tuple[bytes | None, dict[str, str]]:
        """A file's bytes and what is said of them."""
        file = self.served.root / path.lstrip("/")
        packed = file.with_name(f"{file.name}.gz")
        if self.served.gzip and packed.is_file():
            return packed.read_bytes(), {"Content-Encoding": "gzip"}
        codings = self.served.codings
        said = {"Content-Encoding": codings[file.suffix]} if file.suffix in codings else {}
        return (file.read_bytes() if file.is_file() else None), said

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in {"ETag": _etag(body), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not with_body:
            return
        if self._is_cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)


def _etag(data: bytes) -> str:
    return f'"{zlib.crc32(data):x}"'


def span_of(text: str, size: int) -> tuple[int, int] | None:
    """The first and the last but one byte of a Range header; None where it asks for everything."""
    match = _RANGE.fullmatch(text)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)
