"""The URI of a remote that speaks HTTP: where its server is, and the path below it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from voxgate.model.errors import ConfigInvalid

_HTTP = re.compile(r"https?://", re.IGNORECASE)
_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")


@dataclass(frozen=True, slots=True)
class StoreUri:
    """A store's URI taken apart.

    Attributes:
        base_url: "https://api.bossdb.io": scheme, host and port where one is stated; nothing after.
        path: the decoded segments of the rest.
    """

    base_url: str
    path: tuple[str, ...]


def base_url(uri: str, default_scheme: str) -> StoreUri:
    """Take a remote's URI apart: `bossdb://api.bossdb.io`, `dvid://http://127.0.0.1:8000/x`.

    Args:
        uri: an adapter's scheme, then a host or an http or https URL.
        default_scheme: "https" or "http", for a URI that does not say.

    Raises:
        ConfigInvalid: when no host can be made out, and for what does not belong there: a user or password (they
            would be shown wherever the URI is), a query, a fragment, dot segments.
    """
    rest = uri.partition("://")[2] if not _HTTP.match(uri) else uri
    parts = _split(rest if _HTTP.match(rest) else f"{default_scheme}://{rest}")
    if "@" in parts.netloc:
        raise ConfigInvalid("the uri of a remote has a user in it", "state what proves who asks under credentials")
    if parts.query or parts.fragment or "?" in uri or "#" in uri:
        raise ConfigInvalid("the uri of a remote has a query or fragment", "state the host and the path alone")
    path = tuple(unquote(segment) for segment in parts.path.split("/") if segment)
    if any(segment in (".", "..") for segment in path):
        raise ConfigInvalid("the uri of a remote has dot segments", "state the path as it is")
    return StoreUri(f"{parts.scheme}://{_host(parts)}", path)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only now by urlsplit
    except ValueError:
        raise ConfigInvalid("the uri of a remote is no URL", "state a host and, where needed, a port") from None
    return parts


def _host(parts: SplitResult) -> str:
    """The host and the port, checked: characters that other parsers take for separators have no business here."""
    name = parts.hostname or ""
    if ":" in name:
        try:
            name = f"[{ipaddress.IPv6Address(name)}]"
        except ValueError:
            name = ""
    elif not _NAME.fullmatch(name):
        name = ""
    if not name:
        raise ConfigInvalid("the uri of a remote names no host", 'state one, e.g. "dvid://http://127.0.0.1:8000"')
    return name if parts.port is None else f"{name}:{parts.port}"
