"""Work that is for its caller alone ends when that one goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from voxgate_gateway.backend.underway import Underway

_NOBODY_WAITS = 499
"""What servers write into their logs for an answer that nobody waited for."""


async def gone(receive: Receive) -> None:
    """Returns once the client has gone away. Whatever is left of its request is thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_waited_for(request: Request, work: Awaitable[Response], underway: Underway) -> Response:
    """The answer of a request whose body nobody reads.

    Who closes the connection ends the work, and the calls that it makes: whatever is behind stops, too.
    """
    # Who says that it will say no more wants no answer, either: see PatientProtocol.
    request.scope.setdefault("state", {})["ends_with_caller"] = True
    answering = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(gone(request.receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            underway.end()
            # Its threads end soon, for their calls have; what they hold is given back by them alone.
            await asyncio.wait({answering})
            answering.exception()
            return Response(status_code=_NOBODY_WAITS)
        return answering.result()
    finally:
        for task in (answering, leaving):
            task.cancel()
