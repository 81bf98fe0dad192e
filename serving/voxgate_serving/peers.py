"""Who is at the other end of a gRPC connection, as far as its certificate says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """The names in a certificate that the listener's authorities signed.

    Attributes:
        common_name: of its subject; empty where it has none.
        dns: names of its subjectAltName (RFC 5280 section 4.2.1.6), in its order; so are the others.
        uris: such as a SPIFFE id.
        emails: of people.
        addresses: IP addresses as text.
    """

    common_name: str = ""
    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The one to know the peer by: the first URI, else e-mail address, else DNS name, else the common name."""
        return next((each[0] for each in (self.uris, self.emails, self.dns) if each), self.common_name)


def peer_identity(auth_context: Mapping[str, Iterable[bytes]]) -> PeerIdentity | None:
    """Whose certificate a peer showed; None where it showed none, or nothing was checked.

    Args:
        auth_context: what `grpc.ServicerContext.auth_context()` answers. Its keys are those of gRPC's
            grpc_security_constants.h; `x509_pem_cert` is there exactly when a certificate was verified.
    """
    if b"ssl" not in auth_context.get("transport_security_type", ()) or not auth_context.get("x509_pem_cert"):
        return None
    common = _texts(auth_context, "x509_common_name")
    return PeerIdentity(
        common[0] if common else "",
        _texts(auth_context, "peer_dns"),
        _texts(auth_context, "peer_uri"),
        _texts(auth_context, "peer_email"),
        _texts(auth_context, "peer_ip"),
    )


def _texts(auth_context: Mapping[str, Iterable[bytes]], key: str) -> tuple[str, ...]:
    # A name with a NUL in it ends there for some who read it, and not for others: it is nobody's.
    values = (value.decode("utf-8", "replace") for value in auth_context.get(key, ()))
    return tuple(value for value in values if value and "\0" not in value)
