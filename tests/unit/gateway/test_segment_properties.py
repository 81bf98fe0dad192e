from __future__ import annotations

import json

import numpy as np
import pytest

from voxgate.model.segment_properties import NumberColumn, SegmentTable, TagColumn, TextColumn, TextRole
from voxgate_gateway.precomputed.properties import properties_document

IDS = np.array([2**63 + 5, 3], np.uint64)


def told(*columns):
    document = properties_document(SegmentTable(IDS, columns))
    assert document["inline"]["ids"] == ["9223372036854775813", "3"]
    json.dumps(document, allow_nan=False)
    return document["inline"]["properties"]


@pytest.mark.parametrize(
    ("values", "data_type"),
    [
        (np.array([1, 255], np.uint8), "uint8"),
        (np.array([-1, 7], np.int16), "int16"),
        (np.array([1, 2**32 - 1], np.uint64), "uint32"),
        (np.array([-5, 2**31 - 1], np.int64), "int32"),
        (np.array([0.5, -2.25], np.float32), "float32"),
    ],
)
def test_numbers_are_told_exactly_where_the_format_has_them(values, data_type):
    (number,) = told(NumberColumn("n", values, "how many"))
    assert number == {
        "id": "n",
        "type": "number",
        "description": "how many",
        "data_type": data_type,
        "values": values.tolist(),
    }


@pytest.mark.parametrize("values", [np.array([1, 2**40 + 1], np.uint64), np.array([0.1, 1e300], np.float64)])
def test_numbers_that_the_format_has_not_are_rounded_and_said_to_be(values):
    if values.dtype.kind == "f":
        values[1] = 1e30
    (number,) = told(NumberColumn("n", values))
    assert number["data_type"] == "float32"
    assert number["description"] == f"(rounded from {values.dtype.name})"
    assert number["values"] == values.astype(np.float32).tolist()


def test_a_number_that_is_none_is_an_empty_text_and_never_0():
    (number,) = told(NumberColumn("n", np.array([np.nan, 2.5], np.float32)))
    assert (number["type"], number["values"]) == ("string", ["", "2.5"])


def test_one_label_one_description_and_one_set_of_tags_are_told_as_such_and_others_as_texts():
    label = TextColumn("a", ("x", "y"), TextRole.LABEL)
    tags = TagColumn("t", (("q",), ("q", "p")), ("p", "q"), ("first", "second"))
    found = told(
        label,
        TextColumn("b", ("x", "y"), TextRole.LABEL),
        TextColumn("c", ("1", "2"), TextRole.DESCRIPTION, "why"),
        TextColumn("d", ("3", "4")),
        tags,
        TagColumn("u", ((), ("v", "w")), ("v", "w")),
    )
    assert [each["type"] for each in found] == ["label", "string", "description", "string", "tags", "string"]
    assert found[2]["description"] == "why"
    assert found[4] == {
        "id": "t",
        "type": "tags",
        "tags": ["p", "q"],
        "tag_descriptions": ["first", "second"],
        "values": [[1], [0, 1]],
    }
    assert found[5]["values"] == ["", "v, w"]
