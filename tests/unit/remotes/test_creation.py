import json
import multiprocessing
import threading
from dataclasses import replace

import numpy as np
import pytest
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import BOX, OFFSET, fill_rows, labels, remote_at, voxels
from voxgate.model.errors import (
    AlreadyExists,
    ChunkCorrupt,
    DataTypeMismatch,
    InvalidArgument,
    OutOfBounds,
    PathRefused,
    ReadOnly,
    ShapeMismatch,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    ArrayCodec,
    ByteCodec,
    Channel,
    ChunkPresence,
    Encoding,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)

FORMATS = ("precomputed", "zarr2", "zarr3")
COARSE = Box.of(x=(-5, 14), y=(23, 45), z=(7, 20))
PART = Box.of(x=(-3, 20), y=(24, 40), z=(9, 17))


def spec(form, dtype="uint64", channels=(), **scale):
    """Two scales, of anisotropic voxels, the second half as wide in x only."""
    fine = ScaleSpec(BOX, VoxelSize(4, 4.5, 40), Vec3(16, 8, 5), **scale)
    coarse = ScaleSpec(COARSE, VoxelSize(8, 4.5, 40), Vec3(8, 8, 5))
    return VolumeSpec(np.dtype(dtype), VolumeKind.SEGMENTATION, (fine, coarse), channels, format=form)


def create(folder, asked, name="v"):
    return remote_at(folder, writable=True).create((name,), asked)


def write(volume, box, array, scale=0):
    volume.capability(Writable).write(box, array, scale=scale)


def cut(array, box=PART):
    return array[:, *box.slices_zyx(OFFSET)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "channels",
    [
        (),
        (Channel("EM"), Channel("mask")),
        (Channel("EM", (-3.5, 1e19), (0, 2e19)), Channel(color="00FF7F")),
        (Channel(window=(7, 7.25)), Channel("mask", value_range=(0, 9), color="FFFFFF")),
    ],
)
def test_what_is_created_is_described_as_it_was_asked_for(tmp_path, form, channels):
    asked = spec(form, channels=channels)
    for info in (create(tmp_path, asked).info, remote_at(tmp_path).open(("v",), OpenOptions()).info):
        assert info.dtype == asked.dtype
        assert info.kind is VolumeKind.SEGMENTATION
        assert info.axes == ("czyx" if channels else "zyx")
        assert info.channel_count == (2 if channels else 1)
        assert [scale.bounds for scale in info.scales] == [BOX, COARSE]
        assert [scale.grid_origin for scale in info.scales] == [BOX.start, COARSE.start]
        assert [scale.voxel_size_nm for scale in info.scales] == [VoxelSize(4, 4.5, 40), VoxelSize(8, 4.5, 40)]
        assert [scale.stored_chunk_shape for scale in info.scales] == [Vec3(16, 8, 5), Vec3(8, 8, 5)]
        assert info.fill_value == 0
        assert info.inferred == ()
    if form != "precomputed":
        assert info.channels == channels


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", [dtype.name for dtype in SUPPORTED_DTYPES])
def test_every_type_is_written_and_read_back_by_us_and_by_tensorstore(tmp_path, form, dtype):
    asked = spec(form, dtype)
    if form == "precomputed" and dtype in ("int64", "float64"):
        with pytest.raises(UnsupportedFormat, match=dtype):
            create(tmp_path, asked)
        assert not (tmp_path / "v").exists()
        return
    array = voxels(dtype)
    volume = create(tmp_path, asked)
    write(volume, BOX, array)
    assert np.array_equal(volume.read(PART), cut(array))
    where = {"kvstore": {"driver": "file", "path": f"{tmp_path}/v/" + ("" if form == "precomputed" else "0/")}}
    driver = {"precomputed": "neuroglancer_precomputed", "zarr2": "zarr", "zarr3": "zarr3"}[form]
    theirs = ts.open({"driver": driver, **where}).result().read().result()
    assert np.array_equal(theirs[..., 0].T if form == "precomputed" else theirs, array[0])


@pytest.mark.parametrize("form", ["zarr2", "zarr3"])
@pytest.mark.parametrize("codec", [None, ByteCodec.NONE, ByteCodec.GZIP, ByteCodec.ZSTD, ByteCodec.BLOSC])
def test_zarr_is_read_by_zarr_python_as_an_ome_multiscale(tmp_path, form, codec):
    array = voxels("uint64", 2)
    encoding = None if codec is None else Encoding(bytes=codec)
    volume = create(tmp_path, spec(form, channels=(Channel("a"), Channel("b")), encoding=encoding))
    write(volume, BOX, array)
    group = zarr.open_group(tmp_path / "v", mode="r")
    assert np.array_equal(group["0"][...], array)
    attributes = group.attrs.asdict()
    ome = attributes["ome"] if form == "zarr3" else attributes
    image = ome["multiscales"][0]
    assert (ome if form == "zarr3" else image)["version"] == ("0.5" if form == "zarr3" else "0.4")
    assert [axis["name"] for axis in image["axes"]] == ["c", "z", "y", "x"]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1.0, 40.0, 4.5, 4.0]
    assert translation["translation"] == [0.0, 7 * 40.0, 23 * 4.5, -10 * 4.0]
    stored = {None: ByteCodec.GZIP if form == "zarr2" else ByteCodec.ZSTD}.get(codec, codec)
    assert volume.info.scales[0].stored_encodings == (Encoding(bytes=stored),)


