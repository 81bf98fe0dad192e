"""Whole shards that are put together without tensorstore, against what it and zarr-python read and write."""

import numpy as np
import pytest
import tensorstore as ts
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import open_at
from voxgate.model.errors import Cancelled
from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate.model.volumes import CallContext, OpenOptions, Writable
from voxgate_remotes.shard_writing import ShardWriter

SOME = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
SHAPE, CHUNK, SHARD = (19, 14, 23), (4, 3, 5), (8, 6, 10)
ABSENT = 2**64 - 1
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
ZSTD = {"name": "zstd", "configuration": {"level": 1, "checksum": True}}
INDEX = [LITTLE, {"name": "crc32c"}]


def blosc(shuffle, typesize, cname="lz4"):
    configuration = {"cname": cname, "clevel": 5, "shuffle": shuffle, "typesize": typesize, "blocksize": 0}
    return {"name": "blosc", "configuration": configuration}


CLAIMED = {
    "nothing": [LITTLE],
    "zstd": [LITTLE, ZSTD],
    "zstd without a checksum": [LITTLE, {"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
    "zstd of a level below 0": [LITTLE, {"name": "zstd", "configuration": {"level": -5, "checksum": False}}],
    "gzip": [LITTLE, {"name": "gzip", "configuration": {"level": 6}}],
    "gzip that stores": [LITTLE, {"name": "gzip", "configuration": {"level": 0}}],
    "blosc": [LITTLE, blosc("shuffle", 8)],
    "blosc of bits": [LITTLE, blosc("bitshuffle", 8, "zstd")],
    "blosc as it is": [LITTLE, blosc("noshuffle", 8, "blosclz")],
    "crc32c": [LITTLE, {"name": "crc32c"}],
    "zstd and crc32c": [LITTLE, ZSTD, {"name": "crc32c"}],
    "crc32c and gzip": [LITTLE, {"name": "crc32c"}, {"name": "gzip", "configuration": {"level": 1}}],
}
LEFT = {
    "big-endian": {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}, ZSTD]},
    "transposed": {"codecs": [{"name": "transpose", "configuration": {"order": [2, 1, 0]}}, LITTLE, ZSTD]},
    "shuffled as other numbers": {"codecs": [LITTLE, blosc("shuffle", 4)]},
    "an index without a checksum": {"codecs": [LITTLE], "index_codecs": [LITTLE]},
    "an index at the start": {"codecs": [LITTLE], "index_location": "start"},
}


def sharded(folder, *, fill=7, dtype="uint64", shape=SHAPE, axes="zyx", **sharding):
    """An array written by nobody yet; the offset of its first voxel is 0."""
    chunk, shard = ((1,) * (len(axes) - 3) + extents for extents in (CHUNK, SHARD))
    configuration = {"chunk_shape": chunk, "index_codecs": INDEX, "codecs": [LITTLE, ZSTD], **sharding}
    metadata = {
        "shape": shape,
        "data_type": dtype,
        "fill_value": fill,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
        "codecs": [{"name": "sharding_indexed", "configuration": configuration}],
        "dimension_names": list(axes),
    }
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder}/"}, "metadata": metadata}
    return ts.open({**spec, "create": True, "store_data_equal_to_fill_value": True}).result()


def ids(shape, seed=3):
    """Numbers above 2**53 and 2**63 among small ones, in runs."""
    some = np.random.default_rng(seed).choice(np.array([0, 7, 2**53 + 1, 2**63 + 5, 2**64 - 1], np.uint64), shape)
    return np.repeat(some, 3, axis=-1)[..., : shape[-1]]


@pytest.fixture
def claims(monkeypatch):
    """The boxes that were written without tensorstore."""
    boxes = []
    write = ShardWriter.write

    def noted(self, box, *rest):
        boxes.append(box)
        write(self, box, *rest)

    monkeypatch.setattr(ShardWriter, "write", noted)
    return boxes


def read_by_both(folder, store):
    """What tensorstore and zarr-python read, which are equal."""
    by_zarr = zarr.open_array(folder, mode="r")[...]
    by_tensorstore = store.read().result()
    assert np.array_equal(by_zarr, by_tensorstore)
    return by_zarr


@pytest.mark.parametrize("codecs", CLAIMED.values(), ids=CLAIMED.keys())
def test_both_libraries_read_what_every_codec_made(tmp_path, codecs, claims):
    store, array = sharded(tmp_path, codecs=codecs), ids(SHAPE)
    volume = open_at(tmp_path, writable=True)
    volume.capability(Writable).write(volume.info.scales[0].bounds, array[np.newaxis])
    assert claims == [volume.info.scales[0].bounds]
    assert np.array_equal(read_by_both(tmp_path, store), array)
    assert np.array_equal(volume.read(volume.info.scales[0].bounds)[0], array)


@pytest.mark.parametrize("sharding", LEFT.values(), ids=LEFT.keys())
def test_what_is_not_known_here_is_left_to_tensorstore(tmp_path, sharding, claims):
    store, array = sharded(tmp_path, **sharding), ids(SHAPE)
    volume = open_at(tmp_path, writable=True)
    volume.capability(Writable).write(volume.info.scales[0].bounds, array[np.newaxis])
    assert claims == []
    assert np.array_equal(store.read().result(), array)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64", "float32", "float64"])
