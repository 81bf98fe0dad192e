"""Skeletons and segment properties that a precomputed volume keeps."""

import json
import struct

import numpy as np
import pytest

from support.kept_files import ABSENT, BIG, OTHER, SMALL, kept_volume, line, ours, write_skeletons
from support.peer_files import SHARDING
from voxgate.model.errors import ChunkCorrupt, InvalidArgument, InvalidSegmentId, MetadataInvalid, UnsupportedFormat
from voxgate.model.segment_properties import NumberColumn, SegmentProperties, TagColumn, TextColumn, TextRole
from voxgate.model.skeletons import StoredSkeletons

EVEN, UNEVEN = [0, 0, 4, -16, 4, 0, 0, 32, 0, 4, 0, 8], [4, 0, 0, -16, 0, 4, 0, 32, 0, 0, 40, 8]


def skeletons_of(folder):
    return ours(folder).capability(StoredSkeletons)


@pytest.fixture
def kept(tmp_path):
    kept_volume(tmp_path, skeletons="skeletons")
    (tmp_path / "skeletons").mkdir()
    return tmp_path


@pytest.mark.parametrize("sharding", [None, SHARDING], ids=["files", "shards"])
@pytest.mark.parametrize("transform", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_a_skeleton_comes_in_nanometres_with_radii_where_they_are_lengths(kept, sharding, transform):
    lines = [line(BIG, 1), line(OTHER, 2, 31), line(SMALL, 3, 2)]
    write_skeletons(kept, lines, transform, sharding)
    matrix = np.array(transform, float).reshape(3, 4)
    for their in lines:
        skeleton = skeletons_of(kept).stored_skeleton(their.id)
        expected = their.vertices @ matrix[:, :3].T + matrix[:, 3]
        np.testing.assert_array_equal(skeleton.vertices, expected.astype(np.float32))
        np.testing.assert_array_equal(skeleton.edges, their.edges)
        assert (skeleton.segment_id, skeleton.vertices.dtype, skeleton.edges.dtype) == (their.id, "<f4", "<u4")
        if transform is EVEN:
            np.testing.assert_array_equal(skeleton.radii, their.radii * np.float32(4))
        else:
            assert skeleton.radii is None
    assert skeletons_of(kept).stored_skeleton(ABSENT) is None
    with pytest.raises(InvalidSegmentId):
        skeletons_of(kept).stored_skeleton(0)


def attributes(*triples):
    keys = ("id", "data_type", "num_components")
    return [dict(zip(keys, triple, strict=True)) for triple in triples]


def write(folder, data, stated):
    info = {"@type": "neuroglancer_skeletons", "vertex_attributes": stated}
    (folder / "skeletons/info").write_text(json.dumps(info))
    (folder / f"skeletons/{SMALL}").write_bytes(data)


def encoded(vertices, edges, *values):
    parts = [np.asarray(vertices, "<f4").tobytes(), np.asarray(edges, "<u4").tobytes(), *values]
    return struct.pack("<2I", len(vertices), len(edges)) + b"".join(parts)


def test_radii_are_found_among_other_attributes_and_a_single_vertex_is_a_skeleton(kept):
    radii = np.array([5, 7, 2**20], "<f4")
    stated = attributes(("kind", "uint8", 1), ("normal", "int16", 3), ("radius", "float32", 1), ("last", "int32", 2))
    vertices = [[1, 2, 3], [4, 5, 6], [-7, 8, 2**24]]
    write(kept, encoded(vertices, [[2, 0]], bytes(3), bytes(18), radii.tobytes(), bytes(24)), stated)
    skeleton = skeletons_of(kept).stored_skeleton(SMALL)
    np.testing.assert_array_equal(skeleton.radii, radii)
    np.testing.assert_array_equal(skeleton.vertices, vertices)
    write(kept, encoded([[1, 2, 3]], []), [])
    skeleton = skeletons_of(kept).stored_skeleton(SMALL)
    assert (skeleton.edges.shape, skeleton.radii) == ((0, 2), None)


def test_skeletons_that_lie_are_corrupt(kept):
    whole = encoded([[1, 2, 3], [4, 5, 6]], [[0, 1]])
    for broken in (
        b"",
        whole[:7],
        whole[:-1],
        whole + b"\0",
        struct.pack("<2I", 2**32 - 1, 2**32 - 1) + whole[8:],
        encoded([[1, 2, 3], [4, 5, np.inf]], [[0, 1]]),
        encoded([[1, 2, 3], [4, 5, 6]], [[0, 2]]),
    ):
        write(kept, broken, [])
        with pytest.raises(ChunkCorrupt):
            skeletons_of(kept).stored_skeleton(SMALL)
    write(kept, whole, attributes(("radius", "float32", 1)))
    with pytest.raises(ChunkCorrupt):
        skeletons_of(kept).stored_skeleton(SMALL)


@pytest.mark.parametrize(
    ("info", "error"),
    [
        (None, MetadataInvalid),
        ({"@type": "neuroglancer_legacy_mesh"}, MetadataInvalid),
        ({"vertex_attributes": "radius"}, MetadataInvalid),
        ({"vertex_attributes": attributes(("a", "float32", 0))}, MetadataInvalid),
        ({"vertex_attributes": attributes(("a", "float64", 1))}, UnsupportedFormat),
        ({"transform": [1, 0, 0, "x"] * 3}, MetadataInvalid),
        ({"sharding": {}}, MetadataInvalid),
    ],
)
def test_skeletons_whose_info_is_none_are_refused(kept, info, error):
    if info is not None:
        (kept / "skeletons/info").write_text(json.dumps({"@type": "neuroglancer_skeletons", **info}))
    with pytest.raises(error):
        skeletons_of(kept).stored_skeleton(SMALL)


LABELS = {"id": "name", "type": "label", "values": ["pump", "", "zelda \u00e9"]}
NOTES = {"id": "note", "type": "description", "description": "by hand", "values": ["a", "b", "c"]}
SIDES = {"id": "side", "type": "string", "values": ["L", "R", "R"]}
TAGS = {"id": "kind", "type": "tags", "tags": ["axon", "glia"], "tag_descriptions": ["", "no neuron"]}
TAGS["values"] = [[0, 1], [], [1]]
SIZES = {"id": "voxels", "type": "number", "data_type": "uint32", "values": [0, 2**32 - 1, 5]}
DEPTHS = {"id": "depth", "type": "number", "data_type": "float32", "values": [0.1, -2.5, 3e38]}


def properties_of(folder, inline):
    kept_volume(folder, segment_properties="props")
    (folder / "props").mkdir()
    info = {"@type": "neuroglancer_segment_properties", **({} if inline is None else {"inline": inline})}
    (folder / "props/info").write_text(json.dumps(info))
    return ours(folder).capability(SegmentProperties)


def inline(*properties, ids=(str(BIG), str(OTHER), "12")):
    return {"ids": list(ids), "properties": list(properties)}


def test_properties_are_a_table_of_typed_columns(tmp_path):
    table = properties_of(tmp_path, inline(LABELS, NOTES, SIDES, TAGS, SIZES, DEPTHS)).properties()
    assert (table.segment_ids.tolist(), table.segment_ids.dtype, len(table)) == ([BIG, OTHER, SMALL], "<u8", 3)
    assert table.column("name") == TextColumn("name", ("pump", "", "zelda \u00e9"), TextRole.LABEL)
    assert table.column("note") == TextColumn("note", ("a", "b", "c"), TextRole.DESCRIPTION, "by hand")
    assert table.column("side") == TextColumn("side", ("L", "R", "R"))
    rows = (("axon", "glia"), (), ("glia",))
    assert table.column("kind") == TagColumn("kind", rows, ("axon", "glia"), ("", "no neuron"))
    voxels, depth = table.column("voxels"), table.column("depth")
    assert isinstance(voxels, NumberColumn)
    assert (voxels.values.tolist(), voxels.values.dtype) == ([0, 2**32 - 1, 5], "<u4")
    np.testing.assert_array_equal(depth.values, np.array([0.1, -2.5, 3e38], np.float32))
    with pytest.raises(InvalidArgument, match="there are: name, note"):
        table.column("Name")
    assert "3 segments, name, note" in repr(table)


@pytest.mark.parametrize("nothing", [None, inline(ids=())])
def test_properties_without_any_are_an_empty_table(tmp_path, nothing):
    table = properties_of(tmp_path, nothing).properties()
    assert (len(table), table.segment_ids.dtype, table.columns) == (0, "<u8", ())


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        inline(ids=["1", "1"]),
        inline(ids=["-1"]),
        inline(ids=[1]),
        inline(ids=["18446744073709551616"]),
        inline(ids=["\u0661"]),
        inline(LABELS, LABELS),
        inline("name"),
        inline({**LABELS, "id": None}),
        inline({**LABELS, "values": ["a", "b"]}),
        inline({**LABELS, "values": ["a", "b", 3]}),
        inline({**TAGS, "values": [[2], [], []]}),
        inline({**TAGS, "values": [[-1], [], []]}),
        inline({**TAGS, "tags": "axon"}),
        inline({**TAGS, "tag_descriptions": ["one"]}),
        inline({**SIZES, "values": [1, 2, -1]}),
        inline({**SIZES, "values": [1, 2, 0.5]}),
        inline({**SIZES, "values": [1, 2, None]}),
        inline({**SIZES, "values": [1, 2, True]}),
        inline({**DEPTHS, "values": [1, 2, 1e39]}),
        inline({**DEPTHS, "values": [1, 2, 10**400]}),
    ],
)
def test_properties_that_contradict_themselves_are_invalid(tmp_path, wrong):
    with pytest.raises(MetadataInvalid, match="segment properties"):
        properties_of(tmp_path, wrong).properties()


@pytest.mark.parametrize("unknown", [{**LABELS, "type": "color"}, {**SIZES, "data_type": "float64"}])
def test_properties_of_kinds_that_are_not_known_are_refused(tmp_path, unknown):
    with pytest.raises(UnsupportedFormat, match="known"):
        properties_of(tmp_path, inline(unknown)).properties()


def test_a_folder_of_properties_that_is_none_is_invalid(tmp_path):
    kept_volume(tmp_path, segment_properties="props")
    with pytest.raises(MetadataInvalid, match="no `info`"):
        ours(tmp_path).capability(SegmentProperties).properties()
