"""Where the time of a call goes, told by whoever works on it to whoever traces it: adapters and blocks know no more.

The identity of a trace is W3C Trace Context (https://www.w3.org/TR/trace-context/): headers that a call to another
server carries on, so that one trace holds all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_MOST_STATE = 512

TraceHeaders = tuple[tuple[str, str], ...]
"""Lower-case names and values, as they stand in HTTP and in the metadata of gRPC."""
Attributes = Mapping[str, str | int]
"""What is said of a span beside its name."""


class Trace(Protocol):
    """The trace that a call belongs to, from one place in it on. Thread-safe."""

    @property
    def headers(self) -> TraceHeaders:
        """What a call to another server carries, sent from where this is asked; empty where nothing is traced."""
        ...

    @property
    def trace_id(self) -> str:
        """32 hex digits; empty where nothing is traced."""
        ...

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[object]:
        """Notice how long a with-block takes, and the error that ends it. Inside of it `headers` mean this span."""
        ...


_NOTHING = nullcontext()


def _trace_id(headers: TraceHeaders) -> str:
    match = _PARENT.fullmatch(dict(headers).get(TRACEPARENT, ""))
    return match.group(1) if match else ""


class PassedOn:
    """A trace that is somebody else's: nothing is noticed here, and its headers go on to whoever is asked next."""

    def __init__(self, headers: TraceHeaders = ()) -> None:
        self.headers = headers
        self.trace_id = _trace_id(headers)

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[object]:  # noqa: ARG002  (a Trace's)
        """Nothing."""
        return _NOTHING


NO_TRACE: Trace = PassedOn()


def trace_headers(headers: Mapping[str, str]) -> TraceHeaders:
    """The headers of a trace among others; none where they are not what the recommendation allows."""
    parent = headers.get(TRACEPARENT, "").strip()
    if not _PARENT.fullmatch(parent):
        return ()
    state = headers.get(TRACESTATE, "").strip()
    if not state or len(state) > _MOST_STATE or not (state.isascii() and state.isprintable()):
        return ((TRACEPARENT, parent),)
    return ((TRACEPARENT, parent), (TRACESTATE, state))
