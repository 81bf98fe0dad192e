"""What can be wrong with TLS between two ends, in the words of this project, and how it is told from others' words."""

from __future__ import annotations

import enum
import re

from voxgate.model.errors import TlsFailed


class Trouble(enum.Enum):
    """What is wrong: what happened, with the address put in, and what to do about it."""

    SPEAKS_TLS = ("{} speaks TLS, and this client does not", "say tls=True, or set VOXGATE_TLS=1 or VOXGATE_CA_FILE")
    SPEAKS_NO_TLS = ("{} speaks no TLS, and this client does", "leave tls out, or ask for the port that speaks TLS")
    NO_GRPC = ("{} speaks TLS, but not gRPC", "name the gRPC port; that of the HTTP gateway is another")
    OTHER_NAME = (
        "the certificate of {} is for other names",
        "connect by a name that is in it, or state the name as server_name",
    )
    UNKNOWN_AUTHORITY = (
        "the certificate of {} is of an authority that this client does not believe",
        "name the PEM file of its authority: ca_file, or VOXGATE_CA_FILE",
    )
    EXPIRED = ("the certificate of {} has expired", "its operator puts a new one in place; check this machine's clock")
    NOT_YET = ("the certificate of {} is not valid yet", "check this machine's clock")
    NO_CLIENT_CERTIFICATE = (
        "{} asks for a certificate, and this client has none",
        "name the PEM files of yours: cert_file and key_file, or VOXGATE_CERT_FILE and VOXGATE_KEY_FILE",
    )
    CLIENT_CERTIFICATE_REFUSED = (
        "{} does not take the certificate of this client",
        "ask its operator which authority it believes, and look whether yours has expired",
    )
    OTHER = ("{} and this client find no TLS that both take", "update the older of the two; TLS 1.2 is the least")


def tls_failed(trouble: Trouble, address: str) -> TlsFailed:
    """The error that says what is wrong with the server at an address."""
    message, remedy = trouble.value
    return TlsFailed(message.format(address), remedy, details={"tls": trouble.name})


_HANDSHAKE = re.compile(r"(ssl|tls) handshake failed|hostname verification check failed", re.IGNORECASE)
_WORDS = (
    ("hostname verification", Trouble.OTHER_NAME),
    ("wrong_version_number", Trouble.SPEAKS_NO_TLS),
    ("certificate has expired", Trouble.EXPIRED),
    ("not yet valid", Trouble.NOT_YET),
    ("certificate_required", Trouble.NO_CLIENT_CERTIFICATE),
    ("alert", Trouble.CLIENT_CERTIFICATE_REFUSED),
    ("certificate_verify_failed", Trouble.UNKNOWN_AUTHORITY),
)


def trouble_of_grpc(text: str) -> Trouble | None:
    """What gRPC's own words for a connection that was not made mean; None where they say nothing of TLS.

    The words are those of gRPC's core and BoringSSL, and no interface: what is not known is some trouble.
    """
    if not _HANDSHAKE.search(text):
        return None
    lower = text.lower()
    return next((trouble for words, trouble in _WORDS if words in lower), Trouble.OTHER)
