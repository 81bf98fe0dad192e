from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.standin_volumes import image, one_scale, segmentation, two_channels
from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Channel, VolumeInfo, VolumeKind
from voxgate_gateway.zarr.documents import v2_documents, v3_documents
from voxgate_gateway.zarr.image import image_of
from voxgate_remotes import ome
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.ome_channels import channels_of

BUDGET = 2 << 20
AXES = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]


def documents(info, budget=BUDGET):
    """Both versions' documents, as a client gets them."""
    served = image_of(info, budget)
    return tuple(json.loads(json.dumps(make(served), allow_nan=False)) for make in (v3_documents, v2_documents))


def test_a_volume_is_a_group_of_version_3_with_one_array_for_each_scale():
    v3, _ = documents(image()[0])
    assert set(v3) == {"zarr.json", "0/zarr.json", "1/zarr.json"}
    group = v3["zarr.json"]
    assert (group["zarr_format"], group["node_type"]) == (3, "group")
    assert group["attributes"]["ome"] == {
        "version": "0.5",
        "multiscales": [
            {
                "name": "lab/em",
                "axes": AXES,
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [33, 8, 8]},
                            {"type": "translation", "translation": [21 * 33, 1000 * 8, -7 * 8]},
                        ],
                    },
                    {
                        "path": "1",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [33, 16, 16]},
                            # Its first voxel's centre, half a fine voxel beside the corner that both share.
                            {"type": "translation", "translation": [21 * 33, 500 * 16 + 4, -3 * 16 + 4]},
                        ],
                    },
                ],
            }
        ],
    }
    assert v3["0/zarr.json"] == {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [29, 38, 45],
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 20, 16]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
        ],
        "fill_value": 0,
        "dimension_names": ["z", "y", "x"],
        "attributes": {"voxgate": {"kind": "image", "voxel_offset": [-7, 1000, 21], "voxel_size_nm": [8.0, 8.0, 33.0]}},
    }


def test_the_group_of_version_3_holds_what_its_arrays_say():
    v3, _ = documents(image()[0])
    known = v3["zarr.json"]["consolidated_metadata"]
    assert (known["kind"], known["must_understand"]) == ("inline", False)
    assert known["metadata"] == {"0": v3["0/zarr.json"], "1": v3["1/zarr.json"]}


def test_version_2_says_the_same_in_its_own_words():
    v3, v2 = documents(image()[0])
    assert v2[".zgroup"] == {"zarr_format": 2}
    (theirs,) = v3["zarr.json"]["attributes"]["ome"]["multiscales"]
    assert v2[".zattrs"]["multiscales"] == [{"version": "0.4", **theirs}]
    assert v2["1/.zarray"] == {
        "zarr_format": 2,
        "shape": [29, 19, 22],
        "chunks": [8, 20, 16],
        "dtype": "<u2",
        "compressor": {"id": "zstd", "level": 1},
        "filters": None,
        "fill_value": 0,
        "order": "C",
        "dimension_separator": "/",
    }
    assert v2["0/.zattrs"]["_ARRAY_DIMENSIONS"] == ["z", "y", "x"]
    consolidated = v2.pop(".zmetadata")
    assert consolidated == {"zarr_consolidated_format": 1, "metadata": v2}


def test_several_channels_are_an_axis_of_chunks_of_one_channel_each():
    v3, v2 = documents(two_channels()[0])
    assert v3["0/zarr.json"]["shape"] == v2["0/.zarray"]["shape"] == [2, 7, 9, 11]
    assert v3["0/zarr.json"]["chunk_grid"]["configuration"]["chunk_shape"] == [1, 3, 4, 5]
    ome_attributes = v3["zarr.json"]["attributes"]["ome"]
    assert ome_attributes["multiscales"][0]["axes"] == [{"name": "c", "type": "channel"}, *AXES]
    assert ome_attributes["multiscales"][0]["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1, 40, 10.5, 10.5]},
        {"type": "translation", "translation": [0, 40, 21, 31.5]},
    ]
    assert [channel["label"] for channel in ome_attributes["omero"]["channels"]] == ["a", "b"]


def test_a_single_channel_is_no_axis_and_keeps_its_name():
    info, _ = image(axes="czyx", channels=(Channel("EM", (10, 60_000), (0, 65_535), "FF8000"),))
    v3, v2 = documents(info)
    assert v3["0/zarr.json"]["dimension_names"] == ["z", "y", "x"]
    for attributes in (v3["zarr.json"]["attributes"], v2[".zattrs"]):
        assert channels_of(attributes) == info.channels


def test_channels_come_back_as_they_are_known():
    channels = (Channel("a", (1.5, 2.5), (0.0, 9.0), "00FF00"), Channel("b"), Channel(window=(3, 4)), Channel())
    info = dataclasses.replace(two_channels()[0], channels=channels)
    for version in documents(info):
        attributes = version.get("zarr.json", {}).get("attributes") or version[".zattrs"]
        assert channels_of(attributes) == channels
        assert all("active" not in channel for channel in (attributes.get("ome") or attributes)["omero"]["channels"])


def test_what_kind_of_voxels_they_are_is_said_of_every_array():
    v3, v2 = documents(segmentation()[0])
    assert v3["0/zarr.json"]["attributes"]["voxgate"]["kind"] == v2["0/.zattrs"]["voxgate"]["kind"] == "segmentation"


