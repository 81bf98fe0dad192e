"""Segment properties: the whole table, inline.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed/segment_properties.md. It has one label, one
description and one set of tags, and numbers of up to 32 bits; what a store has beyond that is told as texts, or
rounded and said to be.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import NotFound
from voxgate.model.segment_properties import NumberColumn, SegmentColumn, SegmentTable, TagColumn, TextColumn, TextRole
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.segments import segment_table
from voxgate_gateway.making import Making, Task
from voxgate_gateway.precomputed.info import PROPERTIES, directories

_NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")
_SMALLER = ("uint32", "int32")
_ROW_BYTES = 200


async def properties(request: Request, backend: Backend, described: Described, name: str) -> Response:
    """Answer `segment_properties/info`.

    Raises:
        NotFound: for any other name, and a volume without properties.
    """
    if PROPERTIES not in directories(described):
        raise NotFound(f"{described.info.name} has no segment properties", "its info says what it has")
    if name != "info":
        raise NotFound(f"there is no {name[:100]!r} among segment properties", "there is info")
    making: Making = request.app.state.making
    info, calls = described.info, backend.calls
    task = Task(
        ("properties", calls.identity, info.name, info.resolved_version),
        partial(_document, backend, described),
        lambda made: _ROW_BYTES * len(made["inline"]["ids"]),
        described.is_unchanging,
    )
    return json_answer(request, await making.made(task))


def _document(backend: Backend, described: Described) -> dict[str, Any]:
    return properties_document(segment_table(backend.calls, described))


def properties_document(table: SegmentTable) -> dict[str, Any]:
    """The `info` file of a table, its ids as texts."""
    taken: set[str] = set()
    told = [_property(column, taken) for column in table.columns]
    ids = [str(segment_id) for segment_id in table.segment_ids.tolist()]
    return {"@type": "neuroglancer_segment_properties", "inline": {"ids": ids, "properties": told}}


def _property(column: SegmentColumn, taken: set[str]) -> dict[str, Any]:
    """One property; `taken` are the kinds of which the format has one only."""
    if isinstance(column, NumberColumn):
        return _number(column)
    if isinstance(column, TagColumn):
        if "tags" in taken:
            return {"id": column.name, "type": "string", "values": [", ".join(tags) for tags in column.values]}
        taken.add("tags")
        return _tags(column)
    kind = column.role.value
    if column.role is not TextRole.OTHER:
        kind = TextRole.OTHER.value if kind in taken else kind
        taken.add(kind)
    return _told(column, kind) | {"values": list(column.values)}


def _told(column: TextColumn | NumberColumn, kind: str) -> dict[str, Any]:
    described = {"description": column.description} if column.description else {}
    return {"id": column.name, "type": kind, **described}


def _tags(column: TagColumn) -> dict[str, Any]:
    places = {tag: place for place, tag in enumerate(column.tags)}
    described = {"tag_descriptions": list(column.descriptions)} if column.descriptions else {}
    rows = [sorted(places[tag] for tag in tags) for tags in column.values]
    return {"id": column.name, "type": "tags", "tags": list(column.tags), **described, "values": rows}


def _number(column: NumberColumn) -> dict[str, Any]:
    values = column.values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        # JSON has no such numbers, and 0 would be a lie.
        texts = [str(value) if np.isfinite(value) else "" for value in values.tolist()]
        return _told(column, "string") | {"values": texts}
    told = _told(column, "number")
    narrowed = _narrowed(values)
    if narrowed.dtype.name == "float32" and values.dtype.name != "float32":
        told["description"] = f"{column.description} (rounded from {values.dtype.name})".strip()
    return told | {"data_type": narrowed.dtype.name, "values": narrowed.tolist()}


def _narrowed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers in a type that the format has: exactly where there is one."""
    if values.dtype.name in _NUMBERS:
        return values
    if values.dtype.kind in "iu":
        for name in _SMALLER:
            limits = np.iinfo(name)
            if not len(values) or (limits.min <= int(values.min()) and int(values.max()) <= limits.max):
                return values.astype(name)
    return values.astype(np.float32)
