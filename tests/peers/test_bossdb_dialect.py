"""The published intern, unmodified, on every store through the gateway's BossDB: docs/reference/dialects.md."""

import contextlib
import json

import numpy as np
import pytest

import voxgate
from support.boss_dialect import boss_address
from support.dialect_readers import BOSSDB
from support.dialect_stores import CASES, PART, shown
from support.mesh_stores import BOX, SIZE
from support.peers import run_peer
from support.zarr_served import ABSENT, LEVELS, served_stores
from voxgate.model.geometry import Box, Vec3

UNLISTED = ("http_precomputed", "http_zarr")
"""A web server does not list what it has: an experiment of one channel needs no list."""


def asked(url, name, box, resolution=0, **more):
    spans = {axis: list(ends) for axis, ends in zip("xyz", zip(box.start, box.stop, strict=True), strict=True)}
    return {"address": boss_address(url, name, **more), "resolution": resolution, **spans}


def by_intern(folder, wishes):
    """What intern says of each wish, its release, and the voxels that it read."""
    (folder / "asked.json").write_text(json.dumps(wishes))
    answer = run_peer("intern", "bossdb_by_intern.py", folder)
    return answer["told"], answer["peer"], [np.load(folder / f"{number}.npy") for number in range(len(wishes))]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(shown(*case, tmp_path_factory.mktemp("store"))) for case in CASES]
        alone = [case[1].__name__ in UNLISTED for case in CASES]
        wishes = [asked(s.url, s.name, PART, alone=one) for s, one in zip(stores, alone, strict=True)]
        yield stores, *by_intern(tmp_path_factory.mktemp("read"), wishes)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: CASES[number][1].__name__)
def test_intern_opens_any_store_and_reads_the_same_voxels(read, read_in, number):
    stores, told, peer, voxels = read
    store, said = stores[number], told[number]
    read_in(BOSSDB, store.row, "intern", peer, PART.voxel_count)
    # A type that BossDB has no clients for is widened, and nothing else changes.
    np.testing.assert_array_equal(voxels[number], store.part)
    assert said["type"] == "annotation"
    assert said["extents"] == [list(span) for span in zip(BOX.start, BOX.stop, strict=True)]
    assert said["shape"] == list(BOX.shape.zyx)
    assert said["voxel_size"] == list(SIZE)
    assert said["unit"] == "nanometers"
    assert said["listed"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What intern says of volumes with several scales, with two channels, and with chunks that nobody wrote."""
    with served_stores(tmp_path_factory.mktemp("made")) as stores:
        two = np.random.default_rng(8).integers(0, 2**16, (2, 5, 7, 11), np.uint16)
        space = voxgate.connect(stores.address)
        space.create("made/two", shape=two.shape, dtype="uint16", voxel_size_nm=(4, 4, 40), offset=(3, 2, 1))[...] = two
        levels = [asked(stores.url, "made/em", level.bounds, at, alone=True) for at, level in enumerate(LEVELS)]
        levels.append(asked(stores.url, "made/sparse", LEVELS[0].bounds, alone=True))
        part = Box.of(x=(5, 12), y=(3, 8), z=(1, 5))
        channels = [asked(stores.url, "made/two", part, index=i, alone=True) for i in range(2)]
        wishes = [{**wish, "remote": True} for wish in levels] + channels
        cut = two[:, *part.slices_zyx(Vec3(3, 2, 1))]
        expected = [each[0] for each in (*stores.voxels["made/em"], *stores.voxels["made/sparse"])] + [*cut]
        yield *by_intern(tmp_path_factory.mktemp("facts"), wishes), expected


def test_intern_reads_every_scale_where_it_lies(made, read_in):
    told, peer, voxels, expected = made
    assert told[0]["resolutions"] == [0, 1, 2]
    for at, level in enumerate(LEVELS):
        np.testing.assert_array_equal(voxels[at], expected[at])
        read_in(BOSSDB, "every scale", "intern", peer, level.bounds.voxel_count)


def test_intern_knows_where_the_finest_scale_lies_and_how_large_its_voxels_are(made, read_in):
    told, peer, voxels, _ = made
    finest = LEVELS[0]
    assert told[0]["extents"] == [list(span) for span in zip(finest.bounds.start, finest.bounds.stop, strict=True)]
    assert told[0]["voxel_size"] == list(finest.voxel_size_nm)
    read_in(BOSSDB, "place", "intern", peer, voxels[0].size)


def test_intern_reads_absent_chunks_as_their_fill_value(made, read_in):
    _, peer, voxels, expected = made
    assert ABSENT in expected[3]
    np.testing.assert_array_equal(voxels[3], expected[3])
    read_in(BOSSDB, "absent", "intern", peer, voxels[3].size)


def test_intern_reads_each_of_several_channels_by_its_own_name(made, read_in):
    told, peer, voxels, expected = made
    assert told[4]["channels"] == ["two__ch0", "two__ch1"]
    for number in (4, 5):
        np.testing.assert_array_equal(voxels[number], expected[number])
    read_in(BOSSDB, "several channels", "intern", peer, 2 * voxels[4].size)


# What intern cannot, in this release: the page says so, and has to be changed when this is no longer true.


def test_intern_multiplies_the_finest_voxel_size_by_powers_of_two_on_every_axis(made):
    told, *_ = made
    assert [tuple(each["voxel_size"]) for each in told[:3]] == [(8, 8, 33), (16, 16, 66), (32, 32, 132)]
    assert tuple(LEVELS[2].voxel_size_nm) == (48, 16, 66)
