"""TLS of listeners: which files, and what they hold now. Files that change are read again; a bad change is not taken.

A server looks at its files when somebody connects, so that nothing runs in between: a connection that is open stays as
it began, the next one gets what the files say then. What cannot be used is logged and counted, and the certificate of
before stays.
"""

from __future__ import annotations

import datetime
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from voxgate.model.errors import ConfigInvalid
from voxgate_serving.logs import logger
from voxgate_serving.metrics import Metric

_OUTCOMES = ("applied", "refused")
_AGAIN_S = 5.0
"""After how long files that could not be used are looked at again although they did not change: time may cure them."""

Signature = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a listener's TLS is made of; nothing where it has none.

    Attributes:
        cert: PEM file of the certificate, those that signed it behind it.
        key: PEM file of its key, without a password.
        client_ca: PEM file of the authorities that the certificates of clients are believed by; empty asks for none.
        require_client_cert: whether a client without a certificate is refused, where `client_ca` asks for one.
    """

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    require_client_cert: bool = True

    @property
    def is_on(self) -> bool:
        """Whether the listener speaks TLS."""
        return bool(self.cert or self.key or self.client_ca)

    def problems(self, where: str, *, can_ask: bool = True) -> list[ConfigInvalid]:
        """What is wrong with what is said, whatever the files hold.

        Args:
            where: the table that says it.
            can_ask: whether the listener can ask for a certificate without insisting on one.
        """
        found = []
        if self.is_on and not (self.cert and self.key):
            missing = f"{where}.{'key' if self.cert else 'cert'}"
            found.append(_bad(missing, "is missing", "name the PEM files of a certificate and of its key"))
        if self.client_ca and not self.require_client_cert and not can_ask:
            remedy = "leave it out, or client_ca: gRPC insists on a certificate of every client, or asks for none"
            found.append(_bad(f"{where}.require_client_cert", "cannot be false", remedy))
        return found


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the files of a listener held at one moment.

    Attributes:
        cert: PEM.
        key: PEM.
        client_ca: PEM; empty where clients are asked for nothing.
        expires: when the certificate does, seconds since 1970.
        context: for a server with sockets.
    """

    cert: bytes
    key: bytes
    client_ca: bytes
    expires: float
    context: ssl.SSLContext


def load_certificate(files: TlsFiles, where: str) -> Certificate:
    """Read the files of a listener, and check that they can be used now.

    Args:
        files: which.
        where: the table that names them, for errors.

    Raises:
        ConfigInvalid: naming the key, for a file that cannot be read or is not what it should be, a key that is another
            certificate's, and a certificate that is expired or not valid yet.
    """
    problems = files.problems(where)
    if problems:
        raise problems[0]
    cert, key = _read(files.cert, f"{where}.cert"), _read(files.key, f"{where}.key")
    leaf = _leaf(cert, f"{where}.cert")
    _check_key(key, leaf, f"{where}.key")
    client_ca = b""
    if files.client_ca:
        believed = _parsed(_read(files.client_ca, f"{where}.client_ca"), f"{where}.client_ca")
        # Without what people write between certificates.
        client_ca = b"".join(each.public_bytes(Encoding.PEM) for each in believed)
    try:
        context = _context(files, client_ca)
    except (OSError, ValueError) as error:
        raise _bad(f"{where}.cert", "cannot be used", f"correct the files: {type(error).__name__}") from None
    return Certificate(cert, key, client_ca, leaf.not_valid_after_utc.timestamp(), context)


