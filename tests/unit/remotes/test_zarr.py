import numpy as np
import pytest
import tensorstore as ts
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import open_at, remote_at
from support.zarr_files import BOX, SHAPE, bare, cut, ids, multiscale
from voxgate.model.errors import (
    ChunkCorrupt,
    ConfigContradictsStore,
    MetadataInvalid,
    OutOfBounds,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    ByteCodec,
    ChunkPresence,
    Encoding,
    OpenOptions,
    VolumeKind,
    Writable,
)
from voxgate_remotes.config import VolumeOverrides


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "<u2", ">u2", "<i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8", "<f4", ">f4", "<f8"]
)
def test_voxels_of_every_type_and_byte_order_are_served_little_endian(tmp_path, version, dtype):
    array = ids(SHAPE, np.dtype(dtype).newbyteorder("=").name if dtype[-2] != "f" else "int32").astype(dtype)
    bare(tmp_path / "a", array, zarr_format=version)
    volume = open_at(tmp_path / "a")
    read = volume.read(BOX)
    assert volume.info.dtype == np.dtype(dtype).newbyteorder("<")
    assert read.dtype == volume.info.dtype
    assert np.array_equal(read[0], cut(array))
    assert np.array_equal(read[0], zarr.open_array(tmp_path / "a", mode="r")[cut_slices()])


def cut_slices():
    return BOX.slices_zyx(Vec3(0, 0, 0))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["bool", "float16", "complex64", "<M8[s]"])
def test_types_outside_of_the_contract_are_refused_by_name(tmp_path, version, dtype):
    zarr.create_array(tmp_path / "a", shape=SHAPE, dtype=dtype, chunks=(4, 5, 6), zarr_format=version)
    with pytest.raises(UnsupportedFormat) as caught:
        open_at(tmp_path / "a")
    name = np.dtype(dtype).name
    assert name in caught.value.message or name.split("[")[0] in caught.value.message or dtype in caught.value.message


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("compressor", [None, "gzip", "blosc", "zstd", "zlib"])
def test_v2_arrays_of_any_order_separator_and_compressor_are_read(tmp_path, order, separator, compressor):
    compressors = {
        None: None,
        "gzip": {"id": "gzip", "level": 1},
        "zlib": {"id": "zlib", "level": 1},
        "zstd": {"id": "zstd", "level": 1},
        "blosc": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
    }
    array = ids(SHAPE, "uint32")
    store = zarr_v2(tmp_path, array, order=order, separator=separator, compressor=compressors[compressor], fill=None)
    volume = open_at(tmp_path)
    assert np.array_equal(volume.read(BOX)[0], store[cut_slices()].read().result())
    assert np.array_equal(volume.read(BOX)[0], cut(array))
    plain = order == "C" and compressor != "zlib"
    codec = ByteCodec(compressor or "none") if compressor != "zlib" else ByteCodec.NONE
    assert volume.info.scales[0].stored_encodings == ((Encoding(bytes=codec),) if plain else ())


def zarr_v2(folder, array, *, order, separator, compressor, fill):
    metadata = {
        "shape": list(array.shape),
        "chunks": [4, 5, 6],
        "dtype": array.dtype.str,
        "order": order,
        "compressor": compressor,
        "filters": None,
        "fill_value": fill,
        "dimension_separator": separator,
    }
    kvstore = {"driver": "file", "path": f"{folder}/"}
    store = ts.open({"driver": "zarr", "kvstore": kvstore, "metadata": metadata, "create": True}).result()
    store.write(array).result()
    return store


@pytest.mark.parametrize(("fill", "value"), [(None, 0), (7, 7), (2**63 + 1, 2**63 + 1)])
def test_absent_chunks_have_the_stores_fill_value_and_null_means_zero(tmp_path, fill, value):
    array = np.zeros(SHAPE, "<u8")
    store = zarr_v2(tmp_path, array, order="C", separator="/", compressor=None, fill=fill)
    for chunk in tmp_path.rglob("[0-9]*/[0-9]*/[0-9]*"):
        chunk.unlink()
    store[4:8, 5:10, 6:12].write(np.full((4, 5, 6), 3, "<u8")).result()
    volume = open_at(tmp_path)
    assert volume.info.fill_value == value
    stored = Box.of(x=(6, 12), y=(5, 10), z=(4, 8))
    presence = volume.capability(ChunkPresence)
    assert (volume.read(stored) == 3).all()
    assert not presence.is_absent(stored)
    beside = Box(stored.start - Vec3(1, 0, 0), stored.start + Vec3(0, 5, 4))
    assert (volume.read(beside) == value).all()
    assert presence.is_absent(beside)


