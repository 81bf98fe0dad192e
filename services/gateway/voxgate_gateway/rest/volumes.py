"""Volumes: which there are, and what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
import numpy as np
from starlette.responses import Response

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Channel, Scale, VolumeInfo
from voxgate_gateway.answers import json_answer
from voxgate_gateway.rest.kinds import NAME, PAGE_TOKEN, integer, words
from voxgate_gateway.rest.operations import (
    VOLUME,
    Answer,
    Area,
    Asked,
    Operation,
    Parameter,
    Schema,
    list_of,
    record,
    ref,
    text,
)

_MOST_PAGE = 1000
_NUMBER: Schema = {"type": "number"}
_INTEGER: Schema = {"type": "integer"}
_TRIPLE: Schema = {"type": "array", "items": _INTEGER, "minItems": 3, "maxItems": 3}


async def _list(asked: Asked) -> Response:
    values, backend = asked.values, asked.backend
    entries, token = await anyio.to_thread.run_sync(
        backend.list_page, values.get("prefix", ""), values.get("page_size", _MOST_PAGE), values.get("page_token", "")
    )
    items = [{"name": each.name, "kind": "volume" if each.is_volume else "group"} for each in entries]
    return json_answer(asked.request, {"entries": items, "next_page_token": token})


async def _info(asked: Asked) -> Response:
    backend, volume = asked.backend, asked.ref
    described = await anyio.to_thread.run_sync(lambda: backend.describe(volume, fresh=True))
    return json_answer(asked.request, info_document(described.info, sorted(described.powers)))


def info_document(info: VolumeInfo, powers: Sequence[str]) -> dict[str, Any]:
    """A volume's description as JSON."""
    return {
        "name": info.name,
        "resolved_version": info.resolved_version,
        "immutable": info.immutable,
        "data_type": np.dtype(info.dtype).name,
        "kind": info.kind.value,
        "axes": list(info.axes),
        "channels": [_channel(each) for each in info.channels],
        "time_count": info.time_count,
        "fill_value": str(info.fill_value),
        "scales": [_scale(index, each) for index, each in enumerate(info.scales)],
        "label_views": [each.value for each in info.label_views],
        "inferred": list(info.inferred),
        "capabilities": list(powers),
        "services": [{"name": each.name, "support": each.support, "why": each.why} for each in info.services],
        "format": info.format,
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "window": list(channel.window) if channel.window else None,
        "color": channel.color,
    }


def _scale(index: int, scale: Scale) -> dict[str, Any]:
    size = scale.voxel_size_nm
    return {
        "index": index,
        "key": scale.key,
        "box": box_json(scale.bounds),
        "shape": list(scale.bounds.shape),
        "voxel_size_nm": [size.x, size.y, size.z] if size else None,
        "stored_chunk_shape": list(scale.stored_chunk_shape),
        "grid_origin": list(scale.grid_origin),
        "writable": scale.writable,
    }


def box_json(box: Box) -> dict[str, list[int]]:
    """A box as JSON: the schema `Box`."""
    start, stop = box.start, box.stop
    return {"start": _xyz(start), "stop": _xyz(stop)}


def _xyz(at: Vec3) -> list[int]:
    return [at.x, at.y, at.z]


_SCHEMAS: dict[str, Schema] = {
    "Entry": record(
        {
            "name": text("The full name: a volume's for its operations, a group's for `prefix`."),
            "kind": {"type": "string", "enum": ["group", "volume"]},
        }
    ),
    "Page": record(
        {
            "entries": list_of(ref("Entry")),
            "next_page_token": text("What `page_token` has to be for the next page; empty on the last one."),
        }
    ),
    "Box": {
        **record({"start": _TRIPLE, "stop": _TRIPLE}),
        "description": "x, y, z of the first voxel inside, and of the first one past the end; global voxels.",
    },
    "Channel": record(
        {
            "name": text(),
            "window": {
                "type": ["array", "null"],
                "items": _NUMBER,
                "description": "The values shown black and in full.",
            },
            "color": text("Six hexadecimal digits, red first; empty where the store does not say."),
        }
    ),
    "Scale": record(
        {
            "index": _INTEGER,
            "key": text("The store's name of this level."),
            "box": ref("Box"),
            "shape": {**_TRIPLE, "description": "x, y, z"},
            "voxel_size_nm": {
                "type": ["array", "null"],
                "items": _NUMBER,
                "description": "x, y, z in nanometres; null where unknown.",
            },
            "stored_chunk_shape": {**_TRIPLE, "description": "x, y, z"},
            "grid_origin": {**_TRIPLE, "description": "The voxel where the grid of chunks starts: x, y, z."},
            "writable": {"type": "boolean"},
        }
    ),
    "ServiceOffer": record({"name": text(), "support": text(), "why": text("Why it is unavailable; empty otherwise.")}),
    "Volume": record(
        {
            "name": text("`remote/path`, without a version."),
            "resolved_version": text("Which version this speaks of; empty where the store has none."),
            "immutable": {"type": "boolean"},
            "data_type": text("Of a voxel, as in `uint16`."),
            "kind": {"type": "string", "enum": ["unknown", "image", "segmentation"]},
            "axes": {**list_of(text()), "description": "Slowest first."},
            "channels": list_of(ref("Channel")),
            "time_count": _INTEGER,
            "fill_value": text(
                "The value of absent voxels, as text: not every reader of JSON keeps a 64-bit integer, and NaN is none."
            ),
            "scales": {**list_of(ref("Scale")), "description": "Finest first; empty for what has no voxels."},
            "label_views": list_of(text()),
            "inferred": {**list_of(text()), "description": "Which of these were guessed rather than stated."},
            "capabilities": {**list_of(text()), "description": "What the store can do by itself."},
            "services": list_of(ref("ServiceOffer")),
            "format": text("What it is stored as, for people."),
        }
    ),
}
AREA = Area(
    "volumes",
    "Which volumes there are, what they are, and their voxels.",
    (
        Operation(
            "listVolumes",
            "/volumes",
            "List one level: the remotes, or the groups and volumes right under a name",
            {200: Answer("One page, sorted by name.", {"application/json": ref("Page")})},
            _list,
            parameters=(
                Parameter(
                    "prefix",
                    words(NAME, "the full name of a remote or group", 1024),
                    "The full name of a remote or group; without it the remotes are listed.",
                    example="aniso",
                ),
                Parameter("page_size", integer(1, _MOST_PAGE), "The most entries to answer.", example="100"),
                PAGE_TOKEN,
            ),
        ),
        Operation(
            "getVolume",
            f"{VOLUME}/info",
            "Describe a volume: type, axes, scales, boxes, voxel sizes",
            {200: Answer("The volume as its store describes it.", {"application/json": ref("Volume")})},
            _info,
        ),
    ),
    _SCHEMAS,
)
