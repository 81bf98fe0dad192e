"""Every store in every dialect of the gateway, read by programs that are not ours: docs/reference/dialects.md."""

from __future__ import annotations

import numpy as np
import pytest

from support.dialect_readers import READERS, address_of
from support.dialect_stores import CASES, PART, shown
from support.mesh_stores import BOX


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[1].__name__)
def store(request, tmp_path_factory):
    with shown(*request.param, tmp_path_factory.mktemp("store")) as found:
        yield found


@pytest.mark.parametrize("reader", READERS, ids=str)
def test_a_box_of_any_store_is_the_same_voxels_to_every_reader(store, reader, read_in):
    read_in(reader.dialect, store.row, reader.client, reader.peer, PART.voxel_count)
    voxels = reader.read(address_of(store.url, reader.dialect, store.name), PART, BOX)
    assert voxels.dtype == store.part.dtype
    np.testing.assert_array_equal(voxels, store.part)
