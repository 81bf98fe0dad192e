"""Tables of segments' properties, for tests: made by hypothesis, by hand, and in neuroglancer's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from support.kept_files import kept_volume
from voxgate.model.segment_properties import (
    NumberColumn,
    SegmentTable,
    TagColumn,
    TextColumn,
    TextRole,
)
from voxgate.model.volumes import SUPPORTED_DTYPES, OpenOptions

IDS = (2**63 + 7, 2**64 - 1, 12, 2**53 + 1, 5)
INFO = {
    "@type": "neuroglancer_segment_properties",
    "inline": {
        "ids": [str(each) for each in IDS],
        "properties": [
            {"id": "name", "type": "label", "values": ["MBON01", "MBON01", "MBON11", "", "Δ7 “ring”"]},
            {"id": "about", "type": "description", "description": "who says", "values": ["", "a\tb", "x", "y", "z"]},
            {
                "id": "class",
                "type": "tags",
                "tags": ["left", "right", "glia", "never"],
                "tag_descriptions": ["left side", "", "no neuron", ""],
                "values": [[0], [1, 2], [], [0], []],
            },
            {"id": "size", "type": "number", "data_type": "int32", "values": [-(2**31), 2**31 - 1, 0, 7, 7]},
            {"id": "score", "type": "number", "data_type": "float32", "values": [0.1, -2.5, 3e38, 0, 1]},
        ],
    },
}
"""What neuroglancer's description of the format calls segment properties."""


def served_folder(folder: Path, info: dict[str, Any] = INFO) -> Path:
    """A segmentation without voxels whose `info` names a folder of properties; answers its parent."""
    kept_volume(folder / "seg", segment_properties="props")
    (folder / "seg/props").mkdir()
    (folder / "seg/props/info").write_text(json.dumps(info))
    return folder


def rows_of(table: SegmentTable) -> dict[int, tuple[Any, ...]]:
    """A table as plain values: exact, and comparable also where a number is none."""
    columns = [
        [each.tobytes() for each in column.values] if isinstance(column, NumberColumn) else column.values
        for column in table.columns
    ]
    ids = table.segment_ids.tolist()
    assert len(set(ids)) == len(ids)
    return dict(zip(ids, zip(*columns, strict=True) if columns else [()] * len(ids), strict=True))


def told_of(table: SegmentTable) -> list[tuple[Any, ...]]:
    """What a table says of its columns."""
    said = {
        NumberColumn: lambda each: (each.values.dtype.name, each.description),
        TagColumn: lambda each: (each.tags, each.descriptions),
        TextColumn: lambda each: (each.role, each.description),
    }
    return [(each.name, *said[type(each)](each)) for each in table.columns]


def assert_same(found: SegmentTable, wanted: SegmentTable) -> None:
    """Equal to the last bit, in the same order."""
    assert list(rows_of(found).items()) == list(rows_of(wanted).items())
    assert told_of(found) == told_of(wanted)
    assert found.segment_ids.dtype == np.uint64


def wide_table(count: int, *, letters: int = 40) -> SegmentTable:
    """A table with a column of each kind, whose texts grow."""
    ids = np.arange(count, dtype=np.uint64) * np.uint64(3) + np.uint64(2**63)
    names = tuple(f"é{place}" * (1 + place % letters) for place in range(count))
    tags = tuple(("left", "right")[: place % 3] for place in range(count))
    columns = (
        TextColumn("name", names, TextRole.LABEL),
        TagColumn("side", tags, ("left", "right"), ("the left", "")),
        NumberColumn("n", np.arange(count, dtype=np.int64) - 2**62),
    )
    return SegmentTable(ids, columns)


class Keeper:
    """A volume whose store keeps a table.

    Attributes:
        table: what it keeps.
        asked: how often it was asked for it.
    """

    def __init__(self, inner: Any, table: SegmentTable) -> None:
        self._inner = inner
        self.info = inner.info
        self.read = inner.read
        self.table = table
        self.asked = 0
        self.opened = OpenOptions()

    def bound_to(self, options: OpenOptions) -> Keeper:
        self.opened = options
        return self

    def properties(self) -> SegmentTable:
        self.asked += 1
        return self.table

    def capability(self, kind: Any) -> Any:
        return self if kind.__name__ == "SegmentProperties" else self._inner.capability(kind)


texts = st.text(max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> SegmentTable:
    """Any table."""
    ids = draw(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=12))
    names = draw(st.lists(texts, unique=True, max_size=5))
    return SegmentTable(np.array(ids, np.uint64), tuple(draw(_columns(name, len(ids))) for name in names))


def _columns(name: str, count: int) -> st.SearchStrategy[Any]:
    def rows(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
        return st.lists(of, min_size=count, max_size=count).map(tuple)

    @st.composite
    def tagged(draw: st.DrawFn) -> TagColumn:
        known = draw(st.lists(texts, unique=True, max_size=4).map(tuple))
        some = st.lists(st.sampled_from(known), max_size=4).map(tuple) if known else st.just(())
        said = draw(st.one_of(st.just(()), st.tuples(*[texts] * len(known))))
        return TagColumn(name, draw(rows(some)), known, said)

    numbers = st.sampled_from(SUPPORTED_DTYPES).flatmap(lambda dtype: arrays.arrays(dtype, count))
    return st.one_of(
        st.builds(TextColumn, st.just(name), rows(texts), st.sampled_from(TextRole), texts),
        tagged(),
        st.builds(NumberColumn, st.just(name), numbers, texts),
    )
