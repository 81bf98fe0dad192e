"""Where a gRPC server listens: with TLS or without, and beside it at a door that only this user's processes find."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import grpc

from voxgate.model.errors import ConfigInvalid
from voxgate_serving.tls import Certificate, LiveCertificate, TlsFiles

TABLE = "server.tls"


def server_certificate(files: TlsFiles) -> LiveCertificate | None:
    """The certificate of a gRPC server; None where it speaks no TLS.

    Raises:
        ConfigInvalid: when its files cannot be used.
    """
    if not files.is_on:
        return None
    return LiveCertificate(files, TABLE, "grpc")


def server_credentials(live: LiveCertificate) -> grpc.ServerCredentials:
    """For a port that shows each who connects what the files hold then. TLS 1.2 and later, as gRPC has it."""
    given = live.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        current = live.current()
        if current is given:
            return None
        given = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(_configuration(given), fetch, bool(given.client_ca))  # type: ignore[arg-type]


def _configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
    pair = [(certificate.key, certificate.cert)]
    return grpc.ssl_server_certificate_configuration(pair, certificate.client_ca or None)


class PrivateDoor:
    """A Unix socket in a folder that nobody else may enter: for a gateway of ours, which needs no certificate there."""

    def __init__(self) -> None:
        """Make the folder.

        Raises:
            ConfigInvalid: when there is no room for it.
        """
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="voxgate-"))
        except OSError:
            raise ConfigInvalid(
                "there is no folder for temporary files", "give the process a writable TMPDIR"
            ) from None
        self.address = f"unix:{self._folder / 'grpc'}"

    def bind(self, server: grpc.Server) -> None:
        """Have a server listen here too.

        Raises:
            ConfigInvalid: when the system has no such sockets, or the path is too long for one.
        """
        try:
            is_bound = server.add_insecure_port(self.address) != 0
        except RuntimeError:
            is_bound = False
        if not is_bound:
            self.close()
            raise ConfigInvalid("cannot listen on a Unix socket", "give the process a TMPDIR with a short path")

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
