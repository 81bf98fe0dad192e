"""The published intern, unmodified, makes and writes volumes in every kind of store that takes them."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import voxgate
from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.dialect_readers import BOSSDB
from support.peers import run_peer
from support.servers import settings, volume_server
from voxgate_gateway.settings import parse_gateway
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_standalone.suite import start_suite

BOX = {"x": [7, 50], "y": [11, 85], "z": [3, 20]}
SHAPE, WHOLE = (17, 74, 43), (40, 90, 70)
INSIDE = tuple(slice(*BOX[axis]) for axis in "zyx")
LABEL, OTHER = 2**53 + 1, 2**63 + 7
STORES = ("precomputed", "zarr2", "zarr3", "memory", "bossdb", "chained")
KEEPS_METADATA = ("memory", "bossdb", "chained")
INTERN = "intern 1.4.2"
DTYPES = ("uint8", "uint16", "uint64")


def written(dtype):
    if dtype != "uint64":
        return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, SHAPE, dtype, endpoint=True)
    labels = np.zeros(SHAPE, np.uint64)
    labels[2:9, 5:40, 4:30] = LABEL
    labels[9:, :, :20] = OTHER
    return labels


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """What intern told of each store, the folder with what it read, and the suite, to look past the dialect."""
    folder = tmp_path_factory.mktemp("intern")
    for dtype in DTYPES:
        np.save(folder / f"{dtype}.npy", written(dtype))
    (folder / "box.json").write_text(
        json.dumps({**BOX, "label": LABEL, "keep_metadata": [collection_of(each) for each in KEEPS_METADATA]})
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(bossdb_server())
        far = Registry.from_config(RemotesConfig(remotes={"far": RemoteConfig(uri="memory://", writable=True)}))
        address = stack.enter_context(volume_server(far)).port
        files = tmp_path_factory.mktemp("files")
        remotes = {name: RemoteConfig(uri=(files / name).as_uri(), writable=True, format=name) for name in STORES[:3]}
        for name in remotes:
            (files / name).mkdir()
        remotes["memory"] = RemoteConfig(uri="memory://", writable=True)
        remotes["bossdb"] = boss_config(server)
        remotes["chained"] = RemoteConfig(uri=f"voxgate://localhost:{address}/far", writable=True)
        # A BossDB has names of three parts by itself.
        told = parse_gateway({"bossdb": {"collections": {"in_bossdb": "bossdb/lab"}}})
        suite = start_suite(RemotesConfig(remotes=remotes), settings(), gateway_settings=told)
        stack.callback(suite.stop, 1.0)
        host = suite.gateway.url.removeprefix("http://")
        answer = run_peer("intern", "bossdb_made_by_intern.py", host, folder, *map(collection_of, STORES))
        yield answer, folder, voxgate.connect(suite.server.address)


def collection_of(store):
    return "in_bossdb" if store == "bossdb" else store


@dataclass(frozen=True)
class Store:
    """One store, and what intern told and read of it."""

    name: str
    told: dict[str, Any]
    folder: Path
    space: voxgate.Client

    def read(self, what: str) -> np.ndarray:
        return np.load(self.folder / f"{collection_of(self.name)}_{what}.npy")

    def stored(self, dtype: str) -> np.ndarray:
        """The whole volume, past the dialect: shape (z, y, x)."""
        where = {"in_bossdb": "bossdb/lab"}.get(collection_of(self.name), self.name)
        volume = self.space.open(f"{where}/of_{dtype}/voxels")
        return volume.read(volume.info.scales[0].bounds)[0]


@pytest.fixture(params=STORES)
def store(request, played):
    told, folder, space = played
    return Store(request.param, told[collection_of(request.param)], folder, space)


@pytest.mark.parametrize("dtype", DTYPES)
def test_intern_makes_a_volume_and_reads_back_what_it_wrote(store, dtype, read_in):
    expected = np.zeros(WHOLE, dtype)
    expected[INSIDE] = written(dtype)
    assert store.told[dtype] == [list(WHOLE), dtype, [5, 5, 33], "nanometers"]
    assert store.read(f"{dtype}_part").dtype == dtype
    np.testing.assert_array_equal(store.read(f"{dtype}_part"), written(dtype))
    np.testing.assert_array_equal(store.read(f"{dtype}_whole"), expected)
    for fact in ("made", "written"):
        read_in(BOSSDB, fact, "intern", INTERN, expected.size)


@pytest.mark.parametrize("dtype", ["uint16", "uint64"])
def test_what_intern_wrote_is_in_the_store_where_it_wrote_it(store, dtype):
    np.testing.assert_array_equal(store.stored(dtype)[INSIDE], written(dtype))
    assert not store.stored(dtype)[:3].any()


def test_a_box_that_intern_splits_is_the_box(store):
    np.testing.assert_array_equal(store.read("split"), written("uint64"))


def test_intern_filters_and_lists_ids_above_the_precision_of_doubles(store):
    labels = written("uint64")
    np.testing.assert_array_equal(store.read("filtered"), np.where(labels == LABEL, labels, 0))
    assert store.told["ids"] == [LABEL, OTHER]


def test_zeros_that_intern_writes_leave_what_is_there_until_it_erases(store):
    overlay = np.eye(6, dtype=np.uint8)[np.newaxis].repeat(6, 0) * 200
    merged = np.where(overlay != 0, overlay, written("uint8")[:6, :6, :6])
    np.testing.assert_array_equal(store.read("after_zeros"), merged)
    merged[:, 1:] = 0
    np.testing.assert_array_equal(store.read("after_black"), merged)


def test_intern_is_refused_what_cannot_be(store):
    assert store.told["refused"] == {"outside": 400, "again": 400}


def test_intern_keeps_metadata_where_the_store_does(store, read_in):
    if store.name not in KEEPS_METADATA:
        assert store.told["metadata"] is None
        return
    assert store.told["metadata"] == [{"licence": "CC0", "by": "them"}, ["by"]]
    read_in(BOSSDB, "metadata", "intern", INTERN, len(store.told["metadata"]))


def test_intern_meshes_what_it_reads_by_its_own_rules(store, read_in):
    """Its own faults with it: the box's corner is not multiplied by the voxel size, and voxels end at their centres."""
    lines = (store.folder / f"{collection_of(store.name)}.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    assert any(line.startswith("f ") for line in lines)
    z, y, x = (np.flatnonzero((written("uint64") == LABEL).any(axis=o)) for o in ((1, 2), (0, 2), (0, 1)))
    for column, (axis, places, size) in enumerate(zip("xyz", (x, y, z), (5, 5, 33), strict=True)):
        low, high = BOX[axis][0] + (places[0] - 0.5) * size, BOX[axis][0] + (places[-1] + 0.5) * size
        assert (vertices[:, column].min(), vertices[:, column].max()) == pytest.approx((low, high))
    read_in(BOSSDB, "mesh", "intern", INTERN, len(vertices))
