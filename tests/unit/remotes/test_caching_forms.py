"""The forms in which a cache keeps a chunk."""

import numpy as np

from support.cached_volumes import Watched, cached
from support.known_volumes import PATH
from support.memory_volumes import three_channels
from voxgate.model.geometry import grid_cells
from voxgate.model.volumes import EncodedChunks, OpenOptions

NAME = tuple(PATH.split("/"))


def opened(remote, **options):
    return remote.open(NAME, OpenOptions(**options))


def cells_touched(box, level):
    return list(grid_cells(box, level.stored_chunk_shape, level.grid_origin))


def test_plain_raw_chunks_and_voxels_are_kept_once_for_both():
    remote, known = three_channels()
    store = Watched(remote)
    box, true = known.scales[0].bounds, known.scales[0].voxels
    for first in ("voxels", "chunks"):
        volume = opened(cached(store))
        chunks, level = volume.capability(EncodedChunks), volume.info.scales[0]
        cells = cells_touched(box, level)
        plain = opened(store.inner).capability(EncodedChunks).read_encoded(cells)
        if first == "voxels":
            volume.read(box)
        else:
            chunks.read_encoded(cells)
        store.taken()
        assert np.array_equal(volume.read(box, channels=[2, 1]), true[[2, 1]])
        again = chunks.read_encoded(cells)
        for cell, one, other in zip(cells, again, plain, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                voxels = np.frombuffer(one.data, "<i2").reshape(3, *one.data_box.shape.zyx)
                assert np.array_equal(
                    voxels[:, *cell.slices_zyx(one.data_box.start)], true[:, *cell.slices_zyx(box.start)]
                )
        asked = [box for what, box, _ in store.taken()]
        # Whether a chunk of nothing but the fill value is there, voxels do not say.
        assert asked == (
            [cell for cell, one in zip(cells, plain, strict=True) if one is None] if first == "voxels" else []
        )


def test_what_one_form_takes_from_the_other_is_no_younger():
    remote, known = three_channels()
    store, now = Watched(remote), [1_000_000.0]
    behind = cached(store, ttl_s=30, clock=lambda: now[0])
    box = known.scales[0].bounds
    cells = cells_touched(box, opened(behind).info.scales[0])
    opened(behind).capability(EncodedChunks).read_encoded(cells)
    now[0] += 20
    opened(behind).read(box)
    assert {what for what, _, _ in store.taken()} == {"read_encoded"}
    now[0] += 11
    opened(behind).read(box)
    assert [what for what, _, _ in store.taken()] == ["read"]
