"""What an operator would have to configure, so that a URI that a caller named is served."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote

from voxgate_remotes.config import caller_uri, remote_name

_USER = re.compile(r"(?<=://)[^/]*@|^([a-z][a-z0-9+.-]*:)(?!//)[^/]*@", re.IGNORECASE)
_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f"\\]')
_LONGEST = 200
_BOSSDB_HOST = "api.bossdb.io"
"""The public BossDB: what the intern client means by `bossdb://COLLECTION/EXPERIMENT/CHANNEL` unless told otherwise."""


def suggestion(uri: str, schemes: Collection[str]) -> str:
    """The lines of voxgate.toml for the store of a URI.

    Nothing that could be a secret is repeated: no user, no password, no query.

    Args:
        uri: as a caller wrote it.
        schemes: those that an adapter serves.
    """
    shown = shown_uri(uri)
    canonical = caller_uri(shown)
    name = remote_name(unquote(shown), "data")
    if not canonical:
        canonical = f"file:///absolute/path/to/{name}"
    scheme = canonical.partition(":")[0]
    store = _STORES[scheme](canonical) if scheme in _STORES else canonical
    lines = [f"[remotes.{scheme if scheme in _STORES else name}]", f'uri = "{store}"']
    if scheme == "bossdb":
        lines.append('credentials = { token_env = "BOSSDB_TOKEN" }')
    needs = "" if scheme in schemes else f", once an adapter for {scheme}: is installed"
    return "\n".join([f"the operator can add to the configuration{needs}:", *lines])


def shown_uri(uri: str) -> str:
    """A URI without what may be secret, fit to be shown in a message."""
    bare = re.split(r"[?#]", _USER.sub(lambda match: match.group(1) or "", uri), maxsplit=1)[0]
    return _UNPRINTABLE.sub("", bare)[:_LONGEST]


def _server(uri: str) -> str:
    """The server alone: everything after its address is a name in it."""
    scheme, _, rest = uri.partition("://")
    inner, separator, after = rest.partition("://")
    host = (after if separator else rest).partition("/")[0]
    return f"{scheme}://{inner}://{host}" if separator else f"{scheme}://{host}"


def _bossdb(uri: str) -> str:
    """The host, where it is said."""
    host = uri.removeprefix("bossdb://").partition("/")[0]
    says_host = "." in host or ":" in host or host == "localhost"
    return _server(uri) if says_host else f"bossdb://{_BOSSDB_HOST}"


_STORES = {"bossdb": _bossdb, "dvid": _server, "voxgate": _server}
"""Stores whose remote is a server, whatever volume in it is named."""
