"""Faults that tests order, served in order of arrival to the requests that they are for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from .messages import Reply, Request, json_reply


@dataclass
class Fault:
    """What to do to the next requests that match."""

    times: int
    method: str | None
    """None for any."""
    containing: str
    """What the path must contain."""
    reply: Reply | None = None
    """Instead of the true one."""
    redirect_to: str | None = None
    """What to put before the path and the query, in Location."""
    redirect_status: int = 307
    cut_after: int | None = None
    """Bytes of the true reply's body after which the connection ends."""
    short_body: int | None = None
    """Bytes of the true reply's body that make up a whole, well-formed reply."""
    hold: threading.Event | None = None
    """What the true reply waits for."""


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, request: Request) -> Fault | None:
        """The first fault for a request, counted down."""
        with self._lock:
            for fault in self._faults:
                if fault.method in (None, request.method) and fault.containing in request.path:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None


def refusal(status: int, code: int | None, message: object, headers: Mapping[str, str] | None) -> Reply:
    """An error of the service, or of something before it (a page of HTML) when there is no code."""
    extra = tuple((headers or {}).items())
    if code is None:
        return Reply(status, f"<html><h1>{status}</h1></html>".encode(), "text/html", extra)
    return json_reply(status, {"status": status, "code": code, "message": message}, extra)
