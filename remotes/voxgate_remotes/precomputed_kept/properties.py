"""The properties of segments that a precomputed volume keeps.

Format: github.com/google/neuroglancer, src/datasource/precomputed/segment_properties.md: one `info` whose `inline` has
`ids`, decimal strings, and `properties`, each with `values` in the order of the ids. Tags are indices into the
property's `tags`; numbers are converted to its `data_type`, here only where that changes nothing but a float's last
digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat
from voxgate.model.segment_properties import (
    NumberColumn,
    SegmentColumn,
    SegmentTable,
    TagColumn,
    TextColumn,
    TextRole,
)
from voxgate_remotes.precomputed_kept.files import KeptFiles
from voxgate_remotes.precomputed_kept.places import is_number

TYPE = "neuroglancer_segment_properties"
_TEXTS = {role.value: role for role in TextRole}
_NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")


class PrecomputedProperties:
    """Properties that are kept, for one caller; satisfies SegmentProperties."""

    def __init__(self, files: Callable[[], KeptFiles]) -> None:
        """Take what opens the folder: nothing is looked at before properties are asked for."""
        self._files = files

    def properties(self) -> SegmentTable:
        """The properties of all segments.

        Raises:
            MetadataInvalid, UnsupportedFormat, PathRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        info = self._files().info()
        if info is None or info.get("@type") != TYPE:
            raise MetadataInvalid(f"the folder of the segment properties has no `info` of the type {TYPE}", "add it")
        return parsed_table(info)


def parsed_table(info: dict[str, Any]) -> SegmentTable:
    """The table that an `info` says.

    Raises:
        MetadataInvalid, UnsupportedFormat.
    """
    inline = info.get("inline", {"ids": [], "properties": []})
    if not isinstance(inline, dict):
        raise _invalid("`inline` is no object")
    ids = inline.get("ids")
    if not isinstance(ids, list) or not all(_is_id(each) for each in ids):
        raise _invalid("`ids` are no list of decimal strings of 64-bit numbers")
    segment_ids = np.array([int(each) for each in ids], np.uint64)
    if len(np.unique(segment_ids)) != len(segment_ids):
        raise _invalid("a segment is listed twice")
    stated = inline.get("properties", [])
    if not isinstance(stated, list) or not all(isinstance(each, dict) for each in stated):
        raise _invalid("`properties` are no list of objects")
    columns = tuple(_column(each, len(segment_ids)) for each in stated)
    if len({each.name for each in columns}) != len(columns):
        raise _invalid("two properties have the same id")
    return SegmentTable(segment_ids, columns)


def _is_id(value: object) -> bool:
    is_decimal = isinstance(value, str) and 0 < len(value) <= 20 and value.isascii() and value.isdecimal()
    return is_decimal and int(str(value)) < 2**64


def _column(stated: dict[str, Any], count: int) -> SegmentColumn:
    name, kind, values = stated.get("id"), stated.get("type"), stated.get("values")
    description = stated.get("description", "")
    if not isinstance(name, str) or not isinstance(description, str):
        raise _invalid("a property lacks its id, or its description is no text")
    if not isinstance(values, list) or len(values) != count:
        raise _invalid(f"the property {name!r} has not one value for each of {count} segments")
    if isinstance(kind, str) and kind in _TEXTS:
        if not all(isinstance(each, str) for each in values):
            raise _invalid(f"a value of the property {name!r} is no text")
        return TextColumn(name, tuple(values), _TEXTS[kind], description)
    if kind == "tags":
        return _tags(name, stated, values)
    if kind == "number":
        return NumberColumn(name, _numbers(name, stated.get("data_type"), values), description)
    known = ", ".join([*_TEXTS, "tags", "number"])
    raise UnsupportedFormat(f"properties of the type {kind!r} are not supported", f"known: {known}")


def _tags(name: str, stated: dict[str, Any], values: list[Any]) -> TagColumn:
    tags, descriptions = _texts(name, stated.get("tags")), _texts(name, stated.get("tag_descriptions", []))
    if descriptions and len(descriptions) != len(tags):
        raise _invalid(f"not each tag of the property {name!r} has a description")
    for row in values:
        if not isinstance(row, list) or not all(type(each) is int and 0 <= each < len(tags) for each in row):
            raise _invalid(f"a value of the property {name!r} is no list of its tags' numbers")
    rows = tuple(tuple(tags[each] for each in row) for row in values)
    return TagColumn(name, rows, tags, descriptions)


def _texts(name: str, stated: object) -> tuple[str, ...]:
    if not isinstance(stated, list) or not all(isinstance(each, str) for each in stated):
        raise _invalid(f"the tags of the property {name!r}, or their descriptions, are no texts")
    return tuple(stated)


def _numbers(name: str, data_type: object, values: list[Any]) -> npt.NDArray[Any]:
    if data_type not in _NUMBERS:
        raise UnsupportedFormat(f"numbers of the type {data_type!r} are not supported", f"known: {', '.join(_NUMBERS)}")
    if not all(is_number(each) for each in values):
        raise _invalid(f"a value of the property {name!r} is no finite number")
    exact = np.array(values, np.float64)  # holds every number of 32 bits
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = exact.astype(str(data_type))
    held = np.isfinite(numbers) if data_type == "float32" else numbers == exact
    if not held.all():
        raise _invalid(f"a value of the property {name!r} is no {data_type}")
    return numbers


def _invalid(what: str) -> MetadataInvalid:
    return MetadataInvalid(f"segment properties: {what}", "compare `info` with the format's description")
