import json
import time

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import HealthCheck, given, settings

from support.precomputed_files import PART, boxes, cloud_volume, cut
from support.stores import BOX, OFFSET, SHAPE, SHARDING, labels, open_at, voxels, write_precomputed
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    DataTypeMismatch,
    DeadlineExceeded,
    EmptyBox,
    MetadataInvalid,
    OutOfBounds,
    ShapeMismatch,
    UnknownScale,
    UnknownVersion,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    ArrayCodec,
    ByteCodec,
    CallContext,
    ChunkPresence,
    Encoding,
    OpenOptions,
    VolumeKind,
    Writable,
)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"])
def test_raw_voxels_of_every_type_are_read_as_tensorstore_and_cloud_volume_read_them(tmp_path, dtype):
    array = voxels(dtype)
    store = write_precomputed(tmp_path, array)
    volume = open_at(tmp_path)
    assert volume.info.dtype == np.dtype(dtype).newbyteorder("<")
    read = volume.read(PART)
    assert read.dtype == volume.info.dtype
    assert read.flags.c_contiguous
    start, stop = PART.start, PART.stop
    theirs = store[start.x : stop.x, start.y : stop.y, start.z : stop.z].read().result()
    assert np.array_equal(read, theirs.transpose(3, 2, 1, 0))
    if dtype not in ("int8",):
        other = cloud_volume(tmp_path)[start.x : stop.x, start.y : stop.y, start.z : stop.z]
        assert np.array_equal(read, np.asarray(other).transpose(3, 2, 1, 0))


@pytest.mark.parametrize("sharding", [None, SHARDING])
@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(box=boxes())
def test_any_box_is_the_same_part_of_the_whole(tmp_path_factory, encoding, sharding, box):
    folder = tmp_path_factory.getbasetemp() / f"any-{encoding}-{bool(sharding)}"
    if not folder.exists():
        write_precomputed(folder, labels(), encoding=encoding, **({"sharding": sharding} if sharding else {}))
    assert np.array_equal(open_at(folder).read(box), cut(labels(), box))


def test_a_sharded_volume_is_read_as_cloud_volume_reads_it_and_takes_no_writes(tmp_path):
    array = labels()
    write_precomputed(tmp_path, array, encoding="compressed_segmentation", sharding=SHARDING)
    volume = open_at(tmp_path, writable=True)
    start, stop = PART.start, PART.stop
    theirs = cloud_volume(tmp_path)[start.x : stop.x, start.y : stop.y, start.z : stop.z]
    assert np.array_equal(volume.read(PART), np.asarray(theirs).transpose(3, 2, 1, 0))
    (scale,) = volume.info.scales
    assert scale.stored_chunk_shape == Vec3(16, 8, 5)
    assert not scale.writable
    assert volume.capability(Writable) is None
    block = Vec3(8, 4, 2)
    assert scale.stored_encodings == (Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, ByteCodec.GZIP, block),)


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_image_encodings_are_read_exactly_as_tensorstore_decodes_them(tmp_path, encoding):
    z, y, x = np.indices(SHAPE.zyx)
    array = (128 + 60 * np.sin(x / 9) + 40 * np.cos(y / 7 + z / 5)).astype(np.uint8)[None]
    store = write_precomputed(tmp_path, array, encoding=encoding)
    volume = open_at(tmp_path)
    read = volume.read(BOX)
    assert np.array_equal(read, store.read().result().transpose(3, 2, 1, 0))
    assert np.abs(read.astype(int) - array).max() <= (0 if encoding == "png" else 40)
    assert volume.info.scales[0].stored_encodings == (Encoding(ArrayCodec(encoding)),)
    assert volume.info.kind is VolumeKind.IMAGE


def test_several_channels_are_an_axis_and_can_be_chosen_in_any_order(tmp_path):
    array = voxels("uint16", 3)
    write_precomputed(tmp_path, array)
    volume = open_at(tmp_path)
    assert volume.info.axes == "czyx"
    assert volume.info.channel_count == 3
    assert np.array_equal(volume.read(PART), cut(array, PART))
    assert np.array_equal(volume.read(PART, channels=[2, 0]), cut(array, PART)[[2, 0]])
    with pytest.raises(OutOfBounds):
        volume.read(PART, channels=[3])