def test_a_sharded_zarr3_is_read_by_zarr_python_and_its_granule_is_the_shard(tmp_path):
    array = labels()
    volume = create(tmp_path, spec("zarr3", shard_shape=Vec3(32, 16, 10)))
    assert volume.info.scales[0].write_granule_shape == Vec3(32, 16, 10)
    assert volume.info.scales[0].stored_chunk_shape == Vec3(16, 8, 5)
    write(volume, BOX, array)
    assert np.array_equal(zarr.open_array(tmp_path / "v" / "0", mode="r")[...], array[0])
    assert len(list((tmp_path / "v" / "0" / "c").rglob("*"))) == 2 + 2 * 2 + 2 * 2 * 2


@pytest.mark.parametrize("form", FORMATS)
def test_cloud_volume_reads_what_we_write(tmp_path, form):
    array = labels()
    fine, coarse_scale = spec(form).scales
    if form != "precomputed":  # cloud-volume decodes every level of a Zarr with the first one's chunk shape
        coarse_scale = replace(coarse_scale, chunk_shape=fine.chunk_shape)
    volume = create(tmp_path, replace(spec(form), scales=(fine, coarse_scale)))
    write(volume, BOX, array)
    coarse = np.ascontiguousarray(array[..., ::2])
    write(volume, COARSE, coarse, scale=1)
    theirs = CloudVolume(f"{form}://file://{tmp_path}/v", mip=0, progress=False, fill_missing=False)
    assert list(theirs.resolution) == [4, 4.5, 40]
    assert list(theirs.mip_resolution(1)) == [8, 4.5, 40]
    read = np.asarray(theirs[:, :, :])
    assert np.array_equal(read.reshape(read.shape[:3]).transpose(2, 1, 0), array[0])
    second = CloudVolume(f"{form}://file://{tmp_path}/v", mip=1, progress=False, fill_missing=False)[:, :, :]
    assert np.array_equal(np.asarray(second).reshape(COARSE.shape.x, 22, 13).transpose(2, 1, 0), coarse[0])


@pytest.mark.parametrize(
    "encoding", [None, Encoding(), Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, block_shape=Vec3(4, 4, 2))]
)
def test_precomputed_segmentations_are_compressed_unless_asked_otherwise(tmp_path, encoding):
    volume = create(tmp_path, spec("precomputed", encoding=encoding))
    default = Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, block_shape=Vec3(8, 8, 8))
    assert volume.info.scales[0].stored_encodings == (encoding or default,)
    write(volume, BOX, labels())
    assert np.array_equal(volume.read(PART), cut(labels()))


@pytest.mark.parametrize("codec", [ArrayCodec.JPEG, ArrayCodec.PNG])
def test_precomputed_images_can_be_jpeg_or_png(tmp_path, codec):
    z, y, x = np.indices(BOX.shape.zyx)
    image = (128 + 90 * np.sin(x / 9) * np.cos(y / 7 + z / 5)).astype(np.uint8)[None]
    volume = create(tmp_path, spec("precomputed", "uint8", encoding=Encoding(codec)))
    write(volume, BOX, image)
    difference = np.abs(volume.read(BOX).astype(int) - image).max()
    assert difference == 0 if codec is ArrayCodec.PNG else 0 < difference < 40


@pytest.mark.parametrize("form", FORMATS)
def test_a_level_without_voxel_size_is_unknown_where_the_format_can_say_so(tmp_path, form):
    asked = VolumeSpec(np.dtype("u4"), VolumeKind.IMAGE, (ScaleSpec(BOX),), format=form)
    if form == "precomputed":
        with pytest.raises(UnsupportedFormat, match="voxel size"):
            create(tmp_path, asked)
        return
    info = create(tmp_path, asked).info
    assert info.scales[0].voxel_size_nm is None
    assert info.scales[0].bounds == BOX
    assert info.scales[0].stored_chunk_shape == Vec3(64, 64, 64)


