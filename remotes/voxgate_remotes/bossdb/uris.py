"""BossDB's URIs: which of them are of a configured host, and which may be.

`bossdb://HOST/COLLECTION/EXPERIMENT/CHANNEL`, or with `https://HOST` or `http://HOST`, says which store it is of. The
intern client writes `bossdb://COLLECTION/EXPERIMENT/CHANNEL` and means the host it is configured for. Behind either
it may write the number of a resolution level, which is no part of the name.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from voxgate.model.remotes import ResolvedUri
from voxgate_remotes.bossdb.routes import is_name

_SCHEME = "bossdb://"
_PORTS = {"https": 443, "http": 80}


def resolved(base_url: str, uri: str) -> ResolvedUri | None:
    """What a URI means for the remote at `base_url`; None where it is not of this remote.

    A URI that does not say http or https is of the remote if host and port are; a host alone has the port that goes
    with the way in which the operator reaches it.
    """
    if not uri.startswith(_SCHEME) or any(mark in uri for mark in "?#@"):
        return None
    rest = uri.removeprefix(_SCHEME)
    home = urlsplit(base_url)
    scheme, separator, after = rest.partition("://")
    if separator and scheme not in _PORTS:
        return None
    host, _, below = (after if separator else rest).partition("/")
    if scheme == home.scheme or not separator:
        path = _path(below)
        if path is not None and _place(host, home.scheme) == _place(home.netloc, home.scheme):
            return ResolvedUri(len(uri) - len(below) - (1 if below else 0), path)
    path = None if separator else _path(rest)
    if path is None or len(path) != 3:
        return None
    return ResolvedUri(len(_SCHEME), path, is_exact=False)


def _path(below: str) -> tuple[str, ...] | None:
    """The name segments, without a resolution; None where BossDB could not have them."""
    segments = tuple(unquote(segment) for segment in below.rstrip("/").split("/")) if below.rstrip("/") else ()
    if len(segments) == 4 and segments[3].isdecimal():
        segments = segments[:3]
    if len(segments) > 3 or not all(map(is_name, segments)):
        return None
    return segments


def _place(host: str, scheme: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"{scheme}://{host}")
        return (parts.hostname or "").rstrip("."), parts.port or _PORTS[scheme]
    except ValueError:
        return None
