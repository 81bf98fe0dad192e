"""What a table of segments' properties finds, and what pandas gets of it."""

import sys

import numpy as np
import pandas
import pytest
from hypothesis import given

from support.segment_tables import IDS, INFO, tables
from voxgate.client.segments import Segments
from voxgate.model.errors import InvalidArgument, MissingCapability, Unimplemented
from voxgate.model.segment_properties import NumberColumn, SegmentTable, TagColumn, TextColumn
from voxgate.model.segments import SegmentCount
from voxgate_remotes.precomputed_kept.properties import parsed_table

TABLE = parsed_table(INFO)
ONE = np.array([9], np.uint64)


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({"label": "MBON01"}, [0, 1]),
        ({"label": "MBON"}, []),
        ({"label": "mbon01"}, []),
        ({"label": ""}, [3]),
        ({"label": "MBON", "match": "prefix"}, [0, 1, 2]),
        ({"label": "1$", "match": "regex"}, [0, 1, 2]),
        ({"label": "Δ7 “ring”"}, [4]),
        ({"tag": "left"}, [0, 3]),
        ({"tag": "never"}, []),
        ({"tag": "unheard of"}, []),
        ({"label": "MBON01", "tag": "glia"}, [1]),
        ({"where": {"size": 7}}, [3, 4]),
        ({"where": {"size": 7.0, "class": "left"}}, [3]),
        ({"where": {"size": 7.5}}, []),
        ({"where": {"size": -(2**31)}}, [0]),
        ({"where": {"size": 2**70}}, []),
        ({"where": {"score": 0.1}}, [0]),
        ({"where": {"score": np.float64(0.1)}}, [0]),
        ({"where": {"about": "a\tb"}}, [1]),
        ({"where": {"about": "a"}}, []),
    ],
)
def test_segments_are_found_by_all_that_is_asked(asked, places):
    found = TABLE.find(**asked)
    assert found == [IDS[place] for place in places]
    assert all(type(each) is int for each in found)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"where": {}},
        {"where": {"nothing": 1}},
        {"where": {"size": "7"}},
        {"where": {"name": 7}},
        {"where": {"class": 0}},
        {"label": "(", "match": "regex"},
        {"label": "a", "match": "fuzzy"},
    ],
)
def test_what_cannot_be_asked_is_refused(asked):
    with pytest.raises(InvalidArgument):
        TABLE.find(**asked)


def test_a_store_without_names_or_tags_says_what_it_has():
    table = SegmentTable(ONE, (TextColumn("note", ("a",)),))
    for asked in ({"label": "a"}, {"tag": "a"}):
        with pytest.raises(MissingCapability) as caught:
            table.find(**asked)
        assert "note" in caught.value.remedy
    assert table.find(where={"note": "a"}) == [9]


def test_whole_numbers_above_2_to_the_53_are_not_rounded_to_their_neighbours():
    table = SegmentTable(ONE, (NumberColumn("n", np.array([2**53 + 1], np.int64)),))
    assert table.find(where={"n": 2**53 + 1}) == [9]
    assert table.find(where={"n": float(2**53)}) == []
    assert table.find(where={"n": 2**53}) == []


def test_a_number_that_is_none_is_found_by_nothing():
    table = SegmentTable(ONE, (NumberColumn("n", np.array([np.nan], np.float32)),))
    assert table.find(where={"n": float("nan")}) == []


def test_pandas_gets_every_column_by_segment():
    frame = TABLE.to_pandas()
    assert (frame.index.name, frame.index.dtype, tuple(frame.index)) == ("segment_id", np.uint64, IDS)
    assert list(frame.columns) == ["name", "about", "class", "size", "score"]
    assert (frame["size"].dtype, frame["score"].dtype) == (np.int32, np.float32)
    assert frame.loc[2**63 + 7, "name"] == "MBON01"
    assert frame.at[2**64 - 1, "class"] == ("right", "glia")
    assert frame[frame["name"].str.startswith("MBON")].index.tolist() == list(IDS[:3])
    assert frame["class"].explode().eq("left").sum() == 2
    assert frame.attrs["descriptions"]["about"] == "who says"


@given(table=tables())
def test_no_table_is_too_strange_for_pandas(table):
    frame = table.to_pandas()
    assert frame.shape == (len(table), len(table.columns))
    assert frame.index.to_numpy().tolist() == table.segment_ids.tolist()
    for place, column in enumerate(table.columns):
        values = frame.iloc[:, place].tolist()
        if isinstance(column, NumberColumn):
            np.testing.assert_array_equal(values, column.values)
        else:
            assert values == list(column.values)


def test_tags_of_one_length_stay_tuples():
    table = SegmentTable(np.array([1, 2], np.uint64), (TagColumn("t", (("a", "b"), ("b", "a")), ("a", "b")),))
    assert table.to_pandas()["t"].tolist() == [("a", "b"), ("b", "a")]


def test_counts_of_segments_become_two_columns():
    frame = Segments((SegmentCount(2**63 + 1, 7), SegmentCount(2, 2**40))).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.dtypes.to_dict() == {"segment_id": np.uint64, "voxel_count": np.int64}
    assert frame["segment_id"].tolist() == [2**63 + 1, 2]
    assert frame["voxel_count"].tolist() == [7, 2**40]
    assert Segments(()).to_pandas().shape == (0, 2)


def test_without_pandas_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for ask in (TABLE.to_pandas, Segments(()).to_pandas):
        with pytest.raises(Unimplemented) as caught:
            ask()
        assert caught.value.remedy == "pip install 'voxgate[tables]'"


def test_rows_are_taken_by_place_and_by_slice():
    for rows in (slice(1, 3), np.array([1, 2])):
        part = TABLE.rows(rows)
        assert part.segment_ids.tolist() == list(IDS[1:3])
        assert part.column("class").values == (("right", "glia"), ())
        assert part.column("size").values.tolist() == [2**31 - 1, 0]
    assert len(TABLE.rows(slice(0, 0))) == 0