@pytest.mark.parametrize("serializer", ["plain", "crc", "transposed", "big"])
@pytest.mark.parametrize("sharded", [False, True])
def test_v3_codecs_and_shards_are_read_and_only_plain_ones_are_described_as_encodings(tmp_path, serializer, sharded):
    array = ids(SHAPE, "uint16")
    options = {
        "plain": {"compressors": [zarr.codecs.ZstdCodec(level=1)]},
        "crc": {"compressors": [zarr.codecs.GzipCodec(level=1), zarr.codecs.Crc32cCodec()]},
        "transposed": {"filters": [zarr.codecs.TransposeCodec(order=(2, 0, 1))], "compressors": None},
        "big": {"serializer": zarr.codecs.BytesCodec(endian="big"), "compressors": None},
    }[serializer]
    bare(tmp_path / "a", array, shards=(8, 10, 12) if sharded else None, **options)
    volume = open_at(tmp_path / "a")
    assert np.array_equal(volume.read(BOX)[0], cut(array))
    (scale,) = volume.info.scales
    assert scale.stored_chunk_shape == Vec3(6, 5, 4)
    assert scale.write_granule_shape == (Vec3(12, 10, 8) if sharded else Vec3(6, 5, 4))
    assert scale.stored_encodings == ((Encoding(bytes=ByteCodec.ZSTD),) if serializer == "plain" else ())


@pytest.mark.parametrize("sharded", [False, True])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(corners=st.tuples(*[st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True) for n in SHAPE]))
def test_any_box_is_the_same_part_of_the_whole(tmp_path_factory, sharded, corners):
    folder = tmp_path_factory.getbasetemp() / f"any-zarr-{sharded}"
    if not folder.exists():
        bare(folder, ids(SHAPE), shards=(8, 10, 12) if sharded else None)
    z, y, x = (tuple(sorted(pair)) for pair in corners)
    box = Box.of(x=x, y=y, z=z)
    assert np.array_equal(open_at(folder).read(box)[0], cut(ids(SHAPE), box))


def test_a_bare_array_of_three_axes_is_taken_for_zyx_and_says_that_this_was_inferred(tmp_path):
    bare(tmp_path / "a", ids(SHAPE, "uint32"))
    info = open_at(tmp_path / "a").info
    assert info.axes == "zyx"
    assert info.inferred == ("axes", "voxel_offset")
    assert info.kind is VolumeKind.UNKNOWN
    assert info.scales[0].voxel_size_nm is None


def test_the_operator_says_what_a_bare_uint32_array_does_not(tmp_path):
    array = ids(SHAPE, "uint32")
    bare(tmp_path / "a", array)
    stated = {"axes": "zyx", "voxel_size_nm": (4, 4, 40), "voxel_offset": (-7, 100, 3)}
    volume = open_at(tmp_path / "a", **stated)
    assert volume.info.inferred == ()
    assert volume.info.scales[0].voxel_size_nm == VoxelSize(4, 4, 40)
    assert volume.info.scales[0].bounds == Box.at(Vec3(-7, 100, 3), Vec3(19, 14, 11))
    assert volume.info.scales[0].grid_origin == Vec3(-7, 100, 3)
    assert np.array_equal(volume.read(BOX.shifted(Vec3(-7, 100, 3)))[0], cut(array))
    with pytest.raises(OutOfBounds):
        volume.read(BOX)


def test_an_array_whose_axes_are_said_to_be_xyz_is_turned(tmp_path):
    array = ids(SHAPE, "uint16")
    bare(tmp_path / "stated", array.transpose(2, 1, 0), chunks=(6, 5, 4))
    bare(tmp_path / "named", array.transpose(2, 1, 0), chunks=(6, 5, 4), dimension_names=["x", "y", "z"])
    for volume in (open_at(tmp_path / "stated", axes="xyz"), open_at(tmp_path / "named")):
        assert volume.info.axes == "zyx"
        assert volume.info.scales[0].stored_chunk_shape == Vec3(6, 5, 4)
        assert np.array_equal(volume.read(BOX)[0], cut(array))
        assert "axes" not in volume.info.inferred


def test_dimension_names_are_believed_and_a_contradicting_statement_is_an_error(tmp_path):
    array = ids((2, *SHAPE), "uint16")
    bare(tmp_path / "a", array, chunks=(1, 4, 5, 6), dimension_names=["channel", "Z", "y", "x"])
    volume = open_at(tmp_path / "a")
    assert volume.info.axes == "czyx"
    assert np.array_equal(volume.read(BOX), cut(array))
    with pytest.raises(ConfigContradictsStore):
        open_at(tmp_path / "a", axes="tzyx")
    xarray = bare(tmp_path / "x", array, chunks=(1, 4, 5, 6), zarr_format=2)
    xarray.attrs["_ARRAY_DIMENSIONS"] = ["time", "z", "y", "x"]
    assert open_at(tmp_path / "x").info.time_count == 2


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {}),
        ((5, 6), {}),
        ((2, 3, 4, 5), {}),
        ((2, 2, 3, 4, 5), {}),
        ((3, 4, 5), {"dimension_names": ["z", "y", "lambda"]}),
        ((3, 4, 5), {"dimension_names": ["x", "y", "x"]}),
        ((2, 3, 4, 5), {"dimension_names": ["c", "z", None, "x"]}),
    ],
)
def test_an_axis_that_cannot_be_named_is_refused_at_open_and_never_sliced(tmp_path, shape, options):
    zarr.create_array(tmp_path / "a", shape=shape, dtype="uint16", chunks=shape, zarr_format=3, **options)
    with pytest.raises(UnsupportedFormat) as caught:
        open_at(tmp_path / "a")
    assert "axes" in caught.value.message
    assert "state `axes`" in caught.value.remedy