def test_every_type_arrives_bit_by_bit(tmp_path, dtype, claims):
    store = sharded(tmp_path, dtype=dtype, fill=0)
    array = ids(SHAPE).view(np.uint8)[..., : SHAPE[-1] * np.dtype(dtype).itemsize].copy().view(dtype)
    volume = open_at(tmp_path, writable=True)
    volume.capability(Writable).write(volume.info.scales[0].bounds, array[np.newaxis])
    assert claims
    assert read_by_both_bits(tmp_path, store) == array.tobytes()


def read_by_both_bits(folder, store):
    by_zarr = zarr.open_array(folder, mode="r")[...].tobytes()
    assert by_zarr == store.read().result().tobytes()
    return by_zarr


@pytest.mark.parametrize("codecs", [CLAIMED["zstd"], CLAIMED["nothing"]], ids=["zstd", "nothing"])
def test_chunks_are_present_and_absent_as_tensorstore_has_them(tmp_path, codecs):
    ours, theirs = (tmp_path / name for name in ("ours", "theirs"))
    array = np.full(SHAPE, 7, np.uint64)  # the fill value: what was written is present
    array[:5] = ids(SHAPE)[:5]
    stores = [sharded(folder, codecs=codecs) for folder in (ours, theirs)]
    volume = open_at(ours, writable=True)
    volume.capability(Writable).write(volume.info.scales[0].bounds, array[np.newaxis])
    stores[1].write(array).result()
    names = sorted(path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    for name in names[:-1]:
        assert np.array_equal(present(ours / name), present(theirs / name)), name
    assert present(ours / "c/2/2/2").tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 0]]], "the others lie outside"
    assert read_by_both(ours, stores[0]).tobytes() == array.tobytes()


def present(shard):
    """Which chunks a shard has."""
    index = np.frombuffer(shard.read_bytes()[-8 * 16 - 4 : -4], "<u8").reshape(2, 2, 2, 2)
    return (index[..., 0] != ABSENT).astype(int)


@st.composite
def boxes(draw):
    spans = []
    for extent in SHAPE[::-1]:
        start = draw(st.integers(0, extent - 1))
        spans.append((start, draw(st.integers(start + 1, extent))))
    return Box.of(*spans)


@SOME
@given(box=boxes(), whole=st.booleans(), seed=st.integers(0, 99))
def test_any_writes_equal_the_same_writes_to_an_array(tmp_path_factory, box, whole, seed):
    folder = tmp_path_factory.mktemp("array")
    store, expected = sharded(folder), np.full(SHAPE, 7, np.uint64)
    volume = open_at(folder, writable=True)
    level = volume.info.scales[0]
    outward = aligned_outward(box, level.write_granule_shape, level.grid_origin).intersection(level.bounds)
    for index, part in enumerate((outward if whole else box, box)):  # the second one often cuts what the first wrote
        voxels = ids(part.shape.zyx, seed + index)
        volume.capability(Writable).write(part, voxels[np.newaxis])
        expected[part.slices_zyx(Vec3(0, 0, 0))] = voxels
    assert np.array_equal(read_by_both(folder, store), expected)


@settings(SOME, max_examples=8)
@given(order=st.permutations(range(27)))
def test_shard_by_shard_in_any_order_equals_all_at_once(tmp_path_factory, order):
    split, whole = tmp_path_factory.mktemp("split"), tmp_path_factory.mktemp("whole")
    array = ids(SHAPE)
    for folder, pieces in ((split, order), (whole, None)):
        sharded(folder)
        volume = open_at(folder, writable=True)
        bounds, shard = volume.info.scales[0].bounds, volume.info.scales[0].write_granule_shape
        for piece in pieces or ():
            corner = Vec3(piece % 3 * shard.x, piece // 3 % 3 * shard.y, piece // 9 * shard.z)
            box = Box.at(corner, shard).intersection(bounds)
            volume.capability(Writable).write(box, array[np.newaxis][:, *box.slices_zyx(Vec3(0, 0, 0))])
        if pieces is None:
            volume.capability(Writable).write(bounds, array[np.newaxis])
    for path in whole.rglob("c/*/*/*"):
        assert path.read_bytes() == (split / path.relative_to(whole)).read_bytes()


def test_channels_and_times_lie_where_both_libraries_look(tmp_path, claims):
    store = sharded(tmp_path, axes="tczyx", shape=(2, 3, *SHAPE))
    array = ids((2, 3, *SHAPE))
    for time in (1, 0):
        volume = open_at(tmp_path, options=OpenOptions(time_index=time), writable=True)
        volume.capability(Writable).write(volume.info.scales[0].bounds, array[time])
    assert len(claims) == 2
    assert np.array_equal(read_by_both(tmp_path, store), array)


def test_axes_in_another_order_are_followed(tmp_path, claims):
    store, array = sharded(tmp_path, axes="xzy", shape=(SHAPE[2], SHAPE[0], SHAPE[1])), ids(SHAPE)
    volume = open_at(tmp_path, writable=True)
    volume.capability(Writable).write(volume.info.scales[0].bounds, array[np.newaxis])
    assert claims
    assert np.array_equal(read_by_both(tmp_path, store), array.transpose(2, 0, 1))


def test_a_caller_without_patience_leaves_the_old_shards(tmp_path):
    store, array = sharded(tmp_path), ids(SHAPE)
    store.write(array).result()
    context = CallContext()
    volume = open_at(tmp_path, options=OpenOptions(context=context), writable=True)
    context.stop.set()
    with pytest.raises(Cancelled):
        volume.capability(Writable).write(volume.info.scales[0].bounds, ids(SHAPE, 4)[np.newaxis])
    assert np.array_equal(read_by_both(tmp_path, store), array)
    assert not list(tmp_path.rglob("*.__lock"))
