"""What a TLS listener shows to whoever connects, by Python's own TLS."""

from __future__ import annotations

import socket
import ssl

from .certificates import Certificate


def shown(port: int, own: Certificate, *, alpn: str = "h2", client: Certificate | None = None) -> bytes:
    """The certificate, DER, that a listener on this machine shows to who believes the authority of `own`.

    Raises:
        ssl.SSLError, ConnectionError: when there is no agreement, or the listener ends the connection at once.
    """
    context = ssl.create_default_context(cafile=own.authority)
    context.set_alpn_protocols([alpn])
    if client is not None:
        context.load_cert_chain(client.file, client.key)
    with (
        socket.create_connection(("127.0.0.1", port), 30) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def der(own: Certificate) -> bytes:
    """The certificate in a file, DER."""
    return ssl.PEM_cert_to_DER_cert(own.file.read_text())