def test_every_scale_is_described_as_the_store_states_it(tmp_path):
    write_precomputed(tmp_path, labels())
    array = voxels("uint64")[:, :7, :11, :9]
    store = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{tmp_path}/"},
            "scale_metadata": {
                "key": "odd name",
                "size": [9, 11, 7],
                "voxel_offset": [-2, 11, 3],
                "resolution": [16.5, 9, 80],
                "chunk_size": [4, 3, 2],
                "encoding": "raw",
            },
            "create": True,
        }
    ).result()
    store.write(array.transpose(3, 2, 1, 0)).result()
    volume = open_at(tmp_path)
    fine, coarse = volume.info.scales
    assert (fine.key, coarse.key) == ("at/4_4_40", "odd name")
    assert fine.voxel_size_nm == VoxelSize(4, 4.5, 40)
    assert coarse.voxel_size_nm == VoxelSize(16.5, 9, 80)
    assert coarse.bounds == Box.of(x=(-2, 7), y=(11, 22), z=(3, 10))
    assert coarse.grid_origin == Vec3(-2, 11, 3)
    assert coarse.stored_chunk_shape == coarse.write_granule_shape == Vec3(4, 3, 2)
    box = Box.of(x=(1, 7), y=(12, 20), z=(4, 9))
    assert np.array_equal(volume.read(box, scale=1), array[:, *box.slices_zyx(coarse.bounds.start)])
    with pytest.raises(UnknownScale):
        volume.read(box, scale=2)


def test_the_answer_can_be_put_into_an_array_of_any_strides(tmp_path):
    array = voxels("uint16", 2)
    write_precomputed(tmp_path, array)
    volume = open_at(tmp_path)
    wanted = cut(array, PART)
    fortran = np.zeros(wanted.shape, np.uint16, order="F")
    gapped = np.zeros((2, *[2 * n for n in wanted.shape[1:]]), np.uint16)[:, ::2, ::-2, ::2]
    unaligned = np.zeros(wanted.nbytes + 1, np.uint8)[1:].view(np.uint16).reshape(wanted.shape)
    for out in (fortran, gapped, unaligned):
        assert volume.read(PART, out=out) is out
        assert np.array_equal(out, wanted)
    with pytest.raises(ShapeMismatch):
        volume.read(PART, out=np.zeros((1, *wanted.shape[1:]), np.uint16))
    with pytest.raises(DataTypeMismatch):
        volume.read(PART, out=np.zeros(wanted.shape, np.uint32))


def test_absent_chunks_are_background_and_known_to_be_absent(tmp_path):
    array = labels()
    for name, more in (("plain", {}), ("sharded", {"sharding": SHARDING})):
        folder = tmp_path / name
        empty = write_precomputed(folder, np.zeros_like(array), **more)
        x, y, z = (slice(a, a + n) for a, n in zip(OFFSET + Vec3(16, 8, 5), (16, 8, 5), strict=True))
        empty[x, y, z].write(array[0, 5:10, 8:16, 16:32].T[..., None]).result()
        volume = open_at(folder)
        presence = volume.capability(ChunkPresence)
        stored = Box.at(OFFSET + Vec3(16, 8, 5), Vec3(16, 8, 5))
        assert not presence.is_absent(stored)
        assert not presence.is_absent(BOX)
        assert not presence.is_absent(Box(stored.start - Vec3(1, 1, 1), stored.start + Vec3(1, 1, 1)))
        for step in (Vec3(16, 0, 0), Vec3(0, 8, 0), Vec3(0, 0, 5)):
            assert presence.is_absent(Box(stored.start - step, stored.stop - step))
        assert np.array_equal(volume.read(stored), cut(array, stored))
        assert volume.read(BOX).any(axis=(0, 2, 3)).tolist() == [False] * 5 + [True] * 5 + [False] * 3


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("damage", ["truncated", "emptied"])
def test_a_corrupt_chunk_is_an_error_that_names_its_box_and_never_zeros(tmp_path, encoding, damage):
    write_precomputed(tmp_path, labels(), encoding=encoding)
    chunk = tmp_path / "at/4_4_40" / "6-22_31-39_12-17"
    chunk.write_bytes(chunk.read_bytes()[:100] if damage == "truncated" else b"")
    with pytest.raises(ChunkCorrupt) as caught:
        open_at(tmp_path).read(BOX)
    assert "x[6:22] y[31:39] z[12:17]" in caught.value.message
    assert str(tmp_path) not in str(caught.value)


def test_a_truncated_shard_is_an_error(tmp_path):
    write_precomputed(tmp_path, labels(), sharding=SHARDING)
    for shard in (tmp_path / "at/4_4_40").iterdir():
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(ChunkCorrupt):
        open_at(tmp_path).read(BOX)


