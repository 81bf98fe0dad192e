"""What readers that are not ours get of a volume beside one box of it: docs/reference/dialects.md, its second rows."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from support.dialect_readers import (
    CLOUD,
    DASK,
    PRECOMPUTED,
    TENSORSTORE,
    ZARR2,
    ZARR3,
    ZARR_PYTHON,
    address_of,
    by_cloud_volume,
    precomputed_by_tensorstore,
    zarr_by_tensorstore,
)
from support.zarr_served import ABSENT, LEVELS, served_stores

IMAGE, THREE, SPARSE = "made/em", "made/three", "made/sparse"
ZARRS = (ZARR3, ZARR2)
EVERY = (PRECOMPUTED, *ZARRS)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with served_stores(tmp_path_factory.mktemp("made")) as found:
        yield found


def in_precomputed(voxels):
    """(c, z, y, x) voxels as precomputed's readers answer them."""
    return voxels.transpose(3, 2, 1, 0)


def whole_by_tensorstore(address, dialect, level):
    """Shape (c, z, y, x)."""
    if dialect == PRECOMPUTED:
        return precomputed_by_tensorstore(address, level).read().result().transpose(3, 2, 1, 0)
    found = zarr_by_tensorstore(address, dialect, level).read().result()
    return found if found.ndim == 4 else found[None]


def assert_all_of_it(stores, name, read):
    """Every level that `read` answers, shape ((c), z, y, x), is what is in the store; answers how many voxels."""
    for level, expected in enumerate(stores.voxels[name]):
        found = read(level)
        np.testing.assert_array_equal(found if found.ndim == 4 else found[None], expected)
    return sum(each.size for each in stores.voxels[name])


@pytest.mark.parametrize("dialect", EVERY)
@pytest.mark.parametrize(("fact", "name"), [("every scale", IMAGE), ("several channels", THREE), ("absent", SPARSE)])
def test_tensorstore_reads_all_of_a_volume(stores, dialect, fact, name, read_in):
    address = address_of(stores.url, dialect, name)
    count = assert_all_of_it(stores, name, lambda level: whole_by_tensorstore(address, dialect, level))
    read_in(dialect, fact, "tensorstore", TENSORSTORE, count)


@pytest.mark.parametrize("dialect", ZARRS)
@pytest.mark.parametrize(("fact", "name"), [("every scale", IMAGE), ("several channels", THREE), ("absent", SPARSE)])
def test_zarr_python_and_dask_read_all_of_a_volume(stores, dialect, fact, name, read_in):
    address = address_of(stores.url, dialect, name)
    group = zarr.open_group(address, mode="r")
    count = assert_all_of_it(stores, name, lambda level: np.asarray(group[str(level)][...]))
    read_in(dialect, fact, "zarr-python", ZARR_PYTHON, count)
    lazy = [da.from_zarr(address, component=str(level)) for level in range(len(stores.voxels[name]))]
    assert_all_of_it(stores, name, lambda level: lazy[level].compute(scheduler="threads"))
    read_in(dialect, fact, "dask", DASK, count)


@pytest.mark.parametrize(("fact", "name"), [("every scale", IMAGE), ("several channels", THREE), ("absent", SPARSE)])
def test_cloud_volume_reads_all_of_a_volume_as_precomputed(stores, fact, name, read_in):
    address = address_of(stores.url, PRECOMPUTED, name)

    def read(level):
        volume = by_cloud_volume(address, PRECOMPUTED, level)
        return np.asarray(volume[volume.bounds]).transpose(3, 2, 1, 0)

    read_in(PRECOMPUTED, fact, "cloud-volume", CLOUD, assert_all_of_it(stores, name, read))


