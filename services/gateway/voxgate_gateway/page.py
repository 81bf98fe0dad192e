"""The frame of every page: head, policy, style and script; all our own, and every address relative."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import VoxgateError
from voxgate_gateway.answers import Content, content_answer, status_of
from voxgate_gateway.prefix import base_of, root_of

_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "jobs.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "quiet.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_HTML = "text/html; charset=utf-8"
_RETRY = "<p>Reload this page in a moment.</p>"


@dataclass(frozen=True, slots=True)
class Page:
    """A page to be.

    Attributes:
        title: of the window.
        header: HTML above the content.
        content: HTML.
        script: which of our scripts it runs.
        extra: HTML at its end that the script reads.
        talks: whether its script asks this server for more.
    """

    title: str
    header: str
    content: str
    script: str = "page.js"
    extra: str = ""
    talks: bool = False


def page_answer(request: Request, page: Page, status: int = 200) -> Response:
    """Answer with a page."""
    root, base = root_of(request), escape(base_of(request))
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(page.title)}</title><link rel="icon" href="{root}static/icon.svg">'
        f'<link rel="stylesheet" href="{root}static/page.css"></head>'
        f'<body data-root="{root}" data-base="{base}"><header>{page.header}</header><main>{page.content}</main>'
        f'<footer><span id="said" role="status"></span> <a href="{root}api/">REST API</a> '
        f'<a href="{root}protos/">gRPC contract</a> '
        f'<a href="{root}readyz">Server status</a></footer>'
        f'{page.extra}<script src="{root}static/{page.script}"></script></body></html>'
    ).encode()
    if status == 200:
        answer = content_answer(request, Content(body, _HTML, compressible=True))
    else:
        answer = Response(body, status_code=status, media_type=_HTML, headers={"cache-control": "no-store"})
    answer.headers["content-security-policy"] = f"{_POLICY}; connect-src 'self'" if page.talks else _POLICY
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


def problem_answer(request: Request, page: Page, error: VoxgateError) -> Response:
    """Answer with a page that says why there is none."""
    status = status_of(error)
    extra = _RETRY if status >= 500 else ""
    content = f'<div class="note">{problem_text("This page could not be made", error)}{extra}</div>'
    answer = page_answer(request, Page(page.title, page.header, content), status)
    if status in (503, 504):
        answer.headers["retry-after"] = "2"
    return answer


def problem_text(heading: str, error: VoxgateError | None) -> str:
    """What went wrong, as HTML."""
    return f'<h2>{escape(heading)}</h2><p class="bad">{escape(str(error))}</p>'


def asset(request: Request) -> Response:
    """A page's style, script or icon, from this process."""
    name = request.path_params["name"]
    if name not in _ASSETS:
        return Response(status_code=404)
    body = files("voxgate_gateway").joinpath("static", name).read_bytes()
    return content_answer(request, Content(body, _ASSETS[name], compressible=True))


ROUTES = (Route("/static/{name}", asset, methods=["GET", "HEAD"]),)
