"""Bodies that are made while they are sent: their exact length is known before their first byte."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from voxgate.model.errors import ServerBusy, VoxgateError
from voxgate_gateway.answers import asked_part, length_answer
from voxgate_gateway.http.ranges import Span
from voxgate_serving.logs import logger

STREAMS_AT_A_TIME = 8
MAKERS_AT_A_TIME = 4


class Turns:
    """How much is worked on at a time, so that what is held in memory has a bound. For one event loop."""

    def __init__(self) -> None:
        self.streams = anyio.CapacityLimiter(STREAMS_AT_A_TIME)
        self.makers = anyio.CapacityLimiter(MAKERS_AT_A_TIME)


@dataclass(frozen=True, slots=True)
class Bit:
    """Some bytes of a body, in order.

    Attributes:
        length: how many; known before they are made.
        make: makes them; runs in a thread.
    """

    length: int
    make: Callable[[], bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is made while it is sent.

    Attributes:
        bits: its bytes.
        media_type: what they are.
        headers: of every answer with it: an ETag only where it is known without the bytes.
    """

    bits: Sequence[Bit]
    media_type: str
    headers: Mapping[str, str]

    @property
    def length(self) -> int:
        """All its bytes."""
        return sum(bit.length for bit in self.bits)


async def streamed(request: Request, body: Body, turns: Turns) -> Response:
    """Answer GET or HEAD with a body, or with the range of it that is asked for; only what is sent is made.

    Its first bytes are there before the answer begins, so that what goes wrong at once has a status of its own. What
    goes wrong later ends the connection before the length that was stated: no client takes that for the whole.

    Raises:
        ServerBusy: when as many are sent already as are sent at a time.
        VoxgateError: when the first bytes cannot be made.
    """
    headers = {"accept-ranges": "bytes", **body.headers}
    if request.method == "HEAD":
        return length_answer(body.length, body.media_type, headers)
    part = asked_part(request, body.length, headers)
    if isinstance(part, Response):
        return part
    holder = object()
    try:
        turns.streams.acquire_on_behalf_of_nowait(holder)
    except anyio.WouldBlock:
        raise ServerBusy("too many cutouts are being sent", "ask again in a moment", retry_after_s=2.0) from None
    end = functools.partial(turns.streams.release_on_behalf_of, holder)
    try:
        wanted = _within(body.bits, part.span)
        first = await _made(*wanted[0])
    except BaseException:
        end()
        raise
    answer = _Streaming(
        _sent(first, wanted[1:]), status_code=part.status, media_type=body.media_type, headers=part.headers
    )
    answer.end = end
    return answer


class _Streaming(StreamingResponse):
    """Says when it is over, however that comes: a body that nobody began to send has no `finally` that runs."""

    end: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except VoxgateError as error:
            # Its status is sent, so nothing but the length that is not reached can say it: the server hangs up.
            logger().warning("a body ended early", path=scope["path"], reason=error.reason, message=error.message)
        finally:
            self.end()


def _within(bits: Sequence[Bit], span: Span) -> list[tuple[Bit, slice]]:
    """The bits that have bytes of a span, and which of their bytes those are."""
    found, at = [], 0
    for bit in bits:
        start, stop = max(span.start - at, 0), min(span.stop - at, bit.length)
        if start < stop:
            found.append((bit, slice(start, stop)))
        at += bit.length
    return found


async def _made(bit: Bit, part: slice) -> memoryview:
    made = memoryview(await anyio.to_thread.run_sync(bit.make, abandon_on_cancel=True)).cast("B")
    if len(made) != bit.length:
        raise AssertionError(f"{len(made)} bytes were made of {bit.length}")
    return made[part]


async def _sent(first: memoryview, rest: list[tuple[Bit, slice]]) -> AsyncIterator[memoryview]:
    """Send one bit while the next is made."""
    now: memoryview | None = first
    for bit, part in rest:
        waiting = asyncio.ensure_future(_made(bit, part))
        try:
            if now is not None:
                yield now
            now = None
            now = await waiting
        finally:
            waiting.cancel()
    if now is not None:
        yield now
