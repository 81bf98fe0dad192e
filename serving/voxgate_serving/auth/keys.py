"""The public keys that web tokens are signed with: a JSON Web Key Set (RFC 7517) from a file, or from https."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol

import jwt

from voxgate.model.errors import ConfigInvalid, Unavailable
from voxgate_serving.auth.credentials import refused
from voxgate_serving.auth.rereading import Reread
from voxgate_serving.logs import logger

_MOST_BYTES = 1 << 20
_TIMEOUT_S = 5.0
_FRESH_S = 300.0
_STALE_S = 3600.0
_PAUSE_S = 10.0
"""Between two questions to a server that failed, or about keys that nobody knows."""

KeySet = tuple[tuple[str, jwt.PyJWK], ...]
"""Keys with their ids; a key without one has ""."""


class KeySource(Protocol):
    """Knows the keys of now. Thread-safe."""

    def keys(self, *, wanted: str = "") -> KeySet:
        """The keys; asks for newer ones when `wanted` is the id of one that is not known.

        Raises:
            Unavailable: when they cannot be had.
        """
        ...


def parse_keys(content: bytes) -> KeySet:
    """The keys of a set, without those of kinds that are not known.

    Raises:
        ConfigInvalid: for what is no set of keys, and for one of secrets, which would be no public keys.
    """
    try:
        stated = json.loads(content)["keys"]
        if any(each.get("kty") == "oct" for each in stated):
            raise ConfigInvalid("the key set has secrets in it", "state a set of public keys")
        found = tuple((str(each.get("kid", "")), key) for each in stated if (key := _key(each)) is not None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigInvalid("this is no JSON Web Key Set", "state one: RFC 7517") from None
    if not found:
        raise ConfigInvalid("the key set has no key to verify with", "state a set of public keys")
    return found


def _key(stated: Mapping[str, Any]) -> jwt.PyJWK | None:
    if stated.get("use", "sig") != "sig":
        return None
    try:
        return jwt.PyJWK(dict(stated))
    except jwt.PyJWTError:
        return None


class FileKeys:
    """Keys of a file, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._file = Reread(path, parse_keys, "the file of keys")

    def keys(self, *, wanted: str = "") -> KeySet:  # noqa: ARG002  (the file has what it has)
        """The keys; see KeySource."""
        return self._file.get()


class FetchedKeys:
    """Keys of an https URL: asked for again after five minutes, and for a key that is not known.

    While their server is away, keys that were had within the hour are used.

    Args:
        url: of the set; redirects are not followed.
        ca: PEM file of authorities; empty for the system's.
        clock: seconds that only grow.
    """

    def __init__(self, url: str, ca: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._ca = ca
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._had_at = self._asked_at = float("-inf")

    def keys(self, *, wanted: str = "") -> KeySet:
        """The keys; see KeySource. Callers wait for one who asks, and nobody asks more than every ten seconds."""
        with self._lock:
            now = self._clock()
            is_known = self._keys is not None and (not wanted or any(name == wanted for name, _ in self._keys))
            is_fresh = is_known and now - self._had_at < _FRESH_S
            if not is_fresh and now - self._asked_at >= _PAUSE_S:
                self._asked_at = now
                self._ask(now)
            if self._keys is None or now - self._had_at > _STALE_S:
                raise Unavailable(
                    "the identity provider does not answer, so nobody can be let in by it",
                    "try again in a moment",
                    retry_after_s=_PAUSE_S,
                )
            return self._keys

    def _ask(self, now: float) -> None:
        try:
            self._keys, self._had_at = parse_keys(_fetched(self._url, self._ca)), now
        except (OSError, HTTPException, ConfigInvalid) as error:
            logger().error("the keys of [auth.jwt] cannot be had", error=type(error).__name__)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing: the operator named one server."""


def _fetched(url: str, ca: str) -> bytes:
    context = ssl.create_default_context(cafile=ca or None)
    opener = urllib.request.build_opener(_NoRedirects(), urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=_TIMEOUT_S) as answer:
        body: bytes = answer.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise ConfigInvalid("the key set is too large", "state another")
    return body


def chosen_key(source: KeySource, identity: str, algorithm: str) -> jwt.PyJWK:
    """The key that a token says it is signed with; without an id, the only one for its algorithm.

    Raises:
        Unauthenticated: when there is none. Unavailable: when the keys cannot be had.
    """
    found = [
        key
        for name, key in source.keys(wanted=identity)
        if (not identity or name == identity) and key.algorithm_name == algorithm
    ]
    if len(found) != 1:
        raise refused("UNKNOWN_KEY", "the token is signed with a key that is not known here", "log in again")
    return found[0]
