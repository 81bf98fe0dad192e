"""The addresses of the BossDB dialect: `/v1/…`, and `/latest/…`, which is the same.

Addresses and methods: the public source of BossDB's endpoint (jhuapl-boss/boss, django/*/urls.py). Slashes that follow
one another are one, and one at the end is none: the published intern lists collections at `/v1/collection//`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from voxgate.model.errors import VoxgateError
from voxgate_gateway.backend.underway import Underway
from voxgate_gateway.bossdb import accounts, cutouts, downsample, images, metadata, objects, resources
from voxgate_gateway.bossdb.call import BossRoute, Call, Dialect, View
from voxgate_gateway.bossdb.errors import BossError, Code, boss_error_of, refusal_answer
from voxgate_gateway.changes import refuse_changes
from voxgate_gateway.leaving import while_waited_for
from voxgate_gateway.paths import backend_of
from voxgate_serving.logs import logger

# The table: each module of the dialect has its lines, `ROUTES`. The first that fits answers.
TABLE: tuple[BossRoute, ...] = (
    *cutouts.ROUTES,
    *images.ROUTES,
    *downsample.ROUTES,
    *objects.ROUTES,
    *metadata.ROUTES,
    *resources.ROUTES,
    *accounts.ROUTES,
)

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_READS = ("GET", "HEAD")


async def serve(request: Request) -> Response:
    """Answer anything below `/v1` and `/latest`, errors in the dialect's own words."""
    try:
        if request.method not in _READS:
            refuse_changes(request)
        return await _answer(request)
    except BossError as error:
        return refusal_answer(error)
    except VoxgateError as error:
        refusal = boss_error_of(error)
        if refusal.status >= 500:
            logger().warning("request failed", path=request.url.path, reason=error.reason, message=error.message)
        return refusal_answer(refusal, retry_after_s=error.retry_after_s)
    except Exception as error:  # noqa: BLE001  (answered in this dialect too, and logged)
        request_id = str(getattr(request.state, "request_id", ""))
        logger().error("internal error", request_id=request_id, path=request.url.path, exc_info=error)
        return refusal_answer(BossError(Code.UNHANDLED, f"the gateway failed; report request id {request_id}"))


async def _answer(request: Request) -> Response:
    # Not of request.url, in which a percent-encoded ? ends the path and ends of lines are lost.
    path = re.sub("/+", "/", request.scope["path"]).rstrip("/")
    _, _, service, rest = (*path.split("/", 3), "", "")[:4]
    known = False
    for each in TABLE:
        match = each.pattern.fullmatch(rest) if each.service == service else None
        if match is None:
            continue
        known = True
        view = each.views.get("GET" if request.method == "HEAD" else request.method)
        if view is not None:
            return await _viewed(request, view, match.groupdict())
    if known:
        raise BossError(Code.BAD_REQUEST, f'Method "{request.method[:20]}" not allowed.', status=405)
    raise BossError(Code.INVALID_URL, "there is no such address in the BossDB dialect", status=404)


async def _viewed(request: Request, view: View, parts: Mapping[str, str | None]) -> Response:
    """What a view answers. A read ends with its caller; what changes something is done to its end."""
    dialect: Dialect = request.app.state.bossdb
    if request.method not in _READS:
        return await view(Call(request, backend_of(request), dialect, parts))
    underway = Underway()
    return await while_waited_for(request, view(Call(request, backend_of(request, underway), dialect, parts)), underway)


class _Below(Route):
    """Everything below a path, with ends of lines in it too: Starlette's own pattern ends before them."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this route."""
        return super().matches({**scope, "path": scope["path"].replace("\n", " ")})


async def _unsupported(_: Request) -> Response:
    message = "This API version is unsupported. Update to version v1"
    return refusal_answer(BossError(Code.UNSUPPORTED_VERSION, message))


async def _ping(request: Request) -> Response:
    return JSONResponse({"ip": request.client.host if request.client else ""})


ROUTES = (
    Route("/v1", serve, methods=_METHODS),
    _Below("/v1/{path:path}", serve, methods=_METHODS),
    Route("/latest", serve, methods=_METHODS),
    _Below("/latest/{path:path}", serve, methods=_METHODS),
    *(_Below(f"/v0.{minor}/{{path:path}}", _unsupported, methods=_METHODS) for minor in range(1, 9)),
    Route("/ping", _ping, methods=["GET", "HEAD"]),
    Route("/ping/", _ping, methods=["GET", "HEAD"]),
)