def test_two_axes_are_a_volume_of_one_plane(tmp_path):
    array = ids((14, 19), "uint16")
    bare(tmp_path / "a", array, chunks=(5, 6))
    volume = open_at(tmp_path / "a", axes="yx")
    assert volume.info.scales[0].bounds == Box.of(x=(0, 19), y=(0, 14), z=(0, 1))
    assert volume.info.scales[0].stored_chunk_shape == Vec3(6, 5, 1)
    assert np.array_equal(volume.read(Box.of(x=(2, 9), y=(3, 14), z=(0, 1)))[0, 0], array[3:14, 2:9])


def test_a_number_of_axes_other_than_stated_is_refused(tmp_path):
    bare(tmp_path / "a", ids(SHAPE, "uint16"))
    with pytest.raises(UnsupportedFormat, match="3 axes, 4 are named"):
        open_at(tmp_path / "a", axes="czyx")


@pytest.mark.parametrize("version", [2, 3])
def test_metadata_that_is_cut_anywhere_never_opens(tmp_path, version):
    bare(tmp_path / "a", ids(SHAPE, "uint16"), zarr_format=version)
    path = tmp_path / "a" / ("zarr.json" if version == 3 else ".zarray")
    whole = path.read_text().rstrip()
    for length in range(0, len(whole), 37):
        path.write_text(whole[:length])
        with pytest.raises(MetadataInvalid) as caught:
            open_at(tmp_path / "a")
        assert path.name in caught.value.message


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("version", [2, 3])
def test_a_corrupt_chunk_is_an_error_that_names_its_box_and_never_fill(tmp_path, version, sharded):
    if version == 2 and sharded:
        sharded = False
    compressors = [zarr.codecs.ZstdCodec(level=1, checksum=True)] if version == 3 else "auto"
    bare(
        tmp_path / "a",
        ids(SHAPE),
        zarr_format=version,
        shards=(8, 10, 12) if sharded else None,
        compressors=compressors,
    )
    chunk = tmp_path / "a" / ({2: "1.1.1", 3: "c/1/1/1"}[version] if not sharded else "c/0/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-9])
    volume = open_at(tmp_path / "a")
    with pytest.raises(ChunkCorrupt) as caught:
        volume.read(Box.of(x=(0, 19), y=(0, 14), z=(0, 11)))
    assert ("x[0:6] y[0:5] z[0:4]" if sharded else "x[6:12] y[5:10] z[4:8]") in caught.value.message
    assert str(tmp_path) not in str(caught.value)


def test_levels_of_different_types_are_refused(tmp_path):
    levels = [(ids(SHAPE, "uint16"), (1, 1, 1), None), (ids(SHAPE, "uint8"), (2, 2, 2), None)]
    multiscale(tmp_path, levels)
    with pytest.raises(UnsupportedFormat, match="different voxel types"):
        open_at(tmp_path)


def test_statements_reach_an_array_inside_of_a_remote_by_its_path(tmp_path):
    bare(tmp_path / "deep" / "labels", ids(SHAPE, "uint32"))
    stated = {"deep/labels": VolumeOverrides(voxel_offset=(1, 2, 3))}
    volume = remote_at(tmp_path, **stated).open(("deep", "labels"), OpenOptions())
    assert volume.info.scales[0].bounds.start == Vec3(1, 2, 3)


@pytest.mark.parametrize("layout", ["big-endian", "fortran", "xyz"])
def test_writes_follow_the_stores_own_layout(tmp_path, layout):
    array = ids(SHAPE, "uint32")
    stated = {"axes": "xyz"} if layout == "xyz" else {"axes": "zyx"}
    stored = array.transpose(2, 1, 0) if layout == "xyz" else array.astype(">u4" if layout == "big-endian" else "<u4")
    order = "F" if layout == "fortran" else "C"
    zarr_v2(tmp_path, stored, order=order, separator=".", compressor=None, fill=0)
    part = np.arange(BOX.voxel_count, dtype=np.uint32).reshape(1, *BOX.shape.zyx)
    open_at(tmp_path, writable=True, **stated).capability(Writable).write(BOX, part)
    array[cut_slices()] = part[0]
    read = zarr.open_array(tmp_path, mode="r")[...]
    assert np.array_equal(read.transpose(2, 1, 0) if layout == "xyz" else read, array)
