"""HTTP over plain sockets, for what no client library would send."""

from __future__ import annotations

import contextlib
import socket
import string


def said(port: int, data: bytes, *, timeout: float = 30.0) -> bytes:
    """Everything that a server on loopback answers to some bytes, whatever they are."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        received = b""
        with contextlib.suppress(OSError):  # it may have been refused, and closed, before its end
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
        return received


def get(target: str, *headers: str) -> bytes:
    """The bytes of a request for one answer; `target` and headers go as they are."""
    lines = [f"GET {target} HTTP/1.1", "host: x", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def request_of(target: str, headers: list[tuple[str, str]], method: str, body: bytes = b"") -> bytes:
    """The bytes of a request that is one, whatever its parts are: nothing in them ends a line."""
    clean = "".join(f"%{ord(c):02x}" if c in string.whitespace else c for c in target)
    clean = clean.encode("ascii", "replace").decode()
    ends = {ord(c): None for c in "\r\n\v\f"}
    lines = [f"{name}: {value.translate(ends)}" for name, value in headers]
    lines += [f"content-length: {len(body)}"] if body else []
    return get(clean, *lines).replace(b"GET", method.encode(), 1) + body


def status_of(answer: bytes) -> int:
    """The status of an answer that has one."""
    assert answer.startswith(b"HTTP/1.1 "), answer[:80]
    return int(answer[9:12])
