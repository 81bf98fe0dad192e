"""Dask in several processes over a real server, and arrays of the caller's own."""

import numpy as np
import pytest
from distributed import Client as DaskClient
from distributed import LocalCluster

from support.volume_service import BOUNDS, spec
from voxgate.client.channels import Stubs
from voxgate.model.errors import DataTypeMismatch, InvalidArgument, ShapeMismatch
from voxgate.model.geometry import Box
from voxgate.model.volumes import VolumeKind

PART = Box.of(x=(-3, 50), y=(1001, 1060), z=(31, 76))


@pytest.fixture(scope="module")
def cluster():
    options = {"processes": True, "host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, **options) as running, DaskClient(running) as connected:
        yield connected


@pytest.mark.timeout(120)
def test_two_processes_sum_what_numpy_sums(cluster, written):
    volume, voxels = written
    lazy = volume.to_dask((16, 16, 32))
    assert lazy.npartitions > 20
    assert np.uint64(lazy.sum(dtype=np.uint64).compute()) == voxels.sum(dtype=np.uint64)
    planes = lazy[::2, 3:-5, 7].map_blocks(lambda block: block ^ np.uint64(1)).compute()
    np.testing.assert_array_equal(planes, voxels[::2, 3:-5, 7] ^ np.uint64(1))
    addresses = cluster.run(lambda: __import__("os").getpid())
    assert len(set(addresses.values())) == 2


@pytest.mark.timeout(120)
def test_an_xarray_over_the_wire_computes_in_two_processes(cluster, client):
    volume = client.create("mem/lab/rgb", spec("<i2", kind=VolumeKind.IMAGE, channels=("r", "g", "b")))
    voxels = np.random.default_rng(3).integers(-500, 500, (3, *BOUNDS.shape.zyx)).astype("<i2")
    volume.write(BOUNDS, voxels)
    named = volume.to_xarray({"z": 8, "y": 16, "x": 32})
    np.testing.assert_array_equal(named.sel(c="g").max("z").compute(), voxels[1].max(axis=0))
    # Voxels of 4 x 4 x 40 nm: those whose centres lie in [4010, 4030] are 1002 to 1007.
    np.testing.assert_array_equal(named.sel(y=slice(4010, 4030), c="b").compute(), voxels[2][:, 2:8])


@pytest.mark.parametrize("axes", ["zyx", "yxz"])
@pytest.mark.parametrize(
    "layout",
    [
        lambda shape: np.zeros(shape, np.uint64),
        lambda shape: np.zeros(shape, np.uint64, order="F"),
        lambda shape: np.zeros([2 * extent for extent in shape], np.uint64)[::-2, 1::2, ::2],
        lambda shape: np.zeros((*shape, 3), np.uint64)[..., 1],
    ],
    ids=["contiguous", "fortran", "strided", "interleaved"],
)
def test_an_array_of_any_layout_is_filled_over_the_wire(written, axes, layout):
    volume, voxels = written
    shown = volume.as_axes(axes)
    expected = voxels[PART.slices_zyx(BOUNDS.start)].transpose(["zyx".index(axis) for axis in axes])
    out = layout(expected.shape)
    assert shown.read(PART, out=out) is out
    np.testing.assert_array_equal(out, expected)
    if out.base is not None:
        assert np.count_nonzero(out.base) == np.count_nonzero(expected)


def test_an_out_array_that_does_not_fit_is_refused_before_any_call(written, monkeypatch):
    volume, _ = written

    def no_calls(self):
        raise AssertionError("a call was made")

    monkeypatch.setattr(Stubs, "read_cutout_lanes", property(no_calls))
    shape = PART.shape.zyx
    for out in (np.zeros(shape[::-1], np.uint64), np.zeros(shape[1:], np.uint64), np.zeros((1, *shape), np.uint64)):
        with pytest.raises(ShapeMismatch):
            volume.read(PART, out=out)
    for dtype in (np.int64, np.float64, ">u8"):
        with pytest.raises(DataTypeMismatch):
            volume.read(PART, out=np.zeros(shape, dtype))
    with pytest.raises(InvalidArgument):
        volume.read(PART, out=np.broadcast_to(np.uint64(0), shape))
