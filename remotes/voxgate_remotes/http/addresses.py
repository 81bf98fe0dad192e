"""The address guard: where a store may send us.

The host that the operator configured may be anywhere. A redirect comes from the store, so it may lead back to the same
server or out to a public address, never into the network this server stands in: the metadata service of a cloud, a
database next door, the loopback. What counts is the address that is connected to, looked at after the name was
resolved, because a public name can point inwards.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from voxgate.model.errors import PathRefused

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_REMEDY = "configure the address the store redirects to, if it is to be trusted"


@dataclass(frozen=True, slots=True)
class Origin:
    """A server: what a token is for.

    Attributes:
        scheme: "http" or "https".
        host: lower case, no dot at its end.
        port: stated or the scheme's.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute URL.

        Raises:
            PathRefused: when it is none that can be asked.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise PathRefused("the store redirects to an address that is no URL", _REMEDY) from None
        scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
            raise PathRefused("the store redirects to something other than plain http or https", _REMEDY)
        return cls(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port)

    def is_home_of(self, other: Origin) -> bool:
        """Whether `other` is the same server: equal, or its https on the usual ports."""
        upgraded = (self.scheme, self.port, other.scheme, other.port) == ("http", 80, "https", 443)
        return self == other or (self.host == other.host and upgraded)


def next_url(current: str, location: str) -> str:
    """The absolute URL that a redirect leads to.

    Raises:
        PathRefused: from https to http, and for what is no URL of http or https.
    """
    try:
        following = urljoin(current, location).partition("#")[0]
    except ValueError:
        raise PathRefused("the store redirects to an address that is no URL", _REMEDY) from None
    if Origin.of(current).scheme == "https" and Origin.of(following).scheme == "http":
        raise PathRefused("the store redirects from https to http", "ask its operator to repair that")
    return following


def check_public(address: str) -> None:
    """Refuse an address of a private, local or special network.

    Args:
        address: as the system resolved it, IPv4 or IPv6, perhaps with a zone.

    Raises:
        PathRefused: without naming the address, which a caller has no business with.
    """
    if not is_public(address):
        raise PathRefused("the store redirects to a private address", _REMEDY)


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, also where IPv6 only wraps an IPv4 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _wrapped(ip)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself, without asking anybody."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    inner = _wrapped(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    return (inner or ip).is_loopback


def _wrapped(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that traffic to this IPv6 one ends at."""
    if ip in _TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
