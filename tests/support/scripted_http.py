"""A loopback HTTP server that answers what a list says, byte by byte where a test wants that."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.http.session import StoreSession

_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # linger on, for no time: closing sends a reset


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Reply:
    """Bytes to send, and what then becomes of the connection; "hang" keeps it open and silent."""

    wire: bytes
    then: Literal["keep", "close", "reset", "hang"] = "keep"


def reply(status: int = 200, body: bytes = b"", announced: int | None = None, **headers: str) -> Reply:
    """An answer; a header's name is written with underscores. One that is shorter than announced ends there."""
    length = len(body) if announced is None else announced
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    wire = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
    return Reply(wire, "keep" if length == len(body) else "close")


def redirect(location: str, status: int = 302) -> Reply:
    return reply(status, b"elsewhere", Location=location)


def chunked(*pieces: bytes, is_ended: bool = True) -> Reply:
    """An answer in pieces, without the last, empty one where it is not ended."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + (b"0\r\n\r\n" if is_ended else b"")
    return Reply(wire, "keep" if is_ended else "close")


SILENCE = Reply(b"", "hang")
HANG_UP = Reply(b"", "close")
RESET = Reply(b"", "reset")


class ScriptedServer:
    """Answers requests with the replies of a script in their order; after those with 418.

    Attributes:
        asked: the requests so far.
        connection_count: accepted so far.
    """

    def __init__(
        self, script: Sequence[Reply] | Callable[[Asked], Reply], tls: ssl.SSLContext | None = None, host: str = ""
    ) -> None:
        self.asked: list[Asked] = []
        self.connection_count = 0
        self._script = script
        self._tls = tls
        self._lock = threading.Lock()
        self._arrivals: queue.Queue[Asked] = queue.Queue()
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((host or "127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for_request(self) -> Asked:
        """The next request that was not waited for yet, its reply being about to be sent."""
        return self._arrivals.get(timeout=60)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connection_count += 1
                self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.append(connection)
            with connection.makefile("rb") as stream:
                while (asked := _read(stream)) is not None:
                    answer = self._next(asked)
                    connection.sendall(answer.wire)
                    if answer.then != "keep":
                        self._end(connection, answer)
                        return
        connection.close()

    def _next(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            number = len(self.asked) - 1
        self._arrivals.put(asked)
        if callable(self._script):
            return self._script(asked)
        return self._script[number] if number < len(self._script) else reply(418, b"the script is over")

    def _end(self, connection: socket.socket, answer: Reply) -> None:
        if answer.then == "hang":
            self._over.wait()
        if answer.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        with contextlib.suppress(OSError):
            if answer.then != "reset":
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def close(self) -> None:
        self._over.set()
        self._listener.close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _read(stream: object) -> Asked | None:
    """The next request of a connection, None at its end."""
    line = stream.readline().decode("latin-1")  # type: ignore[attr-defined]
    if not line.strip():
        return None
    method, target, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":  # type: ignore[attr-defined]
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
    return Asked(method, target, headers, body)


@contextlib.contextmanager
def scripted(
    script: Sequence[Reply] | Callable[[Asked], Reply], tls: ssl.SSLContext | None = None, host: str = ""
) -> Iterator[ScriptedServer]:
    """A server on this machine that answers what the script says."""
    server = ScriptedServer(script, tls, host)
    try:
        yield server
    finally:
        server.close()


def session_with(url: str, waits: list[float] | None = None, **settings: Any) -> StoreSession:
    """A session that does not wait between attempts, but notes in `waits` how long it would have."""
    noted = [] if waits is None else waits
    settings.setdefault("credentials", CredentialsConfig())
    return StoreSession(url, _pause=lambda context, seconds: noted.append(seconds), **settings)


def closed_port() -> int:
    """A port at which nothing listens: taken and given back."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def self_signed(folder: Path, name: str = "") -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate that nobody vouches for, and the certificate's file.

    Args:
        folder: where the files are made.
        name: the host the certificate is for; 127.0.0.1 unless stated.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scripted")])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.DNSName(name) if name else x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file
