"""The first page: the volumes, what they are, a look at each, and what to paste into other tools. Plain HTML."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import MalformedName, VoxgateError
from voxgate.model.names import VolumeName
from voxgate_gateway.cards import Where, card
from voxgate_gateway.catalogue import Catalogue, look_around
from voxgate_gateway.page import Page, page_answer, problem_answer, problem_text
from voxgate_gateway.paths import backend_of
from voxgate_gateway.prefix import base_of, root_of
from voxgate_gateway.snippets import grpc_address_for

_ROOM_BYTES = 280_000
"""For volumes on one page; the frame around them takes little."""


def home(request: Request) -> Response:
    """List the volumes; `?under=NAME` lists those of one remote or group."""
    under = request.query_params.get("under", "")
    base = base_of(request)
    where = Where(root_of(request), base, grpc_address_for(request.app.state.backend_address, base))
    try:
        if under:
            under = str(VolumeName.parse(under))
        content = _listing(look_around(backend_of(request), under), where)
    except VoxgateError as error:
        shown = "" if isinstance(error, MalformedName) else under
        return problem_answer(request, Page(_title(shown), _header(shown), ""), error)
    return page_answer(request, Page(_title(under), _header(under), content))


def _title(under: str) -> str:
    return f"{under} · voxgate" if under else "voxgate"


def _header(under: str) -> str:
    if under:
        return f'<h1>{escape(under)}</h1><p><a href="./">All volumes</a></p>'
    return (
        "<h1>voxgate</h1><p>Every volume below can be looked at here, and read by neuroglancer, cloud-volume, "
        'tensorstore, zarr and the Python client as it is.</p><p><a href="./jobs">Jobs</a> go on here.</p>'
    )


def _listing(catalogue: Catalogue, where: Where) -> str:
    parts: list[str] = []
    room = _ROOM_BYTES
    for entry in catalogue.entries:
        made = card(entry, where)
        room -= len(made.encode())
        if room < 0:
            break
        parts.append(made)
    left = catalogue.more_volumes + len(catalogue.entries) - len(parts)
    parts += [
        f'<div class="note">{problem_text(f"{name} could not be listed", e)}</div>'
        for name, e in catalogue.problems[:20]
    ]
    if catalogue.unopened or left:
        links = "".join(
            f'<li><a href="./?under={quote(name, safe="")}">{escape(name)}</a></li>'
            for name in catalogue.unopened[:100]
        )
        more = f"<p>{left:,} more volumes are not shown; a group has a page of its own.</p>" if left else ""
        inside = f"<p>Not opened on this page:</p><ul>{links}</ul>" if links else ""
        parts.append(f'<div class="note">{more}{inside}</div>')
    if not parts:
        parts.append(
            '<div class="note"><p>No volumes here. Add a remote to voxgate.toml, or start '
            "<code>voxgate serve PATH</code> with a folder that holds volumes.</p></div>"
        )
    return "".join(parts)


ROUTES = (Route("/", home, methods=["GET", "HEAD"]),)