@pytest.mark.parametrize("dialect", ZARRS)
def test_cloud_volume_reads_absent_chunks_of_zarr_as_fill_values(stores, dialect, read_in):
    volume = by_cloud_volume(address_of(stores.url, dialect, SPARSE), dialect)
    (expected,) = stores.voxels[SPARSE]
    assert ABSENT in expected
    np.testing.assert_array_equal(np.asarray(volume[volume.bounds]), in_precomputed(expected))
    read_in(dialect, "absent", "cloud-volume", CLOUD, expected.size)


def test_precomputed_says_where_every_scale_lies_and_how_large_its_voxels_are(stores, read_in):
    address = address_of(stores.url, PRECOMPUTED, IMAGE)
    for level, scale in enumerate(LEVELS):
        volume = by_cloud_volume(address, PRECOMPUTED, level)
        assert tuple(volume.voxel_offset) == tuple(volume.bounds.minpt) == tuple(scale.bounds.start)
        assert tuple(volume.resolution) == tuple(scale.voxel_size_nm)
        store = precomputed_by_tensorstore(address, level)
        assert store.domain.origin[:3] == tuple(scale.bounds.start)
        assert [(unit.multiplier, unit.base_unit) for unit in store.dimension_units[:3]] == [
            (size, "nm") for size in scale.voxel_size_nm
        ]
    for fact in ("place", "voxel size"):
        read_in(PRECOMPUTED, fact, "cloud-volume", CLOUD, len(LEVELS))
        read_in(PRECOMPUTED, fact, "tensorstore", TENSORSTORE, len(LEVELS))


@pytest.mark.parametrize("dialect", ZARRS)
def test_cloud_volume_knows_how_large_voxels_of_zarr_are(stores, dialect, read_in):
    for level, scale in enumerate(LEVELS):
        volume = by_cloud_volume(address_of(stores.url, dialect, IMAGE), dialect, level)
        assert tuple(volume.resolution) == tuple(scale.voxel_size_nm)
    read_in(dialect, "voxel size", "cloud-volume", CLOUD, len(LEVELS))


# What a client cannot, in this release: the page says so, and has to be changed when this is no longer true.


def test_cloud_volume_opens_no_zarr_3_of_several_channels(stores):
    with pytest.raises(ValueError, match="broadcast"):
        by_cloud_volume(address_of(stores.url, ZARR3, THREE), ZARR3)


def test_cloud_volume_takes_the_first_channel_of_zarr_2_for_the_only_one(stores):
    volume = by_cloud_volume(address_of(stores.url, ZARR2, THREE), ZARR2)
    assert volume.num_channels == 1
    np.testing.assert_array_equal(np.asarray(volume[volume.bounds]), in_precomputed(stores.voxels[THREE][0][:1]))


@pytest.mark.parametrize("dialect", ZARRS)
def test_cloud_volume_derives_a_coarser_scale_and_leaves_out_what_the_factor_cuts(stores, dialect):
    coarsest = len(LEVELS) - 1
    volume = by_cloud_volume(address_of(stores.url, dialect, IMAGE), dialect, coarsest)
    # 45 voxels by a factor of 6 are 8, of which the last is not whole.
    assert (volume.bounds.size3()[0], LEVELS[coarsest].bounds.shape.x) == (8, 9)
    expected = in_precomputed(stores.voxels[IMAGE][coarsest])[:8]
    np.testing.assert_array_equal(np.asarray(volume[volume.bounds]), expected)


@pytest.mark.parametrize("dialect", ZARRS)
def test_cloud_volume_does_not_take_zarr_to_lie_where_it_does(stores, dialect):
    volume = by_cloud_volume(address_of(stores.url, dialect, IMAGE), dialect)
    assert tuple(volume.bounds.minpt) != tuple(LEVELS[0].bounds.start)


@pytest.mark.parametrize("dialect", ZARRS)
def test_tensorstore_counts_zarr_from_0_and_knows_no_voxel_size(stores, dialect):
    store = zarr_by_tensorstore(address_of(stores.url, dialect, IMAGE), dialect)
    assert store.domain.origin == (0, 0, 0)
    assert set(store.dimension_units) == {None}
