"""`/view/NAME@VERSION/-`: a page that opens neuroglancer on a volume, or says how to get it."""

from __future__ import annotations

import json
import math
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import InvalidArgument, NotFound, VoxgateError
from voxgate.model.volumes import VolumeInfo
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.page import Page, page_answer, problem_answer
from voxgate_gateway.paths import backend_of, parse_volume, segments_after, split_address
from voxgate_gateway.precomputed import refuse_unsupported
from voxgate_gateway.prefix import base_of, root_of
from voxgate_gateway.snippets import path_of
from voxgate_gateway.viewer import client
from voxgate_gateway.viewer.gathering import layers_with, some_segments
from voxgate_gateway.viewer.scene import Wish, scene

_MOST_SEGMENTS = 1000
_POSITIONS = "give x, y, z, as in ?position=120,80,40 (voxels) or ?position_nm=960,640,1600"


def view(request: Request) -> Response:
    """Open neuroglancer on a volume.

    `?segments=ID,ID` selects segments, `?segments=some` the largest in the middle; `?position=X,Y,Z` is in voxels of
    the finest scale, `?position_nm=X,Y,Z` in nanometres.
    """
    title = "voxgate"
    try:
        name, rest = split_address(segments_after(request, "view"))
        if rest not in ([], [""]):
            raise NotFound("nothing is there", "the address of a view ends with /-")
        backend = backend_of(request)
        described = backend.describe(parse_volume(name))
        title = described.info.name
        refuse_unsupported(described.info)
        wish = _wish(request, backend, described)
        folder = client.client_folder()
        state = scene(layers_with(backend, described), wish) if folder is not None else None
    except VoxgateError as error:
        return problem_answer(request, Page(title, _header(title, root_of(request)), ""), error)
    header = _header(title, root_of(request))
    links = _links(described, request)
    if state is None:
        return page_answer(request, Page(f"{title} · voxgate", header, _MISSING + links))
    # "<" would end the element that holds it.
    told = json.dumps(state).replace("<", "\\u003c")
    extra = f'<script type="application/json" id="scene">{told}</script>'
    content = (
        f'<div class="note"><p>Opening neuroglancer …</p><noscript><p>It needs JavaScript.</p></noscript></div>{links}'
    )
    return page_answer(request, Page(f"{title} · voxgate", header, content, "view.js", extra))


_MISSING = (
    '<div class="note"><h2>neuroglancer is not installed here</h2><p>Whoever runs this gateway can have it served '
    "along:</p><p><code>pip install 'voxgate-gateway[viewer]'</code></p><p>Any other neuroglancer that can reach this "
    "address shows the volume, too: give it the source below.</p></div>"
)


def _header(title: str, root: str) -> str:
    return f'<h1>{escape(title)}</h1><p><a href="{root}">All volumes</a></p>'


def _links(described: Described, request: Request) -> str:
    path = escape(path_of(described.info.name))
    if described.ref.version:
        path += f"@{escape(path_of(described.ref.version))}"
    root, base = root_of(request), escape(base_of(request))
    return (
        f'<div class="note"><div class="copy"><b>source</b><code tabindex="0">precomputed://{base}/ng/{path}/-</code>'
        f'</div><p><a href="{root}ng/{path}/-/info">info</a> · <a href="{root}preview/{path}">a slice</a></p></div>'
    )


def _wish(request: Request, backend: Backend, described: Described) -> Wish:
    asked = request.query_params
    segments = asked.get("segments", "").strip()
    ids = some_segments(backend, described) if segments == "some" else _ids(segments)
    return Wish(ids, _position(asked.get("position", ""), asked.get("position_nm", ""), described.info))


def _ids(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > _MOST_SEGMENTS:
        raise InvalidArgument(f"{len(parts)} segments are too many to look at", f"at most {_MOST_SEGMENTS}")
    for part in parts:
        if not (part.isascii() and part.isdigit() and len(part) <= 20 and 0 < int(part) < 1 << 64):
            raise InvalidArgument(
                f"{part[:40]!r} is no segment id", "give ids, as in ?segments=12,77, or segments=some"
            )
    return tuple(dict.fromkeys(int(part) for part in parts))


def _position(voxels: str, nm: str, info: VolumeInfo) -> tuple[float, float, float] | None:
    text = voxels or nm
    if not text:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(math.isfinite(number) for number in numbers):
        raise InvalidArgument(f"{text[:60]!r} is no position", _POSITIONS)
    if not voxels:
        numbers = [at / size for at, size in zip(numbers, info.scales[0].voxel_size_nm or (1, 1, 1), strict=True)]
    x, y, z = numbers
    return (x, y, z)


ROUTES = (Route("/view/{path:path}", view, methods=["GET", "HEAD"]), *client.ROUTES)