@pytest.mark.parametrize("form", ["zarr2", "zarr3"])
@pytest.mark.parametrize(
    ("dtype", "fill"), [("uint64", 2**64 - 1), ("int8", -3), ("float32", 1.5), ("float32", float("nan"))]
)
def test_fill_values_are_kept(tmp_path, form, dtype, fill):
    asked = VolumeSpec(np.dtype(dtype), VolumeKind.IMAGE, (ScaleSpec(BOX),), fill_value=fill, format=form)
    for volume in (create(tmp_path, asked), create(tmp_path, asked)):
        assert np.array_equal(volume.info.fill_value, fill, equal_nan=True)
        assert np.array_equal(volume.read(PART), np.full((1, *PART.shape.zyx), fill, dtype), equal_nan=dtype[0] == "f")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"fill_value": 1, "format": "precomputed"}, UnsupportedFormat),
        ({"fill_value": 1.5}, InvalidArgument),
        ({"fill_value": 2**64}, InvalidArgument),
        ({"fill_value": float("nan")}, InvalidArgument),
        ({"dtype": np.dtype(bool)}, UnsupportedFormat),
        ({"dtype": np.dtype("f2")}, UnsupportedFormat),
        ({"format": "n5"}, UnsupportedFormat),
        ({"scales": ()}, InvalidArgument),
        ({"scales": (ScaleSpec(Box.of(x=(0, 0), y=(0, 1), z=(0, 1))),)}, InvalidArgument),
        ({"scales": (ScaleSpec(BOX, chunk_shape=Vec3(0, 1, 1)),)}, InvalidArgument),
        ({"scales": (ScaleSpec(BOX, chunk_shape=Vec3(4, 4, 4), shard_shape=Vec3(8, 8, 6)),)}, UnsupportedFormat),
        ({"scales": (ScaleSpec(BOX, shard_shape=Vec3(64, 64, 64)),), "format": "zarr2"}, UnsupportedFormat),
        ({"scales": (ScaleSpec(BOX, encoding=Encoding(ArrayCodec.JPEG)),)}, UnsupportedFormat),
        ({"kind": VolumeKind.UNKNOWN, "format": "precomputed"}, UnsupportedFormat),
        ({"channels": (Channel(window=(0, float("inf"))),)}, InvalidArgument),
        ({"channels": (Channel(color="red"),)}, InvalidArgument),
    ],
)
def test_a_spec_that_cannot_be_had_exactly_is_refused_and_leaves_nothing_behind(tmp_path, change, error):
    fields = {
        "dtype": np.dtype("u8"),
        "kind": VolumeKind.IMAGE,
        "scales": (ScaleSpec(BOX, VoxelSize(4, 4, 40)),),
        **change,
    }
    with pytest.raises(error):
        create(tmp_path, VolumeSpec(**fields))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_creating_again_answers_the_same_volume_with_its_voxels_and_another_spec_is_refused(tmp_path, form):
    array = labels()
    write(create(tmp_path, spec(form)), BOX, array)
    assert np.array_equal(create(tmp_path, spec(form)).read(BOX), array)
    others = [
        spec(form, "uint32"),
        spec(form, channels=(Channel(), Channel())),
        *(spec(f) for f in FORMATS if f != form),
    ]
    for other in others:
        with pytest.raises(AlreadyExists):
            create(tmp_path, other)
    assert np.array_equal(remote_at(tmp_path).open(("v",), OpenOptions()).read(BOX), array)


def test_a_volume_that_was_given_meshes_since_is_still_the_same(tmp_path):
    create(tmp_path, spec("precomputed"))
    path = tmp_path / "v" / "info"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mesh": "mesh"}))
    assert create(tmp_path, spec("precomputed")).info.scales[0].bounds == BOX


@pytest.mark.parametrize("form", FORMATS)
def test_a_create_that_was_cut_short_is_completed_by_its_repetition(tmp_path, form):
    create(tmp_path, spec(form))
    for name in ("info", "zarr.json", ".zattrs", ".zgroup"):
        (tmp_path / "v" / name).unlink(missing_ok=True)
    assert remote_at(tmp_path).list(()) == [type(remote_at(tmp_path).list(())[0])("v", is_volume=False)]
    if form == "precomputed":
        assert list((tmp_path / "v").iterdir()) == []
    assert create(tmp_path, spec(form)).info.scales[0].bounds == BOX


