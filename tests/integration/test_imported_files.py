"""`voxgate import`: files of this machine become a volume of a server, and a repetition writes nothing twice."""

import json
import uuid

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

import voxgate
from support.servers import settings
from voxgate.cli.main import main
from voxgate.client.connection import Client
from voxgate.client.copying import copy_voxels
from voxgate.model.errors import (
    DataTypeMismatch,
    InvalidArgument,
    MissingCapability,
    ShapeMismatch,
    VerificationFailed,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ArrayCodec, ByteCodec, VolumeKind
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import start_suite

SHAPE = (7, 93, 131)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    remotes = {
        "scratch": RemoteConfig(uri=scratch.as_uri(), writable=True, deletable=True),
        "made": RemoteConfig(uri="procedural://"),
    }
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), http=False)
    yield f"127.0.0.1:{suite.server.port}"
    suite.stop(1.0)


@pytest.fixture
def client(address):
    with voxgate.connect(address) as connected:
        yield connected


@pytest.fixture
def name():
    return f"scratch/{uuid.uuid4().hex}"


@pytest.fixture
def run(address, capfd, tmp_path, monkeypatch):
    """Run `voxgate import … --json` in an empty folder; answers its document and checks its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        ended = main(["import", *arguments, "--server", address, "--json"])
        captured = capfd.readouterr()
        assert ended == code, captured.out
        return json.loads(captured.out)

    return run


@pytest.fixture
def slices(tmp_path):
    """A folder of seven numbered pictures, and their voxels, z, y, x."""
    voxels = np.random.default_rng(7).integers(1, 255, SHAPE, dtype=np.uint8)
    folder = tmp_path / "slices"
    folder.mkdir()
    for z, plane in enumerate(voxels):
        Image.fromarray(plane).save(folder / f"img{z}.png")
    return voxels


PLACE = ("--voxel-size", "8,8.5,30", "--offset", "-5,7,900")


def test_slices_become_a_volume_with_levels_and_a_repetition_does_nothing(run, client, slices, name):
    first = run("slices/*.png", name, *PLACE, "--pyramid")
    assert (first["written_bytes"], first["equal_bytes"]) == (slices.nbytes, 0)
    em = client.volume(name)
    np.testing.assert_array_equal(em[...], slices)
    assert (em.bounds.start, em.voxel_size_nm, em.kind) == (Vec3(-5, 7, 900), VoxelSize(8, 8.5, 30), VolumeKind.IMAGE)
    assert len(em.scales) > 1
    assert first["pyramid"]["state"] == "succeeded"
    second = run("slices/*.png", name, *PLACE, "--pyramid")
    assert (second["written_bytes"], second["equal_bytes"]) == (0, slices.nbytes)
    assert second["pyramid"]["name"] == first["pyramid"]["name"]


def test_what_was_lost_or_changed_is_written_again_and_the_levels_are_made_anew(run, client, slices, name):
    first = run("slices", name, *PLACE, "--pyramid")
    before = client.volume(name).scale(1)[...]
    client.volume(name)[2, 3, 4] = slices[2, 3, 4] ^ 1
    Image.fromarray(slices[3][::-1].copy()).save("slices/img3.png")
    again = run("slices", name, *PLACE, "--pyramid")
    assert again["written_bytes"] > 0
    expected = slices.copy()
    expected[3] = slices[3][::-1]
    np.testing.assert_array_equal(client.volume(name)[...], expected)
    assert again["pyramid"]["name"] != first["pyramid"]["name"]
    assert (client.volume(name).scale(1)[...] != before).any()
    Image.fromarray(slices[3]).save("slices/img3.png")
    back = run("slices", name, *PLACE, "--pyramid")
    assert back["pyramid"]["name"] not in (first["pyramid"]["name"], again["pyramid"]["name"])
    np.testing.assert_array_equal(client.volume(name).scale(1)[...], before)


def test_a_volume_too_small_for_levels_is_imported_all_the_same(run, client, name):
    tifffile.imwrite("small.tif", np.full((3, 20, 30), 9, np.uint8), photometric="minisblack")
    for _ in range(2):
        assert run("small.tif", name, *PLACE, "--pyramid")["pyramid"] is None
    assert len(client.volume(name).scales) == 1


def test_a_deleted_volume_is_imported_anew_with_its_levels(run, client, slices, name):
    run("slices", name, *PLACE, "--pyramid")
    levels = len(client.volume(name).scales)
    client.volume(name).delete()
    assert run("slices", name, *PLACE, "--pyramid")["written_bytes"] == slices.nbytes
    volume = client.volume(name)
    assert len(volume.scales) == levels
    assert volume.scale(1)[...].any()


def test_chunks_shards_and_codecs_are_stored_as_they_were_asked_for(run, client, slices, name):
    stored = ("--chunk", "32,16,4", "--shard", "64,32,8", "--codec", "gzip", "--format", "zarr3")
    run("slices", name, *PLACE, *stored)
    volume = client.volume(name)
    assert len(volume.scales) > 1
    for scale in volume.scales:
        assert (scale.stored_chunk_shape, scale.write_granule_shape) == (Vec3(32, 16, 4), Vec3(64, 32, 8))
        assert {encoding.bytes for encoding in scale.stored_encodings} == {ByteCodec.GZIP}
    np.testing.assert_array_equal(volume[...], slices)
    for repeated in (stored, ()):
        assert run("slices", name, *PLACE, *repeated)["written_bytes"] == 0
    for other in (("--chunk", "32,16,2"), ("--shard", "64,32,4"), ("--codec", "zstd")):
        assert run("slices", name, *PLACE, *other, code=1)["error"]["reason"] == "ALREADY_EXISTS"


def test_a_codec_that_is_none_or_keeps_voxels_with_loss_is_refused_before_anything_is_created(run, client, name):
    tifffile.imwrite("small.tif", np.full((3, 20, 30), 9, np.uint8), photometric="minisblack")
    assert "zstd" in run("small.tif", name, *PLACE, "--codec", "zip", code=1)["error"]["remedy"]
    lossy = (*PLACE, "--format", "precomputed", "--codec", "jpeg")
    assert "--no-verify" in run("small.tif", name, *lossy, code=1)["error"]["remedy"]
    assert name not in [entry.name for entry in client.volumes("scratch")]
    run("small.tif", name, *lossy, "--no-verify")
    assert {each.array for each in client.volume(name).scales[0].stored_encodings} == {ArrayCodec.JPEG}


def test_levels_are_made_unless_they_are_not_wanted_and_have_to_be_only_where_somebody_says_so(
    run, client, slices, name, monkeypatch
):
    assert run("slices", name, *PLACE, "--no-pyramid")["pyramid"] is None
    assert len(client.volume(name).scales) == 1
    assert run("slices", name, *PLACE)["pyramid"]["state"] == "succeeded"
    assert len(client.volume(name).scales) > 1

    def refuse(*_, **__):
        raise MissingCapability("this store makes its own", "ask it to")

    monkeypatch.setattr(Client, "pyramid", refuse)
    assert run("slices", name, *PLACE)["pyramid"] is None
    assert run("slices", name, *PLACE, "--pyramid", code=1)["error"]["reason"] == "MISSING_CAPABILITY"


def test_a_volume_may_be_created_with_all_of_its_levels(client, name):
    factors = [(2, 2, 1), (3, 2, 5)]
    stored = {"chunk": (16, 12, 7), "shard": (32, 24, 14), "codec": "blosc", "format": "zarr3"}
    made = client.create(
        name, shape=(33, 61, 83), dtype="u8", voxel_size_nm=(4, 4, 30), offset=(-37, 101, -5), factors=factors, **stored
    )
    assert [scale.voxel_size_nm for scale in made.scales] == [
        VoxelSize(4, 4, 30),
        VoxelSize(8, 8, 30),
        VoxelSize(24, 16, 150),
    ]
    assert [scale.bounds for scale in made.scales[1:]] == [
        Box.of(x=(-19, 23), y=(50, 81), z=(-5, 28)),
        Box.of(x=(-7, 8), y=(25, 41), z=(-1, 6)),
    ]
    assert {(scale.stored_chunk_shape, scale.write_granule_shape) for scale in made.scales} == {
        (Vec3(16, 12, 7), Vec3(32, 24, 14))
    }
    made[...] = np.full(made.shape, 2**63 + 9, "u8")
    client.pyramid(name, factors=factors).result()  # they lie where it would have put them
    assert (client.volume(name).scale(2)[...] == 2**63 + 9).all()
    for wrong in ({"factors": [(1, 1, 1)]}, {"factors": [(2, 0, 1)]}, {"codec": "zip"}, {"codec": "fill"}):
        with pytest.raises(InvalidArgument):
            client.create(f"{name}b", shape=(3, 4, 5), dtype="u1", **wrong)


def test_some_of_the_pictures_are_a_volume_of_their_own(run, client, slices, name, tmp_path):
    run("slices/img[2-5].png", name, *PLACE)
    np.testing.assert_array_equal(client.volume(name)[...], slices[2:6])
    assert [path.name for path in tmp_path.iterdir()] == ["slices"]
    by_name = f"{name}b"
    run("slices/img0.png", "slices/img1.png", by_name, *PLACE)
    np.testing.assert_array_equal(client.volume(by_name)[...], slices[:2])


def test_a_tiff_and_a_dataset_keep_what_they_say_of_themselves(run, client, name):
    voxels = np.random.default_rng(5).integers(0, 1 << 16, (5, 40, 33), dtype=np.uint16)
    tifffile.imwrite(
        "em.ome.tif",
        voxels,
        metadata={
            "axes": "ZYX",
            "PhysicalSizeX": 0.008,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.008,
            "PhysicalSizeYUnit": "µm",
            "PhysicalSizeZ": 0.03,
            "PhysicalSizeZUnit": "µm",
        },
    )
    run("em.ome.tif", name)
    assert client.volume(name).voxel_size_nm == VoxelSize(8.0, 8.0, 30.0)
    np.testing.assert_array_equal(client.volume(name)[...], voxels)
    ids = voxels.astype(np.uint64) + (1 << 63)
    with h5py.File("cremi.h5", "w") as file:
        file["volumes/labels/neuron_ids"] = ids
        file["volumes/labels/neuron_ids"].attrs["resolution"] = (30.0, 8.0, 8.0)
    run("cremi.h5/volumes/labels/neuron_ids", f"{name}b", "--format", "precomputed")
    seg = client.volume(f"{name}b")
    assert (seg.kind, seg.voxel_size_nm) == (VolumeKind.SEGMENTATION, VoxelSize(8.0, 8.0, 30.0))
    np.testing.assert_array_equal(seg[...], ids)


def test_what_cannot_be_imported_is_refused_before_anything_is_created(run, client, slices, name, tmp_path):
    assert run("nothing/*.png", name, code=3)["error"]["reason"] == "UNKNOWN_VOLUME"
    assert "--voxel-size" in run("slices", name, code=1)["error"]["remedy"]
    (tmp_path / "more").mkdir()
    Image.fromarray(slices[0]).save(tmp_path / "more/img9.png")
    assert "several folders" in run("slices/*.png", "more/*.png", name, *PLACE, code=1)["error"]["message"]
    assert run("slices", "made/em", *PLACE, code=1)["error"]["reason"] == "ALREADY_EXISTS"
    assert run("slices", "nowhere/em", *PLACE, code=3)["error"]["reason"] == "UNKNOWN_REMOTE"
    assert name not in [entry.name for entry in client.volumes("scratch")]


def test_a_volume_of_another_place_or_kind_is_left_alone(run, client, slices, name):
    run("slices", name, *PLACE)
    for other in (
        ("--voxel-size", "8,8,31", *PLACE[2:]),
        (*PLACE[:2], "--offset", "0,0,0"),
        (*PLACE, "--kind", "segmentation"),
    ):
        assert run("slices", name, *other, code=1)["error"]["reason"] == "ALREADY_EXISTS"
    np.testing.assert_array_equal(client.volume(name)[...], slices)


def test_what_comes_back_otherwise_than_it_was_written_is_told(client, name, monkeypatch):
    source = client.create(name, shape=(3, 20, 30), dtype="u2", voxel_size_nm=(1, 1, 1))
    source[...] = 7
    target = client.create(f"{name}b", like=source)
    monkeypatch.setattr(type(target.volume), "write", lambda *_, **__: None)
    with pytest.raises(VerificationFailed, match="other voxels"):
        copy_voxels(source, target, lambda *_: None)
    copy_voxels(source, target, lambda *_: None, verify=False)


def test_the_not_a_numbers_of_a_source_are_there_already_on_the_second_run(client, name):
    voxels = np.array([np.nan, -0.0, 0.0, 3.5] * 15, "f4").reshape(1, 4, 15)
    source = client.create(name, shape=voxels.shape, dtype="f4", voxel_size_nm=(1, 1, 1))
    source[...] = voxels
    target = client.create(f"{name}b", like=source)
    assert copy_voxels(source, target, lambda *_: None).written_bytes == voxels.nbytes
    assert copy_voxels(source, target, lambda *_: None).written_bytes == 0
    assert target[...].tobytes() == voxels.tobytes()


def test_volumes_that_do_not_fit_each_other_are_refused(client, name):
    small = client.create(name, shape=(3, 20, 30), dtype="u2", voxel_size_nm=(1, 1, 1))
    with pytest.raises(ShapeMismatch):
        copy_voxels(small, client.create(f"{name}b", like=small, shape=(3, 20, 31)), lambda *_: None)
    with pytest.raises(DataTypeMismatch):
        copy_voxels(small, client.create(f"{name}c", like=small, dtype="u4"), lambda *_: None)
