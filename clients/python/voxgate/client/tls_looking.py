"""Why a server that was not reached was not: one look with Python's own TLS, which says more than gRPC does.

gRPC tells a connection that a server ended from one that never was in no way; and a server that wants a certificate
says so only after the client believes it is connected (RFC 8446 section 4.4.2.4).
"""

from __future__ import annotations

import socket
import ssl
import urllib.request

from voxgate.client.addresses import is_this_machine
from voxgate.client.tls import Tls, tls_context
from voxgate.model.errors import TlsFailed
from voxgate.wire.tls_troubles import Trouble, tls_failed

_PATIENCE_S = 3.0
_PROXIES = ("grpc", "https", "http", "all")
# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_VERIFIED = {9: Trouble.NOT_YET, 10: Trouble.EXPIRED, 62: Trouble.OTHER_NAME, 64: Trouble.OTHER_NAME}
_UNKNOWN = (2, 18, 19, 20, 21)


def tls_trouble(address: str, tls: Tls | None) -> TlsFailed | None:
    """What is wrong with TLS between here and a server that does not answer; None where it is something else.

    Args:
        address: as `connect` takes it; of several, the first is looked at.
        tls: how this client speaks TLS; None where it does not.
    """
    place = _place(address)
    if place is None or not _is_direct(address):
        return None
    try:
        with socket.create_connection(place, _PATIENCE_S) as raw:
            found = _speaks_tls(raw) if tls is None else _trouble(raw, tls, place[0])
    except OSError:
        return None
    return None if found is None else tls_failed(found, address)


def _speaks_tls(raw: socket.socket) -> Trouble | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is told to the other end: it is only asked whether it understands.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(raw).close()
    except ssl.SSLError as error:
        return Trouble.SPEAKS_TLS if "ALERT" in str(error.reason) else None
    return Trouble.SPEAKS_TLS


def _trouble(raw: socket.socket, tls: Tls, host: str) -> Trouble | None:
    try:
        with tls_context(tls).wrap_socket(raw, server_hostname=tls.server_name or host) as secured:
            if secured.selected_alpn_protocol() != "h2":
                return Trouble.NO_GRPC
            # Who speaks HTTP/2 says so at once; who wants another certificate than ours ends here.
            answered = secured.recv(1)
    except ssl.SSLCertVerificationError as error:
        unknown = Trouble.UNKNOWN_AUTHORITY if error.verify_code in _UNKNOWN else Trouble.OTHER
        return _VERIFIED.get(error.verify_code, unknown)
    except ssl.SSLError as error:
        return _refused(str(error.reason), tls)
    except ConnectionError:
        return _client_certificate(tls)
    return None if answered else _client_certificate(tls)


def _refused(reason: str, tls: Tls) -> Trouble:
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER" in reason or "PACKET_LENGTH" in reason:
        return Trouble.SPEAKS_NO_TLS
    if "NO_APPLICATION_PROTOCOL" in reason:
        return Trouble.NO_GRPC
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return _client_certificate(tls)
    return Trouble.OTHER


def _client_certificate(tls: Tls) -> Trouble:
    return Trouble.CLIENT_CERTIFICATE_REFUSED if tls.cert_file else Trouble.NO_CLIENT_CERTIFICATE


def _place(address: str) -> tuple[str, int] | None:
    """The first host and port of an address; None where it is none of TCP."""
    plain = address.removeprefix("dns:").lstrip("/").removeprefix("ipv4:").removeprefix("ipv6:").split(",")[0]
    host, _, port = plain.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() and not plain.startswith("unix:") else None


def _is_direct(address: str) -> bool:
    """Whether no proxy is between, as far as the environment says."""
    return is_this_machine(address) or not any(name in urllib.request.getproxies() for name in _PROXIES)
