"""The addresses of calls, `POST /voxgate.v1.SERVICE/METHOD`, and of the contract's files, `/protos/…`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

from voxgate_gateway.web import calls, contract
from voxgate_gateway.web.speech import speech_of

_SERVICES = "/voxgate."


class Calls(BaseRoute):
    """Whatever is a call, by its path; or by how it speaks, so that one for nobody here is refused in its own words."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is one."""
        if scope["type"] != "http":
            return Match.NONE, {}
        if scope["path"].startswith(_SERVICES):
            return Match.FULL, {}
        speech = speech_of(Headers(scope=scope).get("content-type", "")) if scope["method"] == "POST" else None
        # A bare message says nothing of being a call.
        return (Match.FULL, {}) if speech is not None and not speech.is_bare else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """None has a name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""
        await calls.serve(scope, receive, send)


ROUTES: Sequence[BaseRoute] = (
    Route("/protos", contract.closer, methods=["GET", "HEAD"]),
    Route("/protos/", contract.listing, methods=["GET", "HEAD"]),
    Route("/protos/{path:path}", contract.file, methods=["GET", "HEAD"]),
    Calls(),
)