def test_an_unknown_voxel_size_is_no_unit_and_never_one_nanometre():
    fine, coarse = (dataclasses.replace(scale, voxel_size_nm=None) for scale in image()[0].scales)
    v3, _ = documents(image(scales=(fine, coarse))[0])
    (multiscale,) = v3["zarr.json"]["attributes"]["ome"]["multiscales"]
    assert all("unit" not in axis for axis in multiscale["axes"])
    assert multiscale["datasets"][1]["coordinateTransformations"][0]["scale"] == [1, 2, 2]
    assert "voxel_size_nm" not in v3["0/zarr.json"]["attributes"]["voxgate"]


@pytest.mark.parametrize(
    ("dtype", "fill", "said"),
    [
        ("<u8", 2**64 - 1, 2**64 - 1),
        ("<i8", -(2**63), -(2**63)),
        ("<f4", float("nan"), "NaN"),
        ("<f8", float("-inf"), "-Infinity"),
        ("<f4", 0.5, 0.5),
    ],
)
def test_a_fill_value_is_said_exactly(dtype, fill, said):
    v3, v2 = documents(image(dtype=np.dtype(dtype), fill_value=fill)[0])
    assert v3["0/zarr.json"]["fill_value"] == v2["0/.zarray"]["fill_value"] == said


def test_every_voxel_type_has_its_name():
    for name in ("uint8", "int8", "uint16", "int32", "uint64", "int64", "float32", "float64"):
        v3, v2 = documents(image(dtype=np.dtype(name))[0])
        assert v3["0/zarr.json"]["data_type"] == name
        assert np.dtype(v2["0/.zarray"]["dtype"]) == np.dtype(name).newbyteorder("<")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scales": ()}, "no voxels"),
        ({"axes": "tzyx", "time_count": 3}, "3 time points"),
        ({"dtype": np.dtype("complex64")}, "complex64"),
    ],
)
def test_what_zarr_cannot_say_here_is_refused_with_its_reason(changes, words):
    info = dataclasses.replace(image()[0], **changes)
    with pytest.raises(UnsupportedFormat, match=words) as refused:
        image_of(info, BUDGET)
    assert "lab/em" in refused.value.message


def test_every_level_has_the_chunks_of_the_finest_and_none_is_over_the_budget():
    fine, coarse = image()[0].scales
    coarse = dataclasses.replace(coarse, stored_chunk_shape=Vec3(20, 16, 8))
    served = image_of(image(scales=(fine, coarse))[0], 3000)
    assert served.chunk.product * 2 <= 3000
    v3, _ = documents(served.info, 3000)
    shapes = {str(v3[f"{level}/zarr.json"]["chunk_grid"]["configuration"]["chunk_shape"]) for level in (0, 1)}
    assert shapes == {str(list(served.chunk.zyx))}


def test_many_channels_do_not_make_chunks_smaller():
    info = dataclasses.replace(two_channels()[0], channels=(Channel("x"),) * 500)
    assert image_of(info, 4 * 60).chunk == Vec3(5, 4, 3)


sizes = st.sampled_from([0.5, 4.0, 7.3, 16.0, 33.0])
starts = st.integers(-(10**5), 10**5)
factors = st.sampled_from([1, 2, 3, 5])


@given(start=st.tuples(starts, starts, starts), size=st.tuples(sizes, sizes, sizes), data=st.data())
def test_another_reader_finds_every_level_where_it_is(start, size, data):
    """Ours for Zarr files, by the transformations alone."""
    scales, place, edge = [], Vec3(*start), size
    for level in range(3):
        scales.append(one_scale(str(level), place, Vec3(31, 17, 11), Vec3(8, 8, 8), VoxelSize(*edge)))
        by = [data.draw(factors) for _ in "xyz"]
        place = Vec3(*(number // factor for number, factor in zip(place, by, strict=True)))
        edge = tuple(number * factor for number, factor in zip(edge, by, strict=True))
    info = VolumeInfo("lab/any", np.dtype("u1"), VolumeKind.IMAGE, tuple(scales))
    for version in documents(info):
        attributes = version.get("zarr.json", {}).get("attributes") or version[".zattrs"]
        read = ome.parse(attributes, None)
        offsets, _ = ome.voxel_offsets(read, VolumeOverrides())
        assert offsets == [scale.bounds.start for scale in scales]
        found = np.array([tuple(each) for each in ome.voxel_sizes(read, None)])
        assert np.allclose(found, [tuple(scale.voxel_size_nm) for scale in scales], rtol=1e-12)


@given(data=st.data())
def test_the_cells_of_a_level_cover_it_once(data):
    served = image_of(image()[0], data.draw(st.integers(2, 40_000)))
    level = data.draw(st.sampled_from(served.levels))
    counts = [-(-n // edge) for n, edge in zip(served.shape(level), served.chunk_shape, strict=True)]
    indices = [data.draw(st.integers(-2, n + 1)) for n in counts]
    cell = served.cell(level, indices)
    inside = all(0 <= i < n for i, n in zip(indices, counts, strict=True))
    assert (cell is not None) is inside
    if cell is not None:
        corner = Vec3.from_zyx(tuple(i * n for i, n in zip(indices, served.chunk_shape, strict=True)))
        expected = Box.at(level.bounds.start + corner, served.chunk).intersection(level.bounds)
        assert (cell, expected.is_empty) == ((None, expected), False)
