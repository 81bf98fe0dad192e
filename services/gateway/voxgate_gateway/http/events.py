"""Server-Sent Events: streams of text that browsers take up again by themselves.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse

from voxgate.model.errors import InvalidArgument, ServerBusy, VoxgateError

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2000
"""When a client whose stream broke asks again."""
SILENCE_S = 10.0
"""The longest time without a word: proxies cut streams that are silent for a minute, some for less."""
STREAMS_AT_A_TIME = 128
ALIVE = b": alive\n\n"
RETRY = b"retry: %d\n\n" % RETRY_MS
_MOST_ID = 2**63 - 1
T = TypeVar("T")


def event(name: str, data: Any, sequence: int | None = None) -> bytes:
    """One event: its name, its data as JSON, and where to go on from after it."""
    head = "" if sequence is None else f"id: {sequence}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()


def trouble(error: VoxgateError) -> bytes:
    """Tells that news may be late, and why."""
    return event("trouble", {"reason": error.reason, "detail": error.message, "remedy": error.remedy})


def last_event_id(request: Request) -> int:
    """Where a client goes on from; 0 for one that begins.

    Raises:
        InvalidArgument: for what no stream of ours ever said.
    """
    text = request.headers.get("last-event-id", "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MOST_ID):
        raise InvalidArgument("Last-Event-ID is none of ours", "send the id of the last event, or leave it out")
    return int(text)


class Latest(Generic[T]):
    """The newest of what a source tells: however slow its reader is, no more than one is held, and none is old news.

    To be used in one event loop, as a context; the source is closed with it.
    """

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._news = asyncio.Event()
        self._held: T | None = None
        self._ended = False
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Latest[T]:
        self._reader = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            # What it ended with is told by `tellings`, if anybody still wants to know.
            await asyncio.wait({self._reader})
            self._reader.cancelled() or self._reader.exception()

    async def tellings(self) -> AsyncIterator[T | None]:
        """What is new whenever the reader asks, and None after SILENCE_S of nothing new.

        Raises:
            Exception: whatever the source ended with.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_S):
                    await self._news.wait()
            is_last = self._ended
            held, self._held = self._held, None
            self._news.clear()
            if held is not None or not is_last:
                yield held
            if is_last:
                if self._reader is not None:
                    self._reader.result()
                return

    async def _read(self) -> None:
        try:
            async with contextlib.aclosing(self._source) as told:
                async for each in told:
                    self._held = each
                    self._news.set()
        finally:
            self._ended = True
            self._news.set()


def events_answer(request: Request, events: AsyncGenerator[bytes, None]) -> StreamingResponse:
    """Answer with a stream of events, nowhere buffered; it ends with its client, and when the gateway stops.

    Raises:
        ServerBusy: when too many streams are open.
    """
    places: asyncio.Semaphore = request.app.state.event_streams
    if places.locked():
        raise ServerBusy("too many streams are open here", "ask now and then instead", retry_after_s=5.0)
    request.scope.setdefault("state", {}).update(ends_with_caller=True, ends_with_server=True)

    async def placed() -> AsyncIterator[bytes]:
        async with places, contextlib.aclosing(events) as each:
            yield RETRY
            async for piece in each:
                yield piece

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(placed(), media_type=MEDIA_TYPE, headers=headers)
