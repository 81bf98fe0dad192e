"""BossDB: what the published intern wrote, ours reads; what ours wrote, intern reads. Both meet at our test server."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from support.boss_gateways import boss_gateway
from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.peers import run_peer
from voxgate.model.errors import UnknownVolume
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.segments import SegmentExtents, SegmentIdReservation, SegmentIds
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemotesConfig
from voxgate_remotes.registry import Registry

INTERN = "intern 1.4.2"
WHOLE = Box.at(Vec3(0, 0, 0), Vec3(70, 90, 40))
BOX = Box.of(x=(7, 50), y=(11, 85), z=(3, 20))
LABEL, OTHER = 2**53 + 1, 2**63 + 7
RANDOM = np.random.default_rng(11)
TIMED = RANDOM.integers(1, 65535, (2, 7, 9, 18), np.uint16)
TIMED_BOX = Box.of(x=(505, 523), y=(21, 30), z=(10, 17))


def labels(box):
    voxels = np.zeros(box.shape.zyx, np.uint64)
    voxels[2:9, 5:40, 4:30] = LABEL
    voxels[9:, :, :20] = OTHER
    return voxels


def spans(box, **more):
    return json.dumps({**{a: [s, t] for a, s, t in zip("xyz", box.start, box.stop, strict=True)}, **more})


def registry_of(server):
    config = boss_config(server, deletable=True)
    return Registry.from_config(RemotesConfig(remotes={"boss": config}))


def session_folder(folder):
    """What a session of intern begins with."""
    for dtype in ("uint8", "uint16"):
        np.save(folder / f"{dtype}.npy", RANDOM.integers(0, np.iinfo(dtype).max, BOX.shape.zyx, dtype, endpoint=True))
    np.save(folder / "uint64.npy", labels(BOX))
    np.save(folder / "timed.npy", TIMED)
    np.save(folder / "zeros.npy", np.zeros((4, 5, 6), np.uint8))
    (folder / "box.json").write_text(spans(BOX, label=LABEL))
    return folder


@pytest.fixture(scope="module")
def after_intern(tmp_path_factory):
    """A server on which intern has created, written and deleted, and a registry over it."""
    folder = session_folder(tmp_path_factory.mktemp("intern"))
    levels = RANDOM.integers(0, 255, (20, 30, 40), np.uint8)
    with bossdb_server() as server:
        server.store.add_channel("seeded", "all", "levels", levels, levels=[levels[:, ::2, ::2]])
        told = run_peer("intern", "intern_session.py", server.address, server.token, folder)
        yield registry_of(server), folder, told


def test_intern_is_told_the_same_through_the_gateways_dialect(after_intern, tmp_path):
    _, folder, direct = after_intern
    steps = ("arrays", "metadata", "objects", "zeros")
    for name in ("uint8", "uint16", "uint64", "zeros"):
        shutil.copy(folder / f"{name}.npy", tmp_path)
    shutil.copy(folder / "box.json", tmp_path)
    with bossdb_server() as server, boss_gateway(server) as gateway:
        relayed = run_peer("intern", "intern_session.py", gateway.address, server.token, tmp_path, *steps)
        assert server.requests.count("POST", "/cutout/") > 0
    # A BossDB tells the levels that it would compute, too.
    asked = {dtype: told | {"resolutions": [0]} for dtype, told in direct["arrays"].items()}
    assert relayed == {step: direct[step] for step in steps} | {"arrays": asked}
    found = sorted(each.name for each in tmp_path.glob("read_*.npy"))
    assert found
    for name in found:
        np.testing.assert_array_equal(np.load(tmp_path / name), np.load(folder / name), name)


@pytest.mark.parametrize("dtype", ["uint16", "uint64"])
def test_ours_reads_what_intern_wrote(after_intern, proved, dtype):
    registry, folder, _ = after_intern
    volume = registry.open(f"boss/arrays/of_{dtype}/voxels")
    expected = np.zeros((1, *WHOLE.shape.zyx), dtype)
    expected[0][BOX.slices_zyx(WHOLE.start)] = np.load(folder / f"{dtype}.npy")
    assert volume.info.scales[0].bounds == WHOLE
    assert tuple(volume.info.scales[0].voxel_size_nm) == (5, 5, 33)
    np.testing.assert_array_equal(volume.read(WHOLE), expected)
    proved("BossDB", "read", INTERN, expected.size)


def test_ours_lists_what_intern_created_and_not_what_it_deleted(after_intern, proved):
    registry, _, told = after_intern
    names = [entry.name for entry in registry.list("boss")]
    assert names == sorted(f"boss/{name}" for name in told["projects"]["after"]["listed"])
    assert [entry.name for entry in registry.list("boss/arrays/of_uint64")] == ["boss/arrays/of_uint64/voxels"]
    proved("BossDB", "list", INTERN, len(names))


def test_ours_answers_about_segments_as_intern_does(after_intern, proved):
    registry, _, told = after_intern
    volume = registry.open("boss/arrays/of_uint64/voxels")
    ids = volume.capability(SegmentIds).segment_ids_in(BOX).tolist()
    assert ids == told["objects"]["ids"] == [LABEL, OTHER]
    proved("BossDB", "segment ids", INTERN, len(ids))
    extent = volume.capability(SegmentExtents).segment_extent(LABEL)
    theirs = told["objects"]["tight"]
    assert extent.is_exact
    assert extent.box == Box.of(**{axis: tuple(theirs[f"{axis}_range"]) for axis in "xyz"})
    proved("BossDB", "segment bounds", INTERN, 1)
    first = volume.capability(SegmentIdReservation).reserve_segment_ids(7)
    assert first == told["objects"]["reserved"][-1] + 1
    proved("BossDB", "reserve ids", INTERN, 7)


def test_ours_reads_the_metadata_that_intern_wrote(after_intern, proved):
    registry, _, told = after_intern
    values = registry.key_values("boss/arrays")
    assert values.keys() == told["metadata"]["left"] == ["by"]
    assert values.get("by").decode() == told["metadata"]["got"]["by"]
    proved("BossDB", "metadata", INTERN, 1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64"])
def test_intern_reads_what_ours_created_and_wrote(tmp_path, proved, dtype):
    kind = VolumeKind.SEGMENTATION if dtype == "uint64" else VolumeKind.IMAGE
    frame = Box.of(x=(500, 560), y=(20, 61), z=(9, 40))
    box = Box.of(x=(503, 551), y=(22, 60), z=(11, 37))
    spec = VolumeSpec(np.dtype(dtype), kind, (ScaleSpec(frame, VoxelSize(4, 5, 40)),))
    voxels = labels(box) if dtype == "uint64" else RANDOM.integers(0, 99, box.shape.zyx).astype(dtype)
    with bossdb_server() as server:
        registry = registry_of(server)
        writer = registry.create("boss/ours/mouse/em", spec).capability(Writable)
        writer.write(frame, np.full((1, *frame.shape.zyx), 7, dtype))
        writer.write(box, voxels[np.newaxis])  # the zeros among them replace the sevens
        registry.key_values("boss/ours/mouse/em").set("licence", "CC0, ü".encode())
        (tmp_path / "box.json").write_text(spans(box, **({"label": LABEL} if dtype == "uint64" else {})))
        names = ("ours", "mouse", "em")
        told = run_peer("intern", "intern_reads.py", server.address, server.token, *names, tmp_path)
    theirs = np.load(tmp_path / "read.npy")
    assert theirs.dtype == dtype
    np.testing.assert_array_equal(theirs, voxels)
    assert told["frame"] == [[a, b] for a, b in zip(frame.start, frame.stop, strict=True)]
    assert told["voxel_size"] == [4, 5, 40]
    assert (told["dtype"], told["channels"]) == (dtype, ["em"])
    assert told["values"] == {"licence": "CC0, ü"}
    for feature in ("write", "create"):
        proved("BossDB", feature, INTERN, voxels.size)
    proved("BossDB", "metadata", INTERN, 1)


def test_a_level_that_intern_reads_is_what_ours_reads(after_intern, proved):
    registry, folder, told = after_intern
    assert told["seeded"]["status"] == "DOWNSAMPLED"
    volume = registry.open("boss/seeded/all/levels")
    theirs = np.load(folder / "read_level.npy")
    np.testing.assert_array_equal(volume.read(Box.of(x=(3, 14), y=(4, 11), z=(5, 17)), scale=1)[0], theirs)
    proved("BossDB", "scales", INTERN, theirs.size)


def test_time_samples_that_ours_wrote_are_what_intern_reads(tmp_path, proved):
    frame = Box.of(x=(500, 560), y=(20, 61), z=(9, 40))
    with bossdb_server() as server:
        whole = np.zeros((3, *frame.shape.zyx), np.uint16)
        start, size = tuple(frame.start), (4, 4, 40)
        server.store.add_channel("moved", "timed", "voxels", whole, start=start, voxel_size=size, num_time_samples=3)
        registry = registry_of(server)
        for time, voxels in enumerate(TIMED, start=1):
            volume = registry.open("boss/moved/timed/voxels", OpenOptions(time_index=time))
            volume.capability(Writable).write(TIMED_BOX, voxels[np.newaxis])
        (tmp_path / "box.json").write_text(spans(TIMED_BOX, t=[1, 3]))
        run_peer("intern", "intern_reads.py", server.address, server.token, "moved", "timed", "voxels", tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "read.npy"), TIMED)
    proved("BossDB", "time", INTERN, TIMED.size)


def test_what_ours_deleted_is_gone_for_intern(tmp_path, proved):
    spec = VolumeSpec(np.dtype("uint8"), VolumeKind.IMAGE, (ScaleSpec(WHOLE, VoxelSize(4, 5, 40)),))
    with bossdb_server() as server:
        registry = registry_of(server)
        for name in ("em", "other"):
            registry.create(f"boss/ours/mouse/{name}", spec)
        registry.delete("boss/ours/mouse/em")
        with pytest.raises(UnknownVolume):
            registry.open("boss/ours/mouse/em")
        (tmp_path / "box.json").write_text(spans(BOX))
        names = ("ours", "mouse")
        told = run_peer("intern", "intern_reads.py", server.address, server.token, *names, "other", tmp_path)
        assert told["channels"] == ["other"]
        with pytest.raises(AssertionError, match="404"):
            run_peer("intern", "intern_reads.py", server.address, server.token, *names, "em", tmp_path)
    proved("BossDB", "delete", INTERN, 1)
