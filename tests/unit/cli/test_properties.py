"""properties: names, tags and numbers of segments, for people, for spreadsheets and for programs."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from support.segment_service import SEARCHED
from support.segment_tables import IDS, INFO, Keeper
from voxgate.client.array import VolumeArray
from voxgate.model.segment_properties import NumberColumn, TextColumn
from voxgate_remotes.precomputed_kept.properties import parsed_table


@pytest.fixture(autouse=True)
def kept(client):
    volume = Keeper(SEARCHED, parsed_table(INFO))
    client.arrays["lab/kept"] = VolumeArray(volume)
    return volume


def test_a_row_is_a_segment_and_no_text_breaks_it(voxgate):
    lines = voxgate("properties", "lab/kept").out.splitlines()
    assert [line.split()[0] for line in lines] == [str(each) for each in IDS]
    assert lines[1].split() == [str(IDS[1]), "MBON01", "a\\tb", "right,", "glia", str(2**31 - 1), "-2.5"]
    assert lines[0].endswith("0.1")


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--find", "MBON01"], [0, 1]),
        (["--find", "MBON"], []),
        (["--find", "MBON", "--match", "prefix", "--tag", "glia"], [1]),
        (["--find", "ring", "--match", "regex"], [4]),
        (["--tag", "left"], [0, 3]),
    ],
)
def test_only_what_is_looked_for_is_listed(voxgate, options, places):
    answer = voxgate("properties", "lab/kept", *options)
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == [str(IDS[place]) for place in places]
    document = voxgate("properties", "lab/kept", *options, "--json").document
    assert [each["segment_id"] for each in document["segments"]] == [str(IDS[place]) for place in places]


def test_json_says_every_column_and_loses_no_digit(voxgate, kept):
    wide = NumberColumn("wide", np.array([2**63 - 1, -(2**63), 0, 1, 2], np.int64), "since birth")
    odd = NumberColumn("odd", np.array([np.nan, np.inf, -np.inf, 1, 0.1], np.float32))
    kept.table = replace(kept.table, columns=(*kept.table.columns, wide, odd))
    document = voxgate("properties", "lab/kept", "--json").document
    assert [(each["name"], each["kind"]) for each in document["properties"]] == [
        *(("name", "label"), ("about", "description"), ("class", "tags")),
        *(("size", "number"), ("score", "number"), ("wide", "number"), ("odd", "number")),
    ]
    assert document["properties"][2]["tags"][0] == {"tag": "left", "description": "left side"}
    assert document["properties"][5] == {
        "name": "wide",
        "kind": "number",
        "description": "since birth",
        "dtype": "int64",
    }
    values = [each["values"] for each in document["segments"]]
    assert values[1]["class"] == ["right", "glia"]
    assert [each["wide"] for each in values] == [str(2**63 - 1), str(-(2**63)), "0", "1", "2"]
    assert [each["odd"] for each in values] == ["NaN", "Infinity", "-Infinity", 1.0, 0.1]
    assert [each["size"] for each in values] == [-(2**31), 2**31 - 1, 0, 7, 7]


def test_csv_comes_back_as_it_went(voxgate, kept):
    strange = TextColumn("strange", ('a "b", c', "line\nline", "", ";", "é"))
    kept.table = replace(kept.table, columns=(*kept.table.columns[:1], strange, kept.table.columns[2]))
    rows = list(csv.reader(io.StringIO(voxgate("properties", "lab/kept", "--csv").out)))
    assert rows[0] == ["segment_id", "name", "strange", "class"]
    assert [row[0] for row in rows[1:]] == [str(each) for each in IDS]
    assert [row[2] for row in rows[1:]] == list(strange.values)
    assert [row[3] for row in rows[1:]] == ['["left"]', '["right", "glia"]', "[]", '["left"]', "[]"]


@pytest.mark.parametrize("options", [["--csv", "--json"], ["--match", "fuzzy"]])
def test_options_that_contradict_themselves_are_refused(voxgate, options):
    assert voxgate("properties", "lab/kept", *options).code == 2


def test_what_cannot_be_found_says_why(voxgate, kept):
    assert voxgate("properties", "lab/kept", "--find", "(", "--match", "regex").code == 1
    kept.table = replace(kept.table, columns=kept.table.columns[1:])
    answer = voxgate("properties", "lab/kept", "--find", "a", "--json")
    assert (answer.code, answer.error["reason"]) == (1, "MISSING_CAPABILITY")
    answer = voxgate("properties", "lab/deep/seg", "--json")
    assert (answer.code, answer.error["reason"]) == (1, "MISSING_CAPABILITY")
