"""Bodies of uploads: bounded, refused by Content-Length before they are read, whole or not at all."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from voxgate_gateway.bossdb.errors import BossError, Code

_PATIENCE_S = 600.0
"""How long a body may take: as the service's own front has it."""


async def body_of(request: Request, most: int) -> bytes:
    """The whole body.

    Raises:
        BossError: 413/2000 for a larger one, refused before it is read where its length is stated; 400/1006 for one
            that does not come to its end, or not in time.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    left = most
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    raise _too_large(most)
                parts.append(part)
    except ClientDisconnect:
        raise BossError(Code.BAD_REQUEST, "The body did not come to its end; nothing was written.") from None
    except TimeoutError:
        raise BossError(Code.BAD_REQUEST, "The body did not come in time; nothing was written.") from None
    return b"".join(parts)


def _too_large(most: int) -> BossError:
    return BossError(Code.REQUEST_TOO_LARGE, f"The body is larger than {most} bytes, the most that this can be.")
