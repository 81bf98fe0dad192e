"""Every store as OME-Zarr, by its address, to ome-zarr and to napari's layers: docs/reference/dialects.md."""

import contextlib
import json

import numpy as np
import pytest

from support.dialect_readers import ZARR2, ZARR3, address_of
from support.dialect_stores import CASES, PART, shown
from support.mesh_stores import BOX
from support.peers import run_peer

DIALECTS = (ZARR3, ZARR2)
CLIENTS = {"ome-zarr": "ome-zarr", "napari": "viewers"}
"""By the column of the page: in whose environment."""
DISTRIBUTIONS = {"ome-zarr": "ome-zarr", "napari": "napari-ome-zarr"}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(shown(*case, tmp_path_factory.mktemp("store"))) for case in CASES]


@pytest.fixture(scope="module", params=CLIENTS)
def read(request, stores, tmp_path_factory):
    """A client, with its release, and where it put what it read: a file for each dialect of each store."""
    folder = tmp_path_factory.mktemp("read")
    spans = json.dumps([[cut.start, cut.stop] for cut in PART.slices_zyx(BOX.start)])
    addresses = [address_of(store.url, dialect, store.name) for dialect in DIALECTS for store in stores]
    told = run_peer(
        CLIENTS[request.param], "dialects_by_address.py", DISTRIBUTIONS[request.param], folder, spans, *addresses
    )
    return request.param, told, folder


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: CASES[number][1].__name__)
def test_a_box_of_any_store_is_the_same_voxels(stores, read, read_in, dialect, number):
    client, peer, folder = read
    store = stores[number]
    read_in(dialect, store.row, client, peer, PART.voxel_count)
    voxels = np.load(folder / f"{DIALECTS.index(dialect) * len(stores) + number}.npy")
    assert voxels.dtype == store.part.dtype
    np.testing.assert_array_equal(voxels, store.part)
