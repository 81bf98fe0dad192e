"""The addresses under `/api/`: one list of areas, from which requests are dispatched and the document is written."""

from __future__ import annotations

import functools

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from voxgate.model.errors import OutOfBounds, Unimplemented, VoxgateError
from voxgate_gateway.answers import json_answer
from voxgate_gateway.rest import cutouts, jobs, products, segments, slices, volumes
from voxgate_gateway.rest.docs import docs_page, to_docs
from voxgate_gateway.rest.matching import Found, Table, asked_of
from voxgate_gateway.rest.openapi import document
from voxgate_gateway.rest.operations import PREFIX, Answer, Area, Asked, Operation
from voxgate_gateway.rest.problems import fault, problem


async def _openapi(asked: Asked) -> Response:
    return json_answer(asked.request, document(AREAS))


ABOUT = Area(
    "about",
    "What there is.",
    (
        Operation(
            "getOpenApi",
            "/openapi.json",
            "This document",
            {200: Answer("An OpenAPI 3.1 document.", {"application/json": {"type": "object"}})},
            _openapi,
        ),
    ),
)
AREAS: tuple[Area, ...] = (volumes.AREA, cutouts.AREA, slices.AREA, segments.AREA, products.AREA, jobs.AREA, ABOUT)
"""What is served, in the order in which people read of it."""


@functools.cache
def _table() -> Table:
    return Table([operation for area in AREAS for operation in area.operations])


class Dispatch(BaseRoute):
    """Answers everything under `/api/v1`, whatever goes wrong, in JSON that the document describes.

    A route of its own kind: Starlette's take no address with a line break in it.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether an address is below ours."""
        below = scope["type"] == "http" and scope["path"].startswith(f"/{PREFIX}/")
        return (Match.FULL if below else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive, send)
        try:
            answer = await _answer(request)
        except VoxgateError as error:
            answer = problem(request, error)
        except Exception as error:  # noqa: BLE001  (whatever it is, its caller gets JSON that the document describes)
            answer = fault(request, error)
        await answer(scope, receive, send)


def allowed_methods(scope: Scope) -> str:
    """What `Allow` says at an address: the methods of its operations; "" where there are none of ours."""
    if f"/{PREFIX}/" not in scope["path"]:
        return ""
    try:
        return _allowed(_table().find(Request(scope)))
    except VoxgateError:
        return ""


def _allowed(found: Found) -> str:
    return ", ".join((*found.operations, "OPTIONS"))


async def _answer(request: Request) -> Response:
    found = _table().find(request)
    operation = found.operations.get(request.method)
    if operation is None:
        allowed = _allowed(found)
        refused = Unimplemented(f"{request.method[:20]} is not taken here", f"{allowed} are")
        return problem(request, refused, status=405, headers={"allow": allowed})
    answer = await operation.handler(asked_of(request, operation, found))
    if answer.status_code != 416:
        return answer
    span = answer.headers["content-range"]
    outside = OutOfBounds("the range has no byte of this body", f"it has {span.rpartition('/')[2]} bytes")
    return problem(request, outside, status=416, headers={"content-range": span, "accept-ranges": "bytes"})


def _docs(request: Request) -> Response:
    return docs_page(request, AREAS)


ROUTES: tuple[BaseRoute, ...] = (
    Dispatch(),
    Route("/api/", _docs, methods=["GET", "HEAD"]),
    Route("/api", to_docs, methods=["GET", "HEAD"]),
)
