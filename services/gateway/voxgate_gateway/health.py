"""Health: `/healthz` says that this process lives, `/readyz` that the gRPC server behind it answers."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from voxgate.model.errors import VoxgateError
from voxgate_gateway.answers import error_answer


async def healthz(_request: Request) -> Response:
    """Live: the event loop turns. Needs no thread, so it answers with every worker busy."""
    return JSONResponse({"status": "SERVING"}, headers={"cache-control": "no-store"})


async def readyz(request: Request) -> Response:
    """Ready: the server behind answers. Has threads of its own, so a busy gateway is not taken for a dead one."""
    state = request.app.state
    try:
        server_id = await anyio.to_thread.run_sync(state.backend.ping, limiter=state.ready_limiter)
    except VoxgateError as error:
        return error_answer(error)
    return JSONResponse({"status": "SERVING", "server_id": server_id}, headers={"cache-control": "no-store"})


ROUTES = (
    Route("/healthz", healthz, methods=["GET", "HEAD"]),
    Route("/readyz", readyz, methods=["GET", "HEAD"]),
)