def test_a_name_that_is_taken_or_inside_of_a_volume_is_refused(tmp_path):
    create(tmp_path, spec("zarr3"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    remote = remote_at(tmp_path, writable=True)
    for path in (("notes",), ("file",), ("v", "inner"), ("v", "0")):
        with pytest.raises(AlreadyExists):
            remote.create(path, spec("zarr2"))
    with pytest.raises(PathRefused):
        remote.create(("..", "out"), spec("zarr2"))
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path.parent / "out").exists()


def test_a_read_only_remote_creates_and_writes_nothing(tmp_path):
    create(tmp_path, spec("zarr3"))
    remote = remote_at(tmp_path)
    with pytest.raises(ReadOnly):
        remote.create(("new",), spec("zarr3"))
    volume = remote.open(("v",), OpenOptions())
    assert volume.capability(Writable) is None
    with pytest.raises(ReadOnly):
        volume.write(BOX, labels())


@pytest.mark.parametrize("form", FORMATS)
def test_zeros_that_are_written_are_stored_and_not_absent(tmp_path, form):
    volume = create(tmp_path, spec(form))
    presence = volume.capability(ChunkPresence)
    assert presence.is_absent(BOX)
    write(volume, BOX, np.zeros_like(labels()))
    assert not presence.is_absent(Box.of(x=(5, 6), y=(30, 31), z=(11, 12)))
    assert presence.is_absent(COARSE, scale=1)
    write(volume, BOX, labels())
    write(volume, PART, np.zeros((1, *PART.shape.zyx), np.uint64))
    assert not volume.read(PART).any()


def test_wrong_voxels_are_refused(tmp_path):
    volume = create(tmp_path, spec("zarr3"))
    writer = volume.capability(Writable)
    with pytest.raises(DataTypeMismatch):
        writer.write(BOX, labels().astype(np.int64))
    with pytest.raises(ShapeMismatch):
        writer.write(BOX, labels()[0])
    with pytest.raises(ShapeMismatch):
        writer.write(BOX, labels().transpose(0, 3, 2, 1))
    with pytest.raises(OutOfBounds):
        writer.write(BOX.shifted(Vec3(1, 0, 0)), labels())
    assert volume.capability(ChunkPresence).is_absent(BOX)


@pytest.mark.parametrize("form", [*FORMATS, "sharded"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_sequence_of_unaligned_writes_equals_the_same_in_memory(tmp_path_factory, form, data):
    folder = tmp_path_factory.mktemp("writes")
    sharded = {"shard_shape": Vec3(32, 16, 10)} if form == "sharded" else {}
    volume = create(folder, spec("zarr3" if sharded else form, "uint16", **sharded))
    expected = np.zeros((1, *BOX.shape.zyx), np.uint16)
    for number in range(1, data.draw(st.integers(1, 4)) + 1):
        spans = [
            sorted(data.draw(st.lists(st.integers(a, b), min_size=2, max_size=2, unique=True)))
            for a, b in zip(BOX.start, BOX.stop, strict=True)
        ]
        box = Box.of(*(tuple(span) for span in spans))
        part = np.arange(box.voxel_count, dtype=np.uint16).reshape(1, *box.shape.zyx) * np.uint16(number)
        write(volume, box, part)
        cut(expected, box)[...] = part
    assert np.array_equal(volume.read(BOX), expected)


@pytest.mark.parametrize("form", FORMATS)
def test_threads_that_share_a_granule_lose_nothing_of_each_other(tmp_path, form):
    create(tmp_path, spec(form))
    granule = Box.at(OFFSET, Vec3(16, 8, 5))

    def fill_row(row):
        one = remote_at(tmp_path, writable=True).open(("v",), OpenOptions())
        box = Box.at(OFFSET + Vec3(row, 0, 0), Vec3(1, 8, 5))
        write(one, box, np.full((1, 5, 8, 1), row + 1, np.uint64))

    threads = [threading.Thread(target=fill_row, args=(row,)) for row in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    read = remote_at(tmp_path).open(("v",), OpenOptions()).read(granule)
    assert read[0, 0, 0].tolist() == list(range(1, 17))
    assert (read == np.arange(1, 17, dtype=np.uint64)).all()


def test_processes_that_share_a_shard_lose_nothing_of_each_other(tmp_path):
    create(tmp_path, spec("zarr3", shard_shape=Vec3(32, 16, 10)))
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=fill_rows, args=(tmp_path / "v", range(start, 32, 2))) for start in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    read = remote_at(tmp_path).open(("v",), OpenOptions()).read(Box.at(OFFSET, Vec3(32, 8, 5)))
    assert (read == np.arange(1, 33, dtype=np.uint64)).all()


def test_part_of_a_corrupt_granule_cannot_be_written_and_the_whole_of_it_can(tmp_path):
    volume = create(tmp_path, spec("precomputed", encoding=Encoding()))
    write(volume, BOX, labels())
    chunk = tmp_path / "v" / "4_4.5_40" / "-10-6_23-31_7-12"
    chunk.write_bytes(chunk.read_bytes()[:50])
    granule = Box.at(OFFSET, Vec3(16, 8, 5))
    with pytest.raises(ChunkCorrupt):
        write(volume, Box.at(OFFSET, Vec3(3, 2, 1)), labels()[:, :1, :2, :3])
    write(volume, granule, cut(labels(), granule))
    assert np.array_equal(volume.read(BOX), labels())
