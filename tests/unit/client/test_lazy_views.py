"""Arrays of dask and xarray over a volume: chunks, levels, coordinates."""

import sys
from dataclasses import replace

import dask.array
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st

from support.array_volume import OFFSET, ArrayVolume, image, movie, multichannel, scale_of, segmentation
from voxgate.client.array import VolumeArray
from voxgate.client.chunking import TARGET_BYTES, chunk_extents, usual_extent
from voxgate.model.errors import InvalidArgument, Unimplemented
from voxgate.model.geometry import Box, Vec3, VoxelSize, aligned_outward

CELL = Vec3(4, 3, 2)


def edges_of(extents, start):
    return np.cumsum([start, *extents]).tolist()


def level_of(bounds, cell, origin):
    return replace(scale_of((1, 1, 1)), bounds=bounds, stored_chunk_shape=cell, grid_origin=origin)


triples = st.tuples(*[st.integers(1, 70)] * 3)
points = st.tuples(*[st.integers(-50, 50)] * 3)


@given(points, triples, triples, points, st.one_of(st.none(), triples, st.integers(1, 99)))
def test_chunks_are_whole_stored_chunks_whatever_the_bounds(start, shape, cell, origin, chunks):
    level = level_of(Box.at(Vec3(*start), Vec3(*shape)), Vec3(*cell), Vec3(*origin))
    volume = ArrayVolume([np.zeros((1, 1, 1, 1), np.uint16)], [level])
    extents = dict(zip("yzx", chunk_extents(VolumeArray(volume).as_axes("yzx")._binding, chunks), strict=True))
    asked = {} if chunks is None else dict(zip("yzx", [chunks] * 3 if isinstance(chunks, int) else chunks, strict=True))
    for i, axis in enumerate("xyz"):
        edges = edges_of(extents[axis], start[i])
        assert edges[-1] == start[i] + shape[i]
        assert min(extents[axis]) > 0
        assert all((edge - origin[i]) % cell[i] == 0 for edge in edges[1:-1])
        widest = -(-asked.get(axis, 10**9) // cell[i]) * cell[i]
        assert max(extents[axis]) <= widest
        assert all(extent % cell[i] == 0 for extent in extents[axis][1:-1])


@given(triples, st.tuples(*[st.integers(1, 5000)] * 3), st.sampled_from([1, 2, 4, 8, 24]))
def test_usual_chunks_hold_between_a_quarter_of_the_target_and_all_of_it(cell, shape, voxel_bytes):
    level = level_of(Box.at(Vec3(3, -5, 7), Vec3(*shape)), Vec3(*cell), Vec3(0, 0, 0))
    extent = usual_extent(level, voxel_bytes)
    outward = aligned_outward(level.bounds, level.stored_chunk_shape, level.grid_origin).shape
    held = Vec3.minimum(extent, outward).product * voxel_bytes
    assert held <= max(TARGET_BYTES, Vec3(*cell).product * voxel_bytes)
    assert held > TARGET_BYTES // 4 or all(a >= b for a, b in zip(extent, outward, strict=True))
    assert all(a % b == 0 for a, b in zip(extent, cell, strict=True))


def test_usual_chunks_of_a_large_volume_are_even():
    level = level_of(Box.of(x=(0, 9000), y=(0, 9000), z=(0, 9000)), Vec3(64, 64, 64), Vec3(0, 0, 0))
    assert usual_extent(level, 1) == Vec3(512, 512, 256)
    assert usual_extent(level, 8) == Vec3(256, 256, 128)
    assert usual_extent(level_of(level.bounds, Vec3(1024, 1024, 128), Vec3(0, 0, 0)), 8) == Vec3(1024, 1024, 128)


@pytest.mark.parametrize("axes", ["zyx", "xyz"])
def test_a_dask_array_has_the_same_voxels_and_reads_none_before_it_computes(axes):
    volume = image((9, 11, 13))
    array = VolumeArray(volume).as_axes(axes)
    lazy = array.to_dask({"z": 4, "y": 3, "x": 4})
    assert isinstance(lazy, dask.array.Array)
    assert (lazy.shape, lazy.dtype) == (array.shape, array.dtype)
    assert volume.reads == []
    np.testing.assert_array_equal(lazy.compute(), np.asarray(array))
    volume.reads.clear()
    np.testing.assert_array_equal(lazy[2:5, ::3, 1].compute(), np.asarray(array)[2:5, ::3, 1])
    assert all(box.voxel_count <= 4 * 3 * 4 for box, _, _ in volume.reads[:-1])


def test_channels_stay_together_and_times_apart():
    assert VolumeArray(multichannel()).to_dask().chunks[0] == (3,)
    assert VolumeArray(multichannel()).to_dask((2, -1, 3, 4)).chunks == ((2, 1), (2,), (3, 1), (4, 1))
    lazy = movie().to_dask()
    assert lazy.chunks[0] == (1, 1, 1, 1)
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), np.arange(240).reshape(4, 3, 4, 5))


