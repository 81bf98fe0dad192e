"""The files of neuroglancer's web client, out of the wheel `neuroglancer` where that is installed.

The wheel holds the client as its Python package uses it: the last segment but one of its address must be `v`, its state
is in the address's fragment, and a Python process is expected to feed it. See static/quiet.js.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from voxgate.model.errors import NotFound
from voxgate_gateway.answers import Content, content_answer

_NAME = re.compile(r"[a-z0-9][A-Za-z0-9._-]{0,100}\.(js|css|wasm)", re.ASCII)
_MEDIA_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "wasm": "application/wasm",
}
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{more}; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing from anywhere else: the client sets styles by script, decodes with WebAssembly and draws from blobs."""
_PAGE_POLICY = _POLICY.format(more="")
# A worker obeys the policy of the file that it runs. The decoders of Zarr's chunks make functions out of texts.
_FILE_POLICY = _POLICY.format(more=" 'unsafe-eval'")
# Names have a hash of what is in them.
_FOR_EVER = "public, max-age=31536000, immutable"


def client_folder() -> Path | None:
    """Where the client's files are; None where the wheel is not installed. Imports nothing of it."""
    spec = importlib.util.find_spec("neuroglancer")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "static" / "client"
        if (folder / "index.html").is_file():
            return folder
    return None


def page_of(folder: Path) -> str:
    """The client's page out of its folder, with our script before its own."""
    ours = '<link rel="icon" href="../../../static/icon.svg"><script src="../../../static/quiet.js"></script>'
    return (folder / "index.html").read_text().replace("<head>", f"<head>{ours}", 1)


def index(request: Request) -> Response:
    """The client's page."""
    body = page_of(_folder()).encode()
    answer = content_answer(request, Content(body, "text/html; charset=utf-8", compressible=True))
    return _ruled(answer, _PAGE_POLICY)


def file(request: Request) -> Response:
    """One of the client's files."""
    name = request.path_params["name"]
    match = _NAME.fullmatch(name)
    path = _folder() / name
    if not match or not path.is_file():
        raise NotFound(f"neuroglancer's client has no {name[:100]!r}")
    content = Content(path.read_bytes(), _MEDIA_TYPES[match[1]], compressible=True)
    return _ruled(content_answer(request, content, cache_control=_FOR_EVER), _FILE_POLICY)


def to_first_page(_request: Request) -> Response:
    """Without a scene there is nothing to show."""
    return RedirectResponse("../", status_code=307)


def _folder() -> Path:
    folder = client_folder()
    if folder is None:
        raise NotFound("neuroglancer's client is not installed here", "pip install 'voxgate-gateway[viewer]'")
    return folder


def _ruled(answer: Response, policy: str) -> Response:
    answer.headers["content-security-policy"] = policy
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


ROUTES = (
    Route("/viewer/v/1/", index, methods=["GET", "HEAD"]),
    Route("/viewer/v/1/{name}", file, methods=["GET", "HEAD"]),
    Route("/viewer/", to_first_page, methods=["GET", "HEAD"]),
)