@pytest.mark.parametrize(
    "broken", ["", "{", '{"scales": [', "[]", "null", '{"scales": []}', '{"type": "image", "scales": [{}]}', "\0\xff"]
)
def test_truncated_metadata_is_an_error_of_the_metadata(tmp_path, broken):
    (tmp_path / "info").write_text(broken, encoding="latin-1")
    with pytest.raises(MetadataInvalid) as caught:
        open_at(tmp_path)
    assert "info" in caught.value.message
    assert str(tmp_path) not in str(caught.value)


def test_metadata_that_is_cut_anywhere_never_opens(tmp_path):
    write_precomputed(tmp_path, labels())
    whole = (tmp_path / "info").read_text().rstrip()
    for length in range(1, len(whole), 29):
        (tmp_path / "info").write_text(whole[:length])
        with pytest.raises(MetadataInvalid):
            open_at(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data_type": "int64"}, "int64"),
        ({"redirect": "https://elsewhere.example/x"}, "redirect"),
        ({"@type": "neuroglancer_annotations_v1"}, "annotations"),
        ({"encoding": "crackle"}, "crackle"),
        ({"encoding": "jxl"}, "jxl"),
    ],
)
def test_what_the_format_allows_but_nobody_here_reads_is_refused_by_name(tmp_path, change, says):
    write_precomputed(tmp_path, labels())
    info = json.loads((tmp_path / "info").read_text())
    (info["scales"][0] if "encoding" in change else info).update(change)
    (tmp_path / "info").write_text(json.dumps(info))
    with pytest.raises(UnsupportedFormat) as caught:
        open_at(tmp_path)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("precomputed://gs://lab-bucket/em/v2", "gs://lab-bucket/em/v2"),
        ("https://user:secret@host.example/em", None),
        ("https://host.example/em?token=secret", None),
        (["gs://a", "secret"], None),
    ],
)
def test_a_redirect_is_refused_and_says_where_to_unless_that_holds_a_secret(tmp_path, place, said):
    (tmp_path / "info").write_text(json.dumps({"redirect": place}))
    with pytest.raises(UnsupportedFormat, match="configure") as caught:
        open_at(tmp_path)
    assert "secret" not in str(caught.value)
    assert said is None or said in caught.value.message


def test_bad_boxes_and_versions_are_refused(tmp_path):
    write_precomputed(tmp_path, labels())
    volume = open_at(tmp_path)
    with pytest.raises(OutOfBounds):
        volume.read(Box(BOX.start - Vec3(1, 0, 0), BOX.stop))
    with pytest.raises(EmptyBox):
        volume.read(Box.of(x=(0, 0), y=(24, 25), z=(8, 9)))
    with pytest.raises(EmptyBox):
        volume.read(Box.of(x=(5, 0), y=(24, 25), z=(8, 9)))
    with pytest.raises(UnknownVersion):
        open_at(tmp_path, OpenOptions(version="3fa"))
    with pytest.raises(OutOfBounds):
        open_at(tmp_path, OpenOptions(time_index=1))


def test_a_caller_who_went_away_or_is_late_is_not_read_for(tmp_path):
    write_precomputed(tmp_path, labels())
    context = CallContext()
    volume = open_at(tmp_path, OpenOptions(context=context))
    assert volume.read(BOX).any()
    context.stop.set()
    with pytest.raises(Cancelled):
        volume.read(BOX)
    late = open_at(tmp_path, OpenOptions(context=CallContext(deadline=time.monotonic() - 1)))
    with pytest.raises(DeadlineExceeded):
        late.read(BOX)


def test_optional_parts_of_the_metadata_may_be_left_out(tmp_path):
    write_precomputed(tmp_path, labels(), voxel_offset=[0, 0, 0])
    info = json.loads((tmp_path / "info").read_text())
    del info["@type"]
    del info["scales"][0]["voxel_offset"]
    (tmp_path / "info").write_text(json.dumps({**info, "mesh": "mesh", "unheard_of": 1}))
    volume = open_at(tmp_path)
    assert volume.info.scales[0].bounds.start == Vec3(0, 0, 0)
    box = PART.shifted(Vec3(0, 0, 0) - OFFSET)
    assert np.array_equal(volume.read(box), cut(labels(), PART))


@pytest.mark.parametrize("resolution", [None, [4, 4], [4, 4, 0], [4, -4, 40], [4, 4, "40"], 4])
def test_a_resolution_that_means_nothing_is_invalid_metadata(tmp_path, resolution):
    write_precomputed(tmp_path, labels())
    info = json.loads((tmp_path / "info").read_text())
    info["scales"][0]["resolution"] = resolution
    (tmp_path / "info").write_text(json.dumps(info))
    with pytest.raises(MetadataInvalid, match="resolution"):
        open_at(tmp_path)
