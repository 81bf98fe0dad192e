"""`/protos/`: the contract's files one by one, and all of them in one archive."""

from __future__ import annotations

import functools
from html import escape
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from voxgate.model.errors import NotFound
from voxgate_gateway.answers import Content, content_answer
from voxgate_gateway.page import Page, page_answer
from voxgate_gateway.web.archive import DESCRIPTORS, NAME, archive, contract_files, descriptor_set

_TEXT = "text/plain; charset=utf-8"
_HEADER = (
    '<h1>The contract</h1><p><a href="../">All volumes</a></p>'
    "<p>What clients in other languages are made from, of this release.</p>"
)


def closer(_request: Request) -> Response:
    """Whoever leaves out the last slash."""
    return RedirectResponse("protos/", status_code=308)


def listing(request: Request) -> Response:
    """A page with every file; relative links."""
    names = sorted(_files(), key=lambda name: (name != archive_name(), not name.startswith("voxgate/"), name))
    links = "".join(
        f'<li><a href="{escape(name)}">{escape(name)}</a> <small>{len(_files()[name]):,} bytes</small></li>'
        for name in names
    )
    return page_answer(request, Page("protos · voxgate", _HEADER, f'<div class="note"><ul>{links}</ul></div>'))


def file(request: Request) -> Response:
    """One file, or the archive."""
    name = str(request.path_params["path"])
    data = _files().get(name)
    if data is None:
        raise NotFound("the contract has no such file", "/protos/ lists them")
    if name == archive_name():
        return content_answer(request, Content(data, "application/gzip"))
    if name == DESCRIPTORS:
        return content_answer(request, Content(data, "application/octet-stream", compressible=True))
    return content_answer(request, Content(data, _TEXT, compressible=True))


def archive_name() -> str:
    """As in "voxgate-protos-0.1.0.tar.gz"."""
    return f"{NAME}-{version('voxgate')}.tar.gz"


@functools.cache
def _files() -> dict[str, bytes]:
    """What is served, by name."""
    found = contract_files() | {DESCRIPTORS: descriptor_set()}
    return found | {archive_name(): archive(found)}
