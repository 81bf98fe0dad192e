"""The addresses of the precomputed dialect: `/ng/NAME@VERSION/-/…`, and `/ng/NAME@VERSION/-/ENCODING/…`."""

from __future__ import annotations

from urllib.parse import unquote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import NotFound
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend import Backend, VolumeRef
from voxgate_gateway.grid import parse_cell
from voxgate_gateway.paths import backend_of, parse_volume, segments_after, split_address
from voxgate_gateway.precomputed.chunks import chunk
from voxgate_gateway.precomputed.info import MESHES, PROPERTIES, SKELETONS, describe
from voxgate_gateway.precomputed.layout import ENCODINGS, refuse_unsupported
from voxgate_gateway.precomputed.mesh_files import mesh_properties
from voxgate_gateway.precomputed.meshes import mesh
from voxgate_gateway.precomputed.properties import properties
from voxgate_gateway.precomputed.provenance import provenance
from voxgate_gateway.precomputed.skeletons import skeleton

_DIRECTORIES = {MESHES: mesh, SKELETONS: skeleton, PROPERTIES: properties}


async def serve(request: Request) -> Response:
    """Answer anything under `/ng/`."""
    name, asked = split_address(segments_after(request, "ng"))
    ref = parse_volume(name)
    rest = [unquote(segment) for segment in asked]
    wanted = ""
    # A scale may be called as an encoding is: then its chunk follows at once.
    if len(rest) > 1 and rest[0] in ENCODINGS and (len(rest) > 2 or parse_cell(rest[1]) is None):
        wanted, *rest = rest
    backend = backend_of(request)
    if rest in (["info"], ["provenance"]):
        return await _document(request, backend, ref, (rest[0], wanted))
    if len(rest) == 2 and (box := parse_cell(rest[1])) is not None:
        return await chunk(request, backend, await backend.described(ref), (rest[0], box), wanted)
    if len(rest) == 2 and rest[0] in _DIRECTORIES:
        return await _DIRECTORIES[rest[0]](request, backend, await backend.described(ref), rest[1])
    if len(rest) > 2 and (rest[0], rest[-1]) == (MESHES, "info"):
        return await mesh_properties(request, backend, await backend.described(ref), "/".join(rest[1:-1]))
    raise NotFound(
        f"nothing is served at {request.url.path[:200]}",
        "a volume has info, provenance and KEY/X0-X1_Y0-Y1_Z0-Z1; a segmentation may have mesh, skeletons and "
        "segment_properties",
    )


async def _document(request: Request, backend: Backend, ref: VolumeRef, what: tuple[str, str]) -> Response:
    name, wanted = what
    described = await anyio.to_thread.run_sync(lambda: backend.describe(ref, fresh=name == "info"))
    if name == "info":
        described = await anyio.to_thread.run_sync(backend.checked, described)
        pictured = request.app.state.precomputed.jpeg_quality(described.info.name) is not None
        return json_answer(request, describe(described, wanted, pictured=pictured))
    refuse_unsupported(described.info)
    return json_answer(request, await anyio.to_thread.run_sync(provenance, backend, described))


ROUTES = (Route("/ng/{path:path}", serve, methods=["GET", "HEAD"]),)
