"""Meshes and skeletons of single segments, as files that other programs read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

from voxgate.model.errors import MissingCapability
from voxgate.model.mesh_facts import Simplification
from voxgate.model.mesh_files import mesh_file_type
from voxgate.model.meshes import MeshRequest
from voxgate.model.skeletons import SkeletonRequest
from voxgate.model.volumes import OpenOptions
from voxgate_gateway.answers import caching
from voxgate_gateway.backend import Described
from voxgate_gateway.backend.files import Files, FileStream
from voxgate_gateway.rest.boxes import scale_index, wish_of
from voxgate_gateway.rest.kinds import choice, integer
from voxgate_gateway.rest.operations import BINARY, VOLUME, Answer, Area, Asked, Kind, Operation, Parameter
from voxgate_gateway.rest.segments import SEGMENT, SPANS, WHERE, view_of

_MESH_MEDIA = {fmt: mesh_file_type(fmt).media_type for fmt in ("obj", "ply", "stl", "glb", "drc")}
_NM = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_MOST_FACES = 2**32
_AXES = "xyz"


def _nanometres(text: str) -> float:
    if not _NM.fullmatch(text) or not float(text):
        raise ValueError("it is nanometres above 0, as in 12.5")
    return float(text)


async def _mesh(asked: Asked) -> Response:
    described, values = await asked.backend.described(asked.ref), asked.values
    simplification = None
    if "max_error_nm" in values or "faces" in values:
        simplification = Simplification(values.get("max_error_nm"), values.get("faces"))
    bounds, scale = None, _scale(described, values)
    if any(name in values for name in _AXES):
        wish = wish_of(described.info, values)
        bounds, scale = wish.box, wish.scale
    request = MeshRequest((values["segment"],), scale, bounds, simplification=simplification)
    made = await _files(asked, described, "Mesh").mesh(
        described.info.name, _options(described, values), request, values["format"]
    )
    return await _answer(asked, described, made, values["format"])


async def _skeleton(asked: Asked) -> Response:
    described, values = await asked.backend.described(asked.ref), asked.values
    request = SkeletonRequest((values["segment"],), scale=_scale(described, values))
    made = await _files(asked, described, "Skeleton").skeleton(
        described.info.name, _options(described, values), request
    )
    return await _answer(asked, described, made, "swc")


def _files(asked: Asked, described: Described, service: str) -> Files:
    if described.mesh_address is None:
        raise MissingCapability(f"no {service} service is behind this gateway", "start one beside the volume server")
    return Files(asked.request.app.state.forwarder, asked.backend.calls.metadata)


def _options(described: Described, values: Mapping[str, Any]) -> OpenOptions:
    return OpenOptions(described.info.resolved_version, values.get("time"), view_of(values))


def _scale(described: Described, values: Mapping[str, Any]) -> int | None:
    return scale_index(described.info, values) if "scale" in values or "scale_key" in values else None


async def _answer(asked: Asked, described: Described, made: FileStream, ending: str) -> Response:
    """Send a file as it comes. One that breaks ends its connection in the middle, and is nobody's whole."""
    name = f"{described.info.name.rpartition('/')[2]}-{asked.values['segment']}.{ending}"
    headers = {
        "cache-control": caching(asked.request, lasting=described.is_lasting),
        "content-disposition": f'attachment; filename="{name}"',
        "x-voxgate-version": described.info.resolved_version,
    }
    if asked.request.method == "HEAD":
        await made.pieces.aclose()
        return Response(media_type=made.media_type, headers=headers)
    asked.request.scope.setdefault("state", {})["ends_with_caller"] = True
    return StreamingResponse(made.pieces, media_type=made.media_type, headers=headers)


_TEXT = """\
Coordinates are nanometres in the volume's global frame (of `.glb` metres, as glTF has them): voxel i along an axis
spans i to i+1 times its size. Of a volume that stores meshes the stored one is sent where nothing else is asked for.

The file comes in chunks once it is made, without its length; a connection that ends early is a failure: the bytes are
not all there. `HEAD` makes the file too, and says whether there is one."""
AREA = Area(
    "meshes and skeletons",
    "Single segments as files that other programs read.",
    (
        Operation(
            "getMesh",
            f"{VOLUME}/segments/{{segment}}/mesh.{{format}}",
            "The surface of a segment as a file",
            {200: Answer("The file.", dict.fromkeys(_MESH_MEDIA.values(), BINARY))},
            _mesh,
            text=_TEXT,
            parameters=(
                SEGMENT,
                Parameter(
                    "format",
                    choice(*_MESH_MEDIA),
                    "Of the file: Wavefront, binary PLY or STL, glTF 2.0 binary, Draco.",
                    where="path",
                    required=True,
                    example="ply",
                ),
                Parameter(
                    "max_error_nm",
                    Kind({"type": "string", "pattern": f"^{_NM.pattern}$"}, _nanometres),
                    "Simplified until the surface would be farther than this from the unsimplified one, nanometres. "
                    "Where no scale is named, the coarsest is meshed whose voxels are at most half as long.",
                    example="64",
                ),
                Parameter(
                    "faces",
                    integer(4, _MOST_FACES),
                    "Simplified until it has no more triangles than this, or until `max_error_nm` forbids.",
                    example="10000",
                ),
                *SPANS,
                *WHERE,
            ),
        ),
        Operation(
            "getSkeleton",
            f"{VOLUME}/segments/{{segment}}/skeleton.swc",
            "The centre line of a segment as SWC, in nanometres",
            {200: Answer("The file.", {"text/plain": {"type": "string"}})},
            _skeleton,
            text="The store's own, else computed where a skeletonizer is installed. One with a ring is refused: SWC "
            "cannot say it.",
            parameters=(SEGMENT, *WHERE),
        ),
    ),
)
