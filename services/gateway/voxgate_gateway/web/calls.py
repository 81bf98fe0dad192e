"""Answers calls: finds the method, passes the request on, and sends each message when it comes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from voxgate.model.errors import InternalError, VoxgateError
from voxgate_gateway.backend.forwarding import Call, CallFailed, Ending, Forwarder, ending_of, unavailable
from voxgate_gateway.backend.methods import Method, find_method
from voxgate_gateway.leaving import gone
from voxgate_gateway.web.asking import (
    CallerGone,
    body_of,
    checked_size,
    metadata_of,
    refuse_unknown_ways,
    timeout_of,
)
from voxgate_gateway.web.speech import SPEECHES, Speech, http_status, speech_of
from voxgate_serving.logs import logger


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request that is, or should be, a call."""
    speech = speech_of(Headers(scope=scope).get("content-type", ""))
    if scope["method"] != "POST":
        await _refusal(405, "a method is called with POST", {"allow": "POST, OPTIONS"})(scope, receive, send)
    elif speech is None:
        types = ", ".join(SPEECHES)
        await _refusal(415, f"a call is one of {types}", {"accept-post": types})(scope, receive, send)
    else:
        await _while_there(scope, receive, _Answering(scope, receive, send, speech))


@dataclass(slots=True)
class _Answering:
    """One call on its way."""

    scope: Scope
    receive: Receive
    send: Send
    speech: Speech
    is_started: bool = False

    async def begin(self) -> tuple[Method, Call]:
        """What is asked.

        Raises:
            VoxgateError: when that can be nothing.
            CallerGone: when nobody waits for it any more.
        """
        headers = Headers(scope=self.scope)
        # Even of a call that is refused: a browser that still sends reads no answer.
        body = await body_of(self.scope, self.receive)
        method = find_method(self.scope["path"])
        if self.speech.is_bare and method.is_stream:
            raise _NotTaken(f"{method.name} answers a stream: ask in application/connect+proto or +json")
        refuse_unknown_ways(headers, self.speech)
        request = method.checked(checked_size(await self.speech.request(method, body)))
        return method, Call(method, request, metadata_of(self.scope), timeout_of(headers, self.speech))

    async def pass_on(self, method: Method, messages: AsyncGenerator[bytes, None]) -> None:
        """Send every message as it comes, then that there are no more."""
        async with contextlib.aclosing(messages):
            if self.speech.is_bare:
                answer = b"".join([await self.speech.message(method, message) async for message in messages])
                await self._whole(200, answer, {})
                return
            async for message in messages:
                piece = await self.speech.message(method, message)
                await self._start()
                await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.fail(Ending())

    async def fail(self, ending: Ending) -> None:
        """Say how the call ended."""
        last = self.speech.end(ending)
        if self.speech.is_bare:
            headers = {}
            if ending.retry_after_s is not None:
                headers["retry-after"] = str(math.ceil(ending.retry_after_s))
            await self._whole(http_status(ending.code), last, headers)
            return
        await self._start()
        await self.send({"type": "http.response.body", "body": last})

    async def _start(self) -> None:
        if not self.is_started:
            self.is_started = True
            headers = [(b"content-type", self.speech.content_type.encode()), (b"cache-control", b"no-store")]
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        # Connect tells errors in JSON, whatever the answer would have been in.
        media_type = self.speech.content_type if status == 200 else "application/json"
        answer = Response(body, status, {**headers, "cache-control": "no-store"}, media_type)
        await answer(self.scope, self.receive, self.send)


class _NotTaken(Exception):
    """The content type is known, and not for this method."""


async def _while_there(scope: Scope, receive: Receive, answering: _Answering) -> None:
    """Answer, and stop as soon as the caller is gone."""
    forwarder: Forwarder = scope["app"].state.forwarder
    try:
        method, call = await answering.begin()
    except CallerGone:
        return
    except _NotTaken as error:
        await _refusal(415, str(error), {})(scope, receive, answering.send)
        return
    except VoxgateError as error:
        await answering.fail(ending_of(error))
        return
    # Who closes the connection now wants no answer: see PatientProtocol.
    scope.setdefault("state", {})["ends_with_caller"] = True
    work = asyncio.ensure_future(_answer(answering, method, forwarder.messages(call)))
    leaving = asyncio.ensure_future(gone(receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        # The gateway stops and gives no more time. This is said at once: the loop may end with the next step.
        work.cancel()
        await answering.fail(unavailable("the gateway is stopping; try again in a moment"))
    for task in (work, leaving):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait({work, leaving})
    if work.done() and not work.cancelled():
        work.result()


async def _answer(answering: _Answering, method: Method, messages: AsyncGenerator[bytes, None]) -> None:
    try:
        await answering.pass_on(method, messages)
    except CallFailed as failed:
        await answering.fail(failed.ending)
    except VoxgateError as error:
        await answering.fail(ending_of(error))
    except Exception as error:  # noqa: BLE001  (the border: what is no answer yet becomes an honest one)
        request_id = str(answering.scope.get("state", {}).get("request_id", ""))
        logger().error("internal error", request_id=request_id, path=answering.scope["path"], exc_info=error)
        await answering.fail(ending_of(InternalError("the gateway failed", f"report request id {request_id}")))


def _refusal(status: int, message: str, headers: dict[str, str]) -> Response:
    problem = {"reason": "HTTP", "message": message, "remedy": "/protos/ has the contract"}
    return JSONResponse({"error": problem}, status, {**headers, "cache-control": "no-store"})
