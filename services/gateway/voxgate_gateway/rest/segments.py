"""Segments: which are in a box, which is at a point, where one is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from voxgate.model.geometry import Vec3
from voxgate.model.requests import check_opened, scale_of
from voxgate.model.volumes import LabelView, OpenOptions
from voxgate_gateway.answers import caching, json_answer
from voxgate_gateway.backend import Described
from voxgate_gateway.backend.finding import Paging, segment_extent, segments_at, segments_in
from voxgate_gateway.backend.objects import Where
from voxgate_gateway.rest.boxes import OF_THE_VOLUME, axis, scale_index, wish_of
from voxgate_gateway.rest.kinds import PAGE_TOKEN, SEGMENT_ID_TEXT, choice, integer
from voxgate_gateway.rest.operations import (
    SEGMENT_ID,
    VOLUME,
    Answer,
    Area,
    Asked,
    Kind,
    Operation,
    Parameter,
    Schema,
    list_of,
    record,
    ref,
    text,
)
from voxgate_gateway.rest.volumes import box_json

_MOST_PAGE = 100_000
_MOST_POINTS = 1000
_NUMBER = r"-?[0-9]{1,15}"
_POINT = rf"{_NUMBER},{_NUMBER},{_NUMBER}"
_POINTS = re.compile(rf"{_POINT}(;{_POINT}){{0,{_MOST_POINTS - 1}}}", re.ASCII)


def _points(text: str) -> list[Vec3]:
    if not _POINTS.fullmatch(text):
        raise ValueError(f"it is X,Y,Z in voxels, or several with semicolons between them, at most {_MOST_POINTS}")
    return [Vec3(*map(int, point.split(","))) for point in text.split(";")]


SEGMENT = Parameter(
    "segment",
    SEGMENT_ID_TEXT,
    "The segment's id, in decimal.",
    where="path",
    required=True,
    example="9223372036854775813",
)
WHERE = tuple(each for each in OF_THE_VOLUME if each.name != "channel")
"""Which scale, time and labels."""


def view_of(values: Mapping[str, Any]) -> LabelView:
    """What segment ids mean."""
    return LabelView(values.get("labels", LabelView.BODIES.value))


async def _where(asked: Asked) -> Where:
    """The scale, time and labels that a request means; a volume without voxels is the server's to refuse."""
    described, values = await asked.backend.described(asked.ref), asked.values
    scale, time, view = scale_index(described.info, values), values.get("time"), view_of(values)
    scale_of(described.info, scale)
    check_opened(described.info, OpenOptions(time_index=time, label_view=view))
    return Where(described, scale, time, view)


def _told(asked: Asked, where: Where, support: str, facts: Mapping[str, Any]) -> Response:
    common = {
        "scale": where.scale,
        "labels": where.label_view.value,
        "resolved_version": where.described.info.resolved_version,
        "support": support,
    }
    return json_answer(asked.request, {**facts, **common}, cache_control=_caching(asked, where.described))


def _caching(asked: Asked, described: Described) -> str:
    return caching(asked.request, lasting=described.is_lasting)


async def _list(asked: Asked) -> Response:
    values = asked.values
    described = await asked.backend.described(asked.ref)
    wish = wish_of(described.info, values)
    where = Where(described, wish.scale, wish.time, wish.label_view)
    paging = Paging(
        values.get("page_size", 0),
        values.get("page_token", ""),
        values.get("order") == "largest",
        values.get("counts") == "no",
    )
    page = await segments_in(asked.backend.calls, where, wish.box, paging)
    found = [
        {"id": str(each.segment_id), "voxel_count": None if paging.ids_only else each.voxel_count}
        for each in page.segments
    ]
    facts = {"segments": found, "total_count": page.total_count, "next_page_token": page.next_page_token}
    return _told(asked, where, page.support, {**facts, "box": box_json(wish.box)})


async def _at(asked: Asked) -> Response:
    where = await _where(asked)
    ids, support = await segments_at(asked.backend.calls, where, asked.values["points"])
    return _told(asked, where, support, {"ids": [str(each) for each in ids]})


async def _one(asked: Asked) -> Response:
    where = await _where(asked)
    found, support = await segment_extent(asked.backend.calls, where, asked.values["segment"])
    facts = {
        "id": str(found.segment_id),
        "box": box_json(found.box),
        "is_exact": found.is_exact,
        "voxel_count": found.voxel_count,
    }
    return _told(asked, where, support, facts)


_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_COMMON: dict[str, Schema] = {
    "scale": {"type": "integer"},
    "labels": text("What ids mean: `bodies` or `supervoxels`."),
    "resolved_version": text("The version that was searched; empty where the store has none."),
    "support": {
        "type": "string",
        "enum": ["native", "surrogate"],
        "description": "Whether the store's index answered, or its voxels were read.",
    },
}
_SCHEMAS: dict[str, Schema] = {
    "SegmentCount": record(
        {"id": SEGMENT_ID, "voxel_count": {**_COUNT, "description": "Inside the box; null where only ids were asked."}}
    ),
    "SegmentPage": record(
        {
            "segments": list_of(ref("SegmentCount")),
            "total_count": {"type": "integer", "description": "Over all pages."},
            "next_page_token": text("Empty on the last page."),
            "box": ref("Box"),
            **_COMMON,
        }
    ),
    "SegmentsAt": record(
        {"ids": {**list_of(SEGMENT_ID), "description": "One for each point, in their order; 0 is background."}}
        | _COMMON
    ),
    "Segment": record(
        {
            "id": SEGMENT_ID,
            "box": ref("Box"),
            "is_exact": {"type": "boolean", "description": "Whether no smaller box holds it."},
            "voxel_count": {**_COUNT, "description": "Null where the store does not say."},
            **_COMMON,
        }
    ),
}
SPANS = tuple(
    axis(name, f"Voxels along {name}; without it all of them.", required=False, example=example)
    for name, example in (("x", "10:74"), ("y", "20:52"), ("z", "5:15"))
)
AREA = Area(
    "segments",
    "Which segments there are, and where.",
    (
        Operation(
            "listSegments",
            f"{VOLUME}/segments",
            "List the segments in a box, with their voxel counts",
            {200: Answer("One page; background is not a segment.", {"application/json": ref("SegmentPage")})},
            _list,
            parameters=(
                *SPANS,
                *WHERE,
                Parameter("order", choice("id", "largest"), "By id, or the largest first; without it by id."),
                Parameter("counts", choice("yes", "no"), "`no`: ids are enough, which many stores know sooner."),
                Parameter("page_size", integer(1, _MOST_PAGE), "The most to answer; 1000 if it is not said."),
                PAGE_TOKEN,
            ),
        ),
        Operation(
            "lookupSegments",
            f"{VOLUME}/segments/at",
            "The segment at each of some points",
            {200: Answer("Their ids.", {"application/json": ref("SegmentsAt")})},
            _at,
            parameters=(
                Parameter(
                    "points",
                    Kind({"type": "string", "pattern": f"^{_POINTS.pattern}$"}, _points),
                    f"`X,Y,Z` in voxels of the scale, global coordinates; at most {_MOST_POINTS}, with `;` between.",
                    required=True,
                    example="12,30,7",
                ),
                *WHERE,
            ),
        ),
        Operation(
            "getSegment",
            f"{VOLUME}/segments/{{segment}}",
            "Where a segment is, and how large; 404 where it is not",
            {200: Answer("Its box.", {"application/json": ref("Segment")})},
            _one,
            parameters=(SEGMENT, *WHERE),
        ),
    ),
    _SCHEMAS,
)
