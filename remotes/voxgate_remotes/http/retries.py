"""When a call may be sent again, and after how long."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime

RETRIED = frozenset((429, 502, 503, 504))
"""Statuses that pass: too many requests, and the three of a proxy or server that is overwhelmed."""

_FIRST_S = 0.25


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that Retry-After asks for, in seconds or as a date (RFC 9110, 10.2.3); None where it says nothing.

    A date is taken against the store's own clock where the answer has one: clocks of machines differ.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    moment = _moment(said)
    if moment is None:
        return None
    now = _moment(headers.get("Date", ""))
    return max(0.0, moment - (time.time() if now is None else now))


def backoff_s(attempt: int, most_s: float) -> float:
    """Seconds to wait after the attempt of this number, from 1: doubling, spread so that callers keep no step."""
    step = min(most_s, _FIRST_S * 2.0 ** (attempt - 1))
    return step * random.uniform(0.5, 1.0)  # noqa: S311 - nothing is to be kept secret


def _moment(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        moment: datetime = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
