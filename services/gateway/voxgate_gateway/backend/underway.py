"""Calls that are made for one request, so that they end with it when nobody waits for its answer any more."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol


class Cancellable(Protocol):
    """A running call."""

    def cancel(self) -> object:
        """End it; ending it twice does no harm."""
        ...


class Underway:
    """The calls of one request. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Cancellable] = []
        self._is_over = False

    @contextlib.contextmanager
    def noted(self, call: Cancellable) -> Iterator[None]:
        """End a call with the request, if that ends before it; at once, if that is over already."""
        with self._lock:
            self._calls.append(call)
            is_over = self._is_over
        if is_over:
            call.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)

    def end(self) -> None:
        """End all calls, and those that are still to be made."""
        with self._lock:
            self._is_over = True
            running = list(self._calls)
        for call in running:
            call.cancel()
