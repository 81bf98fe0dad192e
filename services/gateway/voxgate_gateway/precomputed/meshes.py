"""Meshes: the store's own multi-resolution files where it has them, else legacy ones, made when they are asked for.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed/meshes.md. Of legacy meshes each segment has
a manifest and one fragment. They are answered beside stored multi-resolution meshes too, for segments that have none
there: `info` does not name them, so readers do not look for them, but people can.
"""

from __future__ import annotations

import re
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import NotFound
from voxgate_gateway.answers import caching, json_answer, pieces_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.segments import MeshFile, mesh_file
from voxgate_gateway.making import Making, Task
from voxgate_gateway.precomputed.info import MESH_INFO, MESHES, directories
from voxgate_gateway.precomputed.mesh_files import segment_id_of, stored_files

MOST_FACES = 300_000
"""Of a mesh made for looking at: five megabytes, drawn without effort."""
_MANIFEST = re.compile(r"([0-9]{1,40}):([0-9]{1,10})", re.ASCII)
_FRAGMENT = re.compile(r"([0-9]{1,40})\.ngmesh", re.ASCII)
_OCTETS = "application/octet-stream"


async def mesh(request: Request, backend: Backend, described: Described, name: str) -> Response:
    """Answer a file of stored meshes, or `mesh/info`, `mesh/ID:0` (the manifest) and `mesh/ID.ngmesh` (the fragment).

    Raises:
        NotFound: for any other name, a volume without meshes, and an absent segment.
        ServerBusy: while a mesh is being made.
    """
    if MESHES not in directories(described):
        raise NotFound(f"{described.info.name} has no meshes", "its info says what it has")
    files = await stored_files(backend, described, fresh=name == "info")
    if files.are_multires and files.has_name(name):
        return await files.answer(request, name)
    if name == "info":
        return json_answer(request, MESH_INFO)
    if match := _MANIFEST.fullmatch(name):
        if int(match[2]) != 0:
            raise NotFound(f"there is no level of detail {match[2]}", "legacy meshes have level 0 only")
        segment_id = segment_id_of(match[1])
        made = await _made(request, backend, described, segment_id)
        answer = json_answer(request, {"fragments": [f"{segment_id}.ngmesh"], **_said(described, made)})
    elif match := _FRAGMENT.fullmatch(name):
        segment_id = segment_id_of(match[1])
        made = await _made(request, backend, described, segment_id)
        lasting = caching(request, lasting=described.is_lasting)
        answer = pieces_answer(request, made.pieces, _OCTETS, cache_control=lasting)
    else:
        raise NotFound(f"there is no {name[:100]!r} among meshes", "a segment has ID:0")
    answer.headers["x-voxgate-mesh"] = f"origin={made.origin}; scale={made.scale}; faces={made.face_count}"
    return answer


async def _made(request: Request, backend: Backend, described: Described, segment_id: int) -> MeshFile:
    making: Making = request.app.state.making
    info, calls = described.info, backend.calls
    task = Task(
        ("mesh", calls.identity, info.name, info.resolved_version, segment_id),
        partial(mesh_file, calls, described, segment_id, MOST_FACES),
        lambda made: int(made.byte_count),
        described.is_unchanging,
    )
    made: MeshFile = await making.made(task)
    return made


def _said(described: Described, made: MeshFile) -> dict[str, object]:
    """What a reader of the manifest may want to know; readers of the format look at `fragments` alone."""
    scale = described.info.scales[made.scale].key if made.scale < len(described.info.scales) else ""
    return {"voxgate": {"origin": made.origin, "scale": scale, "faces": made.face_count}}
