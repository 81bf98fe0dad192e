"""A log of the requests that were answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from .messages import Record


class Requests:
    """Records in order; safe to look at while requests arrive. A record is there before its reply is sent."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._lock = threading.Lock()

    def add(self, record: Record) -> None:
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        with self._lock:
            self._records.clear()

    def of(self, method: str | None = None, containing: str = "") -> list[Record]:
        """Those of a method (None for any) whose path contains something."""
        return [record for record in self if method in (None, record.method) and containing in record.path]

    def count(self, method: str | None = None, containing: str = "") -> int:
        """How many there are of these."""
        return len(self.of(method, containing))

    def __iter__(self) -> Iterator[Record]:
        with self._lock:
            return iter(list(self._records))

    def __len__(self) -> int:
        with self._lock:
            return len(self._records)
