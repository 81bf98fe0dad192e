"""What the page of metrics says of calls: how many, how long, how much, and how they ended.

Labels are methods of the contract, status codes and reasons: nothing that a caller can make up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from voxgate.model.measures import Durations
from voxgate_serving.metrics import Metric, histogram

_TEXTS = {
    "started": "calls that began to be worked on",
    "running": "calls that are worked on",
    "ended": "calls that ended, by status code; streams when they are over, cancelled ones as well",
    "failures": "calls that ended with an error, by its reason",
    "received": "bytes of requests",
    "sent": "bytes of answers",
}


class CallMetrics:
    """Counts calls by method, "package.Service/Method". Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._durations: dict[str, Durations] = {}
        self._started: Counter[str] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._received: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()

    def began(self, method: str) -> None:
        """A call begins."""
        with self._lock:
            self._started[method] += 1
            self._durations.setdefault(method, Durations())

    def ended(self, method: str, code: str, reason: str, seconds: float) -> None:
        """A call that began is over: its status code by name, and the reason of its error or nothing."""
        self._durations[method].add(seconds)
        with self._lock:
            self._ended[method, code] += 1
            if reason:
                self._failures[method, reason] += 1

    def counting_received(self, method: str, read: Callable[[bytes], object]) -> Callable[[bytes], object]:
        """A deserializer whose bytes are counted."""

        def counted(data: bytes) -> object:
            with self._lock:
                self._received[method] += len(data)
            return read(data)

        return counted

    def counting_sent(self, method: str, write: Callable[[object], bytes]) -> Callable[[object], bytes]:
        """A serializer whose bytes are counted."""

        def counted(message: object) -> bytes:
            data = write(message)
            with self._lock:
                self._sent[method] += len(data)
            return data

        return counted

    def metrics(self) -> list[Metric]:
        """All of it, as it is now."""
        with self._lock:
            started, ended, failures = dict(self._started), dict(self._ended), dict(self._failures)
            received, sent, durations = dict(self._received), dict(self._sent), dict(self._durations)
        over: Counter[str] = Counter()
        for (method, _), count in ended.items():
            over[method] += count
        found = [_count("calls_started", "started", method, count) for method, count in started.items()]
        found += [
            Metric("voxgate_calls_running", _TEXTS["running"], "gauge", {"method": method}, count - over[method])
            for method, count in started.items()
        ]
        found += [_count("calls", "ended", method, count, code=code) for (method, code), count in ended.items()]
        found += [
            _count("call_failures", "failures", method, count, reason=reason)
            for (method, reason), count in failures.items()
        ]
        found += [_count("call_received_bytes", "received", method, count) for method, count in received.items()]
        found += [_count("call_sent_bytes", "sent", method, count) for method, count in sent.items()]
        for method, spent in durations.items():
            text = "seconds from the first work on a call to its end"
            found += histogram("voxgate_call_seconds", text, {"method": method}, spent.spread())
        return found


def _count(name: str, text: str, method: str, count: int, **labels: str) -> Metric:
    return Metric(f"voxgate_{name}_total", _TEXTS[text], "counter", {"method": method, **labels}, count)
