"""Server-Sent Events read by hand, as browsers read them, without the code under test."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Event:
    """One event: what it is, what it says, where to go on from; or a comment, which has no name."""

    name: str
    data: Any = None
    id: int | None = None


@dataclass
class Stream:
    """A stream that is being read.

    Attributes:
        answer: its head.
        retry_ms: when it may be asked for again, once it said so.
        seen: what came, the last at the end.
    """

    answer: httpx.Response
    retry_ms: int | None = None
    seen: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._events = self._read()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def __next__(self) -> Event:
        return next(self._events)

    def _read(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in self.answer.iter_lines():
            name, _, value = line.partition(":")
            if line and not name:
                yield self._noted(Event(""))
            elif line:
                fields[name] = value.removeprefix(" ")
            elif "retry" in fields:
                self.retry_ms = int(fields.pop("retry"))
            elif fields:
                said_id = fields.get("id")
                told = Event(fields["event"], json.loads(fields["data"]), None if said_id is None else int(said_id))
                fields = {}
                yield self._noted(told)

    def jobs(self) -> Iterator[Event]:
        """The events that are jobs."""
        return (event for event in self if event.name == "job")

    def _noted(self, event: Event) -> Event:
        self.seen.append(event)
        return event


@contextlib.contextmanager
def event_stream(http: httpx.Client, path: str, **headers: str) -> Iterator[Stream]:
    """Open a stream."""
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    with http.stream("GET", path, headers={"accept": "text/event-stream", **asked}) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "content-encoding" not in answer.headers
        yield Stream(answer)
