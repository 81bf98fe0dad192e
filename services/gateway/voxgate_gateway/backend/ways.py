"""How the servers behind are reached: with TLS or without."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import grpc.aio

from voxgate.client.retrying import service_config
from voxgate.client.tls import Tls, tls_pems

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # Every replica behind a headless service gets its share, and a replica that just went away costs no request.
    ("grpc.service_config", service_config(is_balanced=True, resumes=False)),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A chunk in one piece, and not a hundred.
    ("grpc.http2.max_frame_size", (1 << 24) - 1),
    ("grpc.http2.lookahead_bytes", 4 << 20),
)


@dataclass(frozen=True, slots=True)
class Way:
    """How channels are made.

    Attributes:
        tls: what is believed and shown; None speaks no TLS. A Unix socket is always reached without.
    """

    tls: Tls | None = None

    def channel(self, address: str) -> grpc.Channel:
        """A channel whose calls a thread waits for; connects on first use.

        Raises:
            ConfigInvalid: when a file of the TLS cannot be used.
        """
        if self.tls is None or _is_private(address):
            return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        return grpc.secure_channel(address, _credentials(self.tls), options=_options(self.tls))

    def aio_channel(self, address: str) -> grpc.aio.Channel:
        """The same for calls that coroutines wait for; for the event loop that runs."""
        if self.tls is None or _is_private(address):
            return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(address, _credentials(self.tls), options=_options(self.tls))


def _is_private(address: str) -> bool:
    return address.startswith("unix:")


def _options(tls: Tls) -> tuple[tuple[str, str | int], ...]:
    return (*CHANNEL_OPTIONS, *((("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()))


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    pems = tls_pems(tls)
    return grpc.ssl_channel_credentials(pems.ca, pems.key, pems.cert)
