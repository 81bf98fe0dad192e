"""Byte ranges of RFC 9110, section 14: one range is answered as it is asked for; several are answered with the whole.

A header that cannot be understood is ignored, as the RFC says: then the whole is the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Longer numbers are no positions in anything that exists.
_BYTES = re.compile(r"bytes=\s*(?:([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19}))\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, and without, `stop`."""

    start: int
    stop: int

    def header(self, length: int) -> str:
        """The Content-Range of these bytes of `length`."""
        return f"bytes {self.start}-{self.stop - 1}/{length}"


class Unsatisfiable(Exception):
    """The range begins past the end, or is empty."""


_FARTHEST = 2**62


def first_ask(method: str, header: str) -> tuple[int, int | None]:
    """The bytes to ask for of a body whose length nobody told yet: start, and stop or None for its end.

    Nothing of it, (0, 0), where its length has to be known first: for HEAD, and for its last bytes.
    """
    match = _BYTES.fullmatch(header.strip()) if method != "HEAD" else None
    if match is None:
        return (0, 0) if method == "HEAD" else (0, None)
    first, last, suffix = match.groups()
    if suffix is not None or int(first) >= _FARTHEST:
        return 0, 0
    if last and int(last) < int(first):
        return 0, None  # no range at all: see `asked_span`
    return int(first), min(int(last) + 1, _FARTHEST) if last else None


def asked_span(header: str, length: int) -> Span | None:
    """The bytes that a Range header asks for, of a body of `length` bytes; None where the whole is the answer.

    Raises:
        Unsatisfiable: for one range without a byte of the body in it.
    """
    match = _BYTES.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(length - int(suffix), 0), length
        if int(suffix) == 0:
            raise Unsatisfiable
    else:
        start, stop = int(first), (int(last) + 1 if last else length)
        if last and stop <= start:
            return None  # "first-byte-pos greater than last-byte-pos" is no range at all
    if start >= length:
        raise Unsatisfiable
    return Span(start, min(stop, length))
