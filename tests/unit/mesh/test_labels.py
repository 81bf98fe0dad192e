import numpy as np
import pytest

from voxgate_mesh.labels import LabelTable

IDS = [2**63 + 1, 7, 2**64 - 1, 2**53 + 1]


def voxels(dtype=np.uint64):
    rng = np.random.default_rng(1)
    pool = np.array([0, 5, 7, 2**53, 2**53 + 1, 2**63, 2**63 + 1, 2**64 - 1], np.uint64)
    return rng.choice(pool, (1, 4, 5, 6)).astype(dtype)


@pytest.mark.parametrize("padding", [0, 20])
@pytest.mark.parametrize("writeable", [True, False])
def test_labels_name_exactly_the_ids_asked_for_whether_few_or_many(padding, writeable):
    given = voxels()
    before = given.copy()
    given.flags.writeable = writeable
    ids = [*IDS, *range(100, 100 + padding)]
    table = LabelTable(ids, given.dtype)
    labels, counts = table.compact(given)
    assert labels.dtype == np.uint8
    assert {table.segment_id(label): count for label, count in counts.items()} == {
        each: np.count_nonzero(before == np.uint64(each)) for each in IDS
    }
    expected = np.where(np.isin(given[0], np.array(IDS, np.uint64)), given[0], np.uint64(0))
    back = np.array([0, *(table.segment_id(i + 1) for i in range(len(ids)))], np.uint64)[labels]
    assert np.array_equal(back, expected)
    assert np.array_equal(given, before)


def test_more_ids_than_a_byte_holds_get_wider_labels():
    ids = list(range(1, 700))
    given = np.arange(1, 701, dtype=np.uint16).reshape(1, 7, 10, 10)
    labels, counts = LabelTable(ids, given.dtype).compact(given)
    assert labels.dtype == np.uint16
    assert counts == dict.fromkeys(ids, 1)
    assert labels.ravel().tolist() == [*range(1, 700), 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_ids_the_voxels_cannot_hold_occur_nowhere(dtype):
    given = np.full((1, 2, 3, 4), 7, dtype)
    beyond = [7 + 2 ** (8 * np.dtype(dtype).itemsize), 2**64 - 1]
    assert LabelTable(beyond, given.dtype).compact(given) == (None, {})
    labels, counts = LabelTable([*beyond, 7], given.dtype).compact(given)
    assert counts == {3: 24}
    assert (labels == 3).all()