class LiveCertificate:
    """A listener's certificate, as its files are. Thread-safe."""

    def __init__(self, files: TlsFiles, where: str, endpoint: str) -> None:
        """Read the files.

        Args:
            files: which.
            where: the table that names them, for errors.
            endpoint: "grpc" or "http", for metrics and the log.

        Raises:
            ConfigInvalid: when they cannot be used.
        """
        self._files = files
        self._where = where
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._outcomes: Counter[str] = Counter()
        self._refused_at: float | None = None
        self._seen = _signature(files)
        self._current = load_certificate(files, where)

    def current(self) -> Certificate:
        """What the files hold, or held when they could be used last."""
        with self._lock:
            signature = _signature(self._files)
            waited = self._refused_at is not None and time.monotonic() - self._refused_at >= _AGAIN_S
            if signature != self._seen or waited:
                is_new = signature != self._seen
                # Before the files are read: what changes meanwhile is seen at the next look.
                self._seen = signature
                self._take(is_new=is_new)
            return self._current

    def metrics(self) -> list[Metric]:
        """How often the files changed, whether they could be used, and until when the certificate holds."""
        expires = self.current().expires
        told = "times that the files of a certificate changed, by what came of it"
        good = "whether the files of the certificate could be used when they changed the last time"
        until = "when the certificate that is shown expires, seconds since 1970"
        labels = {"endpoint": self._endpoint}
        return [
            *(
                Metric("voxgate_tls_reloads_total", told, "counter", {**labels, "outcome": each}, self._outcomes[each])
                for each in _OUTCOMES
            ),
            Metric("voxgate_tls_good", good, "gauge", labels, int(self._refused_at is None)),
            Metric("voxgate_tls_certificate_expiry_time_seconds", until, "gauge", labels, expires),
        ]

    def _take(self, *, is_new: bool) -> None:
        try:
            self._current = load_certificate(self._files, self._where)
        except ConfigInvalid as error:
            self._refused_at = time.monotonic()
            if is_new:
                self._outcomes["refused"] += 1
                logger().error(
                    "the new certificate is refused, the old one stays",
                    endpoint=self._endpoint,
                    message=error.message,
                    remedy=error.remedy,
                )
            return
        self._refused_at = None
        self._outcomes["applied"] += 1
        logger().info("the certificate was read again", endpoint=self._endpoint, expires=self._current.expires)


def live_context(live: LiveCertificate) -> ssl.SSLContext:
    """A context for a server's sockets that shows each who connects what the files hold then."""
    context = live.current().context

    def show(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        # Another context, and not new files in the same one: authorities that are gone are believed no longer.
        connection.context = live.current().context

    # Called for every handshake, also of a client that names no server.
    context.sni_callback = show
    return context


def anchored(table: object, keys: tuple[str, ...], base: Path) -> Any:
    """A table some of whose keys name files, with paths that are not whole put below `base`; anything else as it is."""
    if not isinstance(table, Mapping):
        return table
    return {
        key: str(base / value) if key in keys and isinstance(value, str) and value else value
        for key, value in table.items()
    }


def _context(files: TlsFiles, client_ca: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session that is taken up again shows no certificate: whoever was let in by one that holds no more would stay.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.cert, files.key, password=_no_password)
    if client_ca:
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED if files.require_client_cert else ssl.CERT_OPTIONAL
    return context


def _no_password() -> str:
    # Asked of nobody: a server has no terminal.
    raise ValueError("the key has a password")


def _read(name: str, key: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise _bad(key, f"cannot be read: {error.strerror}", "name a PEM file that this process may read") from None


def _parsed(pem: bytes, key: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise _bad(key, "holds no certificate", "name a PEM file of certificates") from None


def _leaf(pem: bytes, key: str) -> x509.Certificate:
    leaf = _parsed(pem, key)[0]
    now = datetime.datetime.now(datetime.UTC)
    if now >= leaf.not_valid_after_utc:
        raise _bad(key, f"expired at {leaf.not_valid_after_utc.isoformat()}", "put a new certificate there")
    if now < leaf.not_valid_before_utc:
        raise _bad(key, f"is not valid before {leaf.not_valid_before_utc.isoformat()}", "set this machine's clock")
    return leaf


def _check_key(pem: bytes, leaf: x509.Certificate, key: str) -> None:
    try:
        private = load_pem_private_key(pem, None)
        held, wanted = private.public_key(), leaf.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad(key, "holds no key without a password", "name a PEM file of the certificate's key") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if held.public_bytes(*form) != wanted.public_bytes(*form):
        raise _bad(key, "is not the key of this certificate", "name the two files of one pair")


def _bad(key: str, what: str, remedy: str) -> ConfigInvalid:
    return ConfigInvalid(f'"{key}" {what}', remedy, details={"key": key})


def _signature(files: TlsFiles) -> Signature:
    """By what a change shows without reading: a file that is replaced is another one, and a link leads elsewhere."""
    return tuple(_stat(name) for name in (files.cert, files.key, files.client_ca))


def _stat(name: str) -> tuple[int, ...]:
    try:
        told = Path(name).stat()
    except OSError:
        return ()
    return (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns)
