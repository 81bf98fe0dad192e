"""Content-Encoding: gzip, where a client accepts it and it is worth its time."""

from __future__ import annotations

import re
import zlib

_LEAST_BYTES = 1024
_LEVEL = 1
_GZIP_WINDOW = 31
_OFFER = re.compile(r"\s*([A-Za-z0-9*_-]+)\s*(?:;\s*q\s*=\s*([0-9.]{1,6})\s*)?")


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip; the absence of one does not."""
    qualities: dict[str, float] = {}
    for offer in header[:1024].split(","):
        match = _OFFER.fullmatch(offer)
        if match:
            qualities[match[1].lower()] = _quality(match[2])
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def worth_compressing(length: int) -> bool:
    """Whether a body that compresses well is long enough to."""
    return length >= _LEAST_BYTES


def compressed(body: bytes | memoryview) -> bytes:
    """One gzip member without a time in it: equal bytes become equal bytes."""
    return zlib.compress(body, _LEVEL, _GZIP_WINDOW)


def _quality(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        return float(text)
    except ValueError:
        return 0.0
