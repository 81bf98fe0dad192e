"""What gcp-storage-emulator leaves out of Google's JSON API, put in front of it: generations, conditions, ranges.

It stores, lists and answers; but it names no generation with an object's bytes (`x-goog-generation`), ignores
`ifGenerationMatch` and `ifGenerationNotMatch`, and answers a whole object to a Range. Clients that write on condition
cannot work so. Fact: cloud.google.com/storage/docs, "Request preconditions" and "Objects: get".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import requests

from support.static_http import span_of

_PASSED = ("Content-Type", "Content-Encoding", "Location")


@contextlib.contextmanager
def gcs_front(url: str) -> Iterator[str]:
    """Serve in front of the emulator at `url` until the block ends; answers where."""

    class Handler(_Handler):
        behind = url
        lock = threading.Lock()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    behind: str
    lock: threading.Lock

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        with self.lock:
            is_public_file = not parts.path.startswith("/storage/")
            if "media" not in query.get("alt", ()) and not is_public_file:
                self._forward("GET")
                return
            generation = "1" if is_public_file else self._generation(parts.path)
            status = _refused(query, generation)
            if status:
                self._send(status, b"", {})
                return
            found = requests.get(f"{self.behind}{self.path}", timeout=20)
        headers = {"x-goog-generation": generation} if found.ok else {}
        span = span_of(self.headers.get("Range", ""), len(found.content)) if found.ok else None
        if span is None:
            self._send(found.status_code, found.content, headers)
        elif span[0] >= span[1]:
            self._send(416, b"", headers)
        else:
            headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{len(found.content)}"
            self._send(206, found.content[slice(*span)], headers)

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        with self.lock:
            name = query.get("name", [""])[0]
            where = f"{parts.path.removeprefix('/upload')}/{quote(name, safe='')}"
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if name and "ifGenerationMatch" in query and _refused(query, self._generation(where)):
                self._send(412, b"", {})
                return
            self._forward("POST", body)

    def do_DELETE(self) -> None:
        with self.lock:
            self._forward("DELETE")

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _generation(self, path: str) -> str:
        """Of an object; "0" where there is none."""
        found = requests.get(f"{self.behind}{path}", timeout=20)
        return str(found.json()["generation"]) if found.ok else "0"

    def _forward(self, method: str, body: bytes | None = None) -> None:
        sent = {name: value for name, value in self.headers.items() if name in ("Content-Type", "Authorization")}
        found = requests.request(method, f"{self.behind}{self.path}", data=body, headers=sent, timeout=20)
        self._send(found.status_code, found.content, {k: v for k, v in found.headers.items() if k in _PASSED})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _refused(query: dict[str, list[str]], generation: str) -> int:
    """The status of a condition that does not hold; 0 where all do."""
    if query.get("ifGenerationNotMatch", [None])[0] == generation:
        return 304
    wanted = query.get("ifGenerationMatch", [generation])[0]
    return 0 if wanted == generation else 412
