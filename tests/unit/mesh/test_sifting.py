"""What is read through a sieve is what is read without it, wherever one of the segments is."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.mesh_volumes import meshed
from support.stores import BOX, labels, open_at, write_precomputed
from voxgate.model.errors import ChunkCorrupt, ChunkMissing
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import EncodedChunks
from voxgate_mesh.labels import LabelTable
from voxgate_mesh.reading import LabelReader
from voxgate_mesh.sifting import sieve_for
from voxgate_remotes.policy import CompleteVolume

ENCODED = {"encoding": "compressed_segmentation"}
HUGE = 2**63
ABSENT = 2**64 - 2


def sparse(dtype=np.uint64):
    """Bodies that few chunks hold, and one that all hold; shape (1, z, y, x)."""
    array = labels() if dtype == np.uint64 else (labels() >> np.uint64(40)).astype(dtype)
    corner = array[:, 2:6, 1:9, 3:14]
    corner[...] = dtype(5)
    return array


@pytest.fixture(scope="module", params=[np.uint64, np.uint32])
def volume(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sifted")
    write_precomputed(folder, sparse(request.param), **ENCODED)
    return open_at(folder)


def extents(axis):
    start, stop = (tuple(end)[axis] for end in (BOX.start, BOX.stop))
    return st.tuples(st.integers(start, stop - 1), st.integers(1, stop - start)).map(
        lambda drawn: (drawn[0], min(drawn[0] + drawn[1], stop))
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(x=extents(0), y=extents(1), z=extents(2), data=st.data())
def test_any_box_holds_the_same_labels_and_counts(volume, x, y, z, data):
    box = Box.of(x=x, y=y, z=z)
    everything = np.unique(volume.read(BOX))
    some = st.sampled_from([int(i) for i in everything if i] + [ABSENT])
    ids = tuple(data.draw(st.lists(some, min_size=1, max_size=8, unique=True)))
    table = LabelTable(ids, volume.info.dtype)
    sieve = sieve_for(volume, 0, ids)
    assert sieve is not None
    plain, sifted = LabelReader(volume, 0, table).read(box), LabelReader(volume, 0, table, sieve).read(box)
    assert sifted.counts == plain.counts
    assert (sifted.labels is None) == (plain.labels is None)
    assert plain.labels is None or np.array_equal(sifted.labels, plain.labels)


def test_chunks_without_the_segment_are_not_decoded(volume):
    sieve = sieve_for(volume, 0, (5,))
    for part, voxels in sieve.read(BOX):
        assert np.array_equal(voxels, volume.read(part))
        assert (voxels == 5).any()
    assert list(sieve.read(Box(BOX.start + Vec3(32, 16, 10), BOX.stop))) == []
    assert list(sieve_for(volume, 0, (ABSENT,)).read(BOX)) == []


def test_meshes_are_those_of_raw_voxels(tmp_path):
    write_precomputed(tmp_path / "raw", sparse())
    write_precomputed(tmp_path / "encoded", sparse(), **ENCODED)
    block = Vec3(16, 16, 10)
    raw, encoded = (meshed(open_at(tmp_path / name), [5, HUGE], block=block) for name in ("raw", "encoded"))
    for segment_id in (5, HUGE):
        assert encoded[segment_id].vertices.tobytes() == raw[segment_id].vertices.tobytes()
        assert encoded[segment_id].faces.tobytes() == raw[segment_id].faces.tobytes()
        assert encoded[segment_id].statistics == raw[segment_id].statistics


def files_of(folder):
    return sorted(file for file in (folder / "at/4_4_40").iterdir() if file.is_file())


def test_compressed_and_absent_chunks_are_understood(tmp_path):
    write_precomputed(tmp_path, sparse(), **ENCODED)
    for file in files_of(tmp_path)[1::2]:
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    files_of(tmp_path)[2].unlink()
    volume = open_at(tmp_path)
    ids = (HUGE, 5)
    table = LabelTable(ids, volume.info.dtype)
    sifted = LabelReader(volume, 0, table, sieve_for(volume, 0, ids)).read(BOX)
    expected = LabelReader(volume, 0, table).read(BOX)
    assert np.array_equal(sifted.labels, expected.labels)


@pytest.mark.parametrize("segment_id", [5, ABSENT])
def test_a_damaged_chunk_is_an_error_whether_or_not_it_would_hold_the_segment(tmp_path, segment_id):
    write_precomputed(tmp_path, sparse(), **ENCODED)
    file = files_of(tmp_path)[-1]
    file.write_bytes(file.read_bytes()[:-64])
    volume = open_at(tmp_path)
    with pytest.raises(ChunkCorrupt):
        list(sieve_for(volume, 0, (segment_id,)).read(BOX))


def test_where_chunks_must_not_be_absent_an_absent_one_is_an_error(tmp_path):
    write_precomputed(tmp_path, sparse(), **ENCODED)
    files_of(tmp_path)[-1].unlink()
    lacking = open_at(tmp_path)
    assert list(sieve_for(lacking, 0, (ABSENT,)).read(BOX)) == []
    with pytest.raises(ChunkMissing):
        list(sieve_for(CompleteVolume(lacking, lacking.info), 0, (ABSENT,)).read(BOX))


def test_there_is_no_sieve_where_chunks_do_not_tell_or_ids_are_many_or_absent_voxels_could_count(volume, tmp_path):
    write_precomputed(tmp_path, sparse())
    assert open_at(tmp_path).capability(EncodedChunks) is not None
    assert sieve_for(open_at(tmp_path), 0, (5,)) is None
    assert sieve_for(volume, 0, range(1, 10)) is None
    assert sieve_for(volume, 0, ()) is None
    assert sieve_for(volume, 0, (0, 5)) is None