def test_every_scale_largest_first_is_what_a_multiscale_viewer_takes():
    volume = segmentation()
    levels = VolumeArray(volume).scale("half").to_dask(scales="all")
    assert [type(level) for level in levels] == [dask.array.Array] * 2
    assert [level.shape for level in levels] == [(3, 4, 6), (3, 2, 3)]
    for level, voxels in zip(levels, volume.arrays, strict=True):
        np.testing.assert_array_equal(level.compute(), voxels[0])
    upside_down = ArrayVolume(volume.arrays[::-1], volume.info.scales[::-1])
    assert [level.shape for level in VolumeArray(upside_down).to_dask(scales="all")] == [(3, 4, 6), (3, 2, 3)]


@pytest.mark.parametrize("chunks", [0, -2, (1, 2), (1, 2, 3, 4), (4, 4, 0), {"c": 1}, {"w": 5}])
def test_chunks_that_mean_nothing_are_refused(chunks):
    with pytest.raises(InvalidArgument):
        VolumeArray(image()).to_dask(chunks)


def test_only_all_scales_or_the_shown_one_can_be_asked_for():
    with pytest.raises(InvalidArgument, match="all"):
        VolumeArray(image()).to_dask(scales="some")


def test_two_dask_arrays_are_never_taken_for_one_another():
    array = VolumeArray(image())
    assert array.to_dask().name != array.to_dask().name


def test_coordinates_are_the_centres_of_voxels_in_nanometres():
    volume = image((3, 4, 5))
    named = VolumeArray(volume).as_axes("yxz").to_xarray()
    assert isinstance(named, xarray.DataArray)
    assert isinstance(named.data, dask.array.Array)
    assert named.dims == ("y", "x", "z")
    assert named.name == named.attrs["name"] == "lab/thing"
    size = VoxelSize(4.0, 4.0, 40.0)
    for axis, start, step, count in zip("xyz", OFFSET, size, (5, 4, 3), strict=True):
        np.testing.assert_array_equal(named.coords[axis], [(start + i + 0.5) * step for i in range(count)])
        assert named.coords[axis].attrs["units"] == "nm"
    point = named.sel(x=(OFFSET.x + 2.5) * 4.0, y=(OFFSET.y + 1.6) * 4.0, z=(OFFSET.z + 2.1) * 40.0, method="nearest")
    assert int(point) == volume.arrays[0][0, 2, 1, 2]
    np.testing.assert_array_equal(named.transpose("z", "y", "x"), volume.arrays[0][0])
    facts = {"kind": "image", "version": "", "scale": "0", "voxel_size_nm": [4.0, 4.0, 40.0]}
    assert named.attrs == {"name": "lab/thing", "bounds_start": [7, -11, 100], **facts}


def test_coordinates_are_those_of_the_scale_shown():
    half = VolumeArray(segmentation()).scale(1).to_xarray()
    np.testing.assert_array_equal(half.coords["x"], [36.0, 44.0, 52.0])
    assert half.attrs["scale"] == "half"
    assert half.attrs["kind"] == "segmentation"
    assert int(half.max()) == (1 << 63) + 5


def test_channels_have_their_names_where_each_has_its_own():
    named = VolumeArray(multichannel()).to_xarray()
    assert named.coords["c"].values.tolist() == ["red", "green", "blue"]
    np.testing.assert_array_equal(named.sel(c="green"), np.asarray(VolumeArray(multichannel()))[1])
    assert "c" not in VolumeArray(multichannel(channels=("", "", ""))).to_xarray().coords
    assert "c" not in VolumeArray(multichannel()).sel(channel=1).to_xarray().dims


def test_an_unknown_voxel_size_is_never_made_up():
    named = VolumeArray(ArrayVolume([np.zeros((1, 3, 4, 5), np.uint8)], [scale_of((3, 4, 5), size=None)])).to_xarray()
    assert set(named.coords) == set()
    assert "voxel_size_nm" not in named.attrs


@pytest.mark.parametrize(("module", "method"), [("dask.array", "to_dask"), ("xarray", "to_xarray")])
def test_without_the_extra_the_error_says_what_to_install(monkeypatch, module, method):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unimplemented, match=r"pip install 'voxgate\["):
        getattr(VolumeArray(image()), method)()


def test_an_out_array_that_cannot_be_written_to_is_refused_before_anything_is_read():
    volume = image((3, 4, 5))
    fixed = np.zeros((3, 4, 5), np.uint16)
    fixed.flags.writeable = False
    for out in (fixed, np.broadcast_to(np.uint16(1), (3, 4, 5))):
        with pytest.raises(InvalidArgument, match="cannot be written"):
            VolumeArray(volume).read(volume.info.scales[0].bounds, out=out)
    assert volume.reads == []
