"""What is said to a store and what it answers, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoreCall:
    """One request.

    Attributes:
        method: "GET", "POST" …
        path: percent-encoded by the adapter, relative to the base URL; starts with "/", has no dot segments.
        query: names and values, not encoded.
        headers: beside those that the session sets itself.
        body: None for no body; any method may have one.
        is_repeatable: False: never sent again once the store may have got it.
        max_answer_bytes: a longer answer is an error and never read whole.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = True
    max_answer_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a store answered, whatever the status.

    Attributes:
        status: the HTTP status.
        headers: looked up without regard to case.
        body: whole, a gzip or deflate content encoding undone; of an answer of 400 and above at most the first MiB.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Patience with a store.

    Attributes:
        connect_s: seconds for looking up, connecting to and shaking hands with a host, each.
        read_s: seconds without a byte in either direction.
        attempts: how often a call is sent at most.
        most_wait_s: the longest wait between two of them, whatever the store asks for.
        connections: calls at a time.
    """

    connect_s: float = 10
    read_s: float = 120
    attempts: int = 5
    most_wait_s: float = 20
    connections: int = 16
