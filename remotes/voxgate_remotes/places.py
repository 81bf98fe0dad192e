"""Whether two names mean the same place, as far as names and configuration tell."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from voxgate_remotes.config import RemoteConfig

_NOWHERE = frozenset({"memory", "procedural"})
"""Schemes whose remotes are places of their own, whatever their URIs."""


def place_of(config: RemoteConfig, segments: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where a volume is: its scheme, its host and its path, symbolic links followed; None where that is not told.

    Args:
        config: of its remote.
        segments: of its name, decoded.
    """
    parts = urlsplit(config.uri)
    if parts.scheme in _NOWHERE:
        return None
    path = [part for part in unquote(parts.path).split("/") if part] + list(segments)
    if parts.netloc:
        endpoint = str(config.options.get("endpoint", ""))  # buckets of one name at two servers are two
        return (parts.scheme, endpoint, parts.netloc.rpartition("@")[2].lower(), *path)
    real = os.path.realpath("/" + "/".join(path))
    return (parts.scheme, "", *(part for part in real.split("/") if part))


def overlap(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> bool:
    """Whether two places are the same, or one lies inside of the other."""
    if one is None or other is None:
        return False
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
