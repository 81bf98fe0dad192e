"""Entity tags and the requests that depend on them (RFC 9110, section 13)."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from collections.abc import Mapping

import numpy as np

Data = bytes | memoryview

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_SMALL = 16_384


def etag_of(body: Data) -> str:
    """A strong ETag of the bytes themselves.

    Large bodies are told apart by their length, a CRC-32C and the exclusive or of their 64-bit words, which together
    change with the bytes as a random number of 96 bits does: voxels come by the thousand, and a cryptographic digest
    would cost more than fetching them.
    """
    if len(body) <= _SMALL or not _has_crc32c():
        return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    import google_crc32c  # noqa: PLC0415  (an extra)

    octets = np.frombuffer(body, np.uint8)
    words = octets[: len(octets) // 8 * 8].view("<u8")
    crc = int(google_crc32c.value(octets))
    return f'"{len(body):x}-{crc:08x}{int(np.bitwise_xor.reduce(words)):016x}"'


def etag_of_name(*parts: object) -> str:
    """A strong ETag of something that never changes, from all that names it."""
    named = "\0".join(str(part) for part in parts).encode()
    return f'"v-{hashlib.blake2b(named, digest_size=16).hexdigest()}"'


def compressed_etag(etag: str) -> str:
    """The ETag of the same body, compressed by us."""
    return f'{etag[:-1]}-gzip"'


def has_it(headers: Mapping[str, str], etag: str) -> bool:
    """Whether If-None-Match says that the client has this body, compressed or not."""
    given = headers.get("if-none-match")
    if given is None:
        return False
    if given.strip() == "*":
        return True
    tags = _TAG.findall(given)
    return etag in tags or compressed_etag(etag) in tags


def still_wants_range(headers: Mapping[str, str], etag: str) -> bool:
    """Whether If-Range leaves a Range standing: there is none, or it names this very body. Dates never do."""
    given = headers.get("if-range")
    return given is None or given.strip() == etag


@functools.cache
def _has_crc32c() -> bool:
    return importlib.util.find_spec("google_crc32c") is not None
