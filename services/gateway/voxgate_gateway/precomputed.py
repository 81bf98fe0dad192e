"""The neuroglancer precomputed dialect: every volume as unsharded chunks of raw voxels under `/ng/`.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed/volume.md. A chunk's name is its absolute
box, clipped to the volume; its bytes are little-endian, x fastest, then y, z, channel: a ReadChunk's own bytes.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import NotFound, UnknownScale, UnsupportedFormat
from voxgate.model.names import VolumeName
from voxgate.model.volumes import VolumeInfo, VolumeKind
from voxgate_gateway.answers import body_answer, json_answer, length_answer
from voxgate_gateway.backend import Backend
from voxgate_gateway.grid import MAX_CHUNK_BYTES, chunk_shape, parse_cell, require_cell
from voxgate_gateway.paths import backend_of, parse_volume, segments_after

_DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "float32")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_OCTETS = "application/octet-stream"
_CHUNK_HEADERS = {"cache-control": "no-cache"}
_PROVENANCE = {"description": "", "owners": [], "processing": [], "sources": []}


def refuse_unsupported(info: VolumeInfo) -> None:
    """Check that precomputed can say what this volume is.

    Raises:
        UnsupportedFormat: when it cannot; the message says what is in the way and what to do.
    """
    name = info.name
    if not info.scales:
        raise UnsupportedFormat(f"{name} has no voxels, so there is nothing to show as precomputed")
    if info.dtype.name not in _DTYPES:
        raise UnsupportedFormat(
            f"{name} is {info.dtype.name}, which precomputed cannot hold",
            f"precomputed holds {', '.join(_DTYPES)}; read this volume through the gRPC API",
        )
    if info.time_count > 1:
        raise UnsupportedFormat(
            f"{name} has {info.time_count} time points and precomputed has no time axis",
            "read one time point through the gRPC API",
        )
    if any(scale.voxel_size_nm is None for scale in info.scales):
        raise UnsupportedFormat(
            f"the voxel size of {name} is unknown, and precomputed must state it",
            f"state it in voxgate.toml: {_override(name)} voxel_size_nm = [x, y, z] in nanometres",
        )


def _override(name: str) -> str:
    """The table of voxgate.toml that speaks of one volume."""
    parsed = VolumeName.parse(name)
    return f'[remotes.{parsed.remote}.volumes."{parsed.path}"]'


def scale_keys(info: VolumeInfo) -> list[str]:
    """The directory of each scale: the store's own key where it is one plain path segment, else its number."""
    plain = [scale.key if _PLAIN_KEY.fullmatch(scale.key) else f"s{i}" for i, scale in enumerate(info.scales)]
    return plain if len(set(plain)) == len(plain) else [f"s{i}" for i in range(len(plain))]


def describe(info: VolumeInfo, budget_bytes: int = MAX_CHUNK_BYTES) -> dict[str, Any]:
    """The `info` file of a volume, all scales.

    Raises:
        UnsupportedFormat: for a volume that precomputed cannot say.
    """
    refuse_unsupported(info)
    scales = [
        {
            "key": key,
            "size": list(scale.bounds.shape),
            "voxel_offset": list(scale.bounds.start),
            "resolution": list(scale.voxel_size_nm or ()),
            "chunk_sizes": [list(chunk_shape(info, scale, budget_bytes))],
            "encoding": "raw",
        }
        for key, scale in zip(scale_keys(info), info.scales, strict=True)
    ]
    # The format knows two types only; voxels that nobody calls segment ids are shown as intensities.
    kind = "segmentation" if info.kind is VolumeKind.SEGMENTATION else "image"
    return {
        "@type": "neuroglancer_multiscale_volume",
        "type": kind,
        "data_type": info.dtype.name,
        "num_channels": info.channel_count,
        "scales": scales,
    }


def serve(request: Request) -> Response:
    """Answer anything under `/ng/`: what is asked for is told by the path's end, because names have slashes."""
    parts = segments_after(request, "ng")
    backend = backend_of(request)
    if len(parts) > 1 and parts[-1] == "info":
        fresh = backend.describe(parse_volume(parts[:-1]), fresh=True)
        return json_answer(request, describe(fresh.info, fresh.max_chunk_bytes))
    if len(parts) > 1 and parts[-1] == "provenance":
        refuse_unsupported(backend.describe(parse_volume(parts[:-1])).info)
        return json_answer(request, _PROVENANCE)
    if len(parts) > 2 and parse_cell(unquote(parts[-1])) is not None:
        return _chunk(request, backend, parts)
    raise NotFound(
        f"nothing is served at {request.url.path}", "a volume has info, provenance and KEY/X0-X1_Y0-Y1_Z0-Z1"
    )


def _chunk(request: Request, backend: Backend, parts: list[str]) -> Response:
    ref = parse_volume(parts[:-2])
    key, box = unquote(parts[-2]), parse_cell(unquote(parts[-1]))
    known = backend.describe(ref)
    info = known.info
    refuse_unsupported(info)
    keys = scale_keys(info)
    if key not in keys or box is None:
        raise UnknownScale(f"{info.name} has no scale {key!r}", f"its scales are {', '.join(keys)}")
    index = keys.index(key)
    scale = info.scales[index]
    require_cell(box, scale.bounds, chunk_shape(info, scale, known.max_chunk_bytes))
    if request.method == "HEAD":
        # The length follows from the box: no voxel is read to tell it.
        return length_answer(box.voxel_count * info.dtype.itemsize * info.channel_count, _OCTETS, _CHUNK_HEADERS)
    return body_answer(request, backend.read_chunk(known, box, scale=index), _OCTETS)


ROUTES = (Route("/ng/{path:path}", serve, methods=["GET", "HEAD"]),)
