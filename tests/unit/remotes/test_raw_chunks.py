"""Raw chunks read straight into place, against tensorstore reading the same files."""

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import BOX, labels, open_at, voxels, write_precomputed
from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import OpenOptions
from voxgate_remotes import raw_chunks
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.files import FilesRemote
from voxgate_remotes.parallel import share
from voxgate_remotes.raw_chunks import parts_of

PARTS = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def boxes(draw):
    spans = []
    for low, high in zip(BOX.start, BOX.stop, strict=True):
        start = draw(st.integers(low, high - 1))
        spans.append((start, draw(st.integers(start + 1, high))))
    return Box.of(*spans)


@pytest.mark.parametrize("buffer", [1, 100, 700, 2**18])
@PARTS
@given(box=boxes(), channels=st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_any_part_is_what_tensorstore_reads_whatever_is_read_at_once(tmp_path_factory, buffer, box, channels):
    folder = tmp_path_factory.getbasetemp() / "channels"
    array = voxels("uint16", 3)
    if not folder.exists():
        write_precomputed(folder, array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_chunks, "_BUFFER_BYTES", buffer)
        read = open_at(folder).read(box, channels=channels)
    assert np.array_equal(read, array[channels][:, *box.slices_zyx(BOX.start)])


@PARTS
@given(box=boxes(), size=st.tuples(*[st.integers(1, 9)] * 3), origin=st.tuples(*[st.integers(-9, 9)] * 3))
def test_parts_are_the_grids_cells_in_order(box, size, origin):
    chunk, start = Vec3(*size), Vec3(*origin)
    parts = parts_of(box, BOX, chunk, start)
    assert [part.inside for part in parts] == list(grid_cells(box, chunk, start))
    whole = {cell.start: cell for cell in grid_cells(BOX, chunk, start)}
    assert all(whole[part.cell.start] == part.cell for part in parts)
    assert all(part.cell.contains(part.inside) for part in parts)
    assert all(str(part) == str(part.cell) for part in parts)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_raw_chunk_of_a_wrong_size_is_an_error_even_where_the_box_needs_none_of_it(tmp_path, change):
    write_precomputed(tmp_path, labels())
    chunk = tmp_path / "at/4_4_40" / "6-22_31-39_12-17"
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-1] if change < 0 else data + b"\0")
    with pytest.raises(ChunkCorrupt, match=r"x\[6:22\] y\[31:39\] z\[12:17\]"):
        open_at(tmp_path).read(Box.at(Vec3(6, 31, 12), Vec3(1, 1, 1)))


def test_a_volume_with_a_cache_of_decoded_chunks_reads_the_same(tmp_path):
    write_precomputed(tmp_path, labels())
    config = RemoteConfig(uri=tmp_path.as_uri(), options={"cache_bytes": 10**6})
    assert np.array_equal(FilesRemote(config).open((), OpenOptions()).read(BOX), labels())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_shared_work_is_done_once_each(threads):
    done, lock, workers = [], threading.Lock(), []

    def worker():
        workers.append(threading.get_ident())

        def work(item):
            with lock:
                done.append(item)

        return work

    share(range(100), worker, threads)
    assert sorted(done) == list(range(100))
    assert len(workers) == threads


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_failure_ends_shared_work_and_is_raised(threads):
    done = []

    def work(item):
        if item == 5:
            raise ChunkCorrupt("five", "none")
        done.append(item)

    with pytest.raises(ChunkCorrupt, match="five"):
        share(range(10_000), lambda: work, threads)
    assert 5 not in done
    assert len(done) < 9_999
