"""HDF5 files as files: which are taken, what is listed in them, what their links may do, what is wrong with some."""

import os
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from support.hdf5_volumes import FORMAT, SHAPE, cremi_labels, gzip_uint64, opened
from support.references import image
from voxgate.model.errors import (
    ConfigInvalid,
    MetadataInvalid,
    OutOfBounds,
    PathRefused,
    StoreBusy,
    StoreUnavailable,
    UnknownVersion,
    UnknownVolume,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.geometry import Box
from voxgate.model.volumes import ChunkPresence, OpenOptions, Tuned, Writable
from voxgate_remotes.hdf5.examining import examined


def listed(file, *inner):
    return {entry.segment: entry.is_volume for entry in FORMAT.list(file, inner)}


def write(file, **datasets):
    with h5py.File(file, "w") as root:
        for name, data in datasets.items():
            root[name.replace("__", "/")] = data
    return file


def refused(file, *inner, error):
    """Opening is refused, in words fit for people; answers them."""
    with pytest.raises(error) as caught:
        opened(file, inner)
    assert str(file.parent) not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.HE5", "a.hdf"])
def test_files_are_taken_by_their_ending(tmp_path, name):
    assert FORMAT.claims(write(tmp_path / name, em=image(SHAPE)))


@pytest.mark.parametrize("name", ["a.n5", "a.ims", "a.nc", "a.ilp", "a", "h5"])
def test_what_others_name_so_is_left_alone(tmp_path, name):
    assert not FORMAT.claims(write(tmp_path / name, em=image(SHAPE)))


def test_an_ending_that_hdf4_uses_too_needs_the_signature(tmp_path):
    for size in (512, 1024, 8192):
        with h5py.File(tmp_path / "a.hdf", "w", userblock_size=size) as root:
            root["em"] = image(SHAPE)
        assert FORMAT.claims(tmp_path / "a.hdf")
    for data in (b"\x0e\x03\x13\x01" + bytes(3000), b"", b"\x89HDF"):
        (tmp_path / "old.hdf").write_bytes(data)
        assert not FORMAT.claims(tmp_path / "old.hdf")
    assert not FORMAT.claims(tmp_path / "nothing.hdf")


def test_groups_and_volumes_are_listed_and_what_is_neither_is_not(tmp_path):
    file = tmp_path / "cremi.h5"
    cremi_labels(file)
    with h5py.File(file, "r+") as root:
        root["volumes/mask"] = np.ones(SHAPE, bool)
        root["volumes/half"] = np.ones(SHAPE, "f2")
        root["volumes/plane"] = np.ones((5, 6), "u1")
        root["volumes/six"] = np.ones((1, 1, 1, 1, 5, 6), "u1")
        root["volumes/empty"] = np.ones((0, 5, 6), "u1")
        root["volumes/nothing"] = h5py.Empty("u1")
        root["volumes/words"] = np.full((2, 2, 2), b"abc")
        root["volumes/pairs"] = np.zeros((2, 2, 2), [("a", "u1"), ("b", "u1")])
        root["volumes/refs"] = np.full((2, 2, 2), root["volumes"].ref, h5py.ref_dtype)
        root.create_dataset("volumes/enum", (2, 2, 2), h5py.enum_dtype({"A": 0, "B": 1}, "u1"))
        root["volumes/type"] = np.dtype("u2")
    assert listed(file) == {"annotations": False, "volumes": False}
    assert listed(file, "volumes") == {"labels": False, "raw": True}
    assert listed(file, "volumes", "labels") == {"neuron_ids": True}
    assert listed(file, "volumes", "raw") == {}
    assert listed(file, "annotations") == {}
    for missing in (("nothing",), ("volumes", "raw", "x"), ("volumes", "mask"), ("volumes", "labels", "x", "y")):
        with pytest.raises(UnknownVolume):
            FORMAT.list(file, missing)
    assert FORMAT.is_volume(file, ("volumes", "raw"))
    assert not FORMAT.is_volume(file, ())
    assert not FORMAT.is_volume(file, ("volumes",))
    assert not FORMAT.is_volume(file, ("nothing",))
    for name in ("mask", "half", "plane", "six", "empty", "nothing", "words", "pairs", "refs", "enum"):
        refused(file, "volumes", name, error=UnsupportedFormat)
    for inner in ((), ("volumes",), ("volumes", "x"), ("volumes", "type")):
        refused(file, *inner, error=UnknownVolume)


def test_soft_links_are_followed_inside_of_the_file(tmp_path):
    file = write(tmp_path / "a.h5", deep__em=image(SHAPE))
    with h5py.File(file, "r+") as root:
        root["short"] = h5py.SoftLink("/deep/em")
        root["deep/near"] = h5py.SoftLink("./em")
        root["chain"] = h5py.SoftLink("deep/near")
        root["one"], root["two"] = h5py.SoftLink("two"), h5py.SoftLink("one")
        root["nowhere"] = h5py.SoftLink("deep/nothing")
        root["deep/up"], root["deep/also_up"] = root["/"], h5py.SoftLink("/")
    for inner in (("short",), ("deep", "near"), ("chain",), ("deep", "up", "deep", "em")):
        np.testing.assert_array_equal(opened(file, inner).read(Box.of((1, 5), (2, 9), (0, 3)))[0],
                                      image(SHAPE)[0:3, 2:9, 1:5])  # fmt: skip
    refused(file, "one", error=MetadataInvalid)
    refused(file, "nowhere", error=UnknownVolume)
    assert listed(file) == {"chain": True, "deep": False, "short": True}
    assert listed(file, "deep") == {"em": True, "near": True}, "links upwards would make a walk endless"


def test_nothing_in_another_file_is_read(tmp_path):
    secret = write(tmp_path / "secret.h5", em=image(SHAPE))
    file = write(tmp_path / "a.h5", own=image(SHAPE))
    raw = tmp_path / "raw.bin"
    raw.write_bytes(image(SHAPE).tobytes())
    layout = h5py.VirtualLayout(SHAPE, "u1")
    layout[...] = h5py.VirtualSource(str(secret), "em", SHAPE)
    with h5py.File(file, "r+") as root:
        root["link"] = h5py.ExternalLink("secret.h5", "/em")
        root["absolute"] = h5py.ExternalLink(str(secret), "/")
        root["soft"] = h5py.SoftLink("absolute/em")
        root.create_dataset("raw", SHAPE, "u1", external=[(str(raw), 0, raw.stat().st_size)])
        root.create_virtual_dataset("virtual", layout)
    for inner in (("link",), ("absolute", "em"), ("absolute",), ("soft",), ("raw",)):
        refused(file, *inner, error=PathRefused)
    refused(file, "virtual", error=UnsupportedFormat)
    assert {"link", "absolute", "soft"}.isdisjoint(listed(file))


def test_damaged_files_say_so_and_are_still_taken(tmp_path):
    whole = write(tmp_path / "whole.h5", group__em=image((40, 50, 60))).read_bytes()
    for size in (0, 4, 8, 60, 100, len(whole) // 2, len(whole) - 1):
        file = tmp_path / "cut.h5"
        file.write_bytes(whole[:size])
        assert FORMAT.claims(file)
        refused(file, "group", "em", error=MetadataInvalid)
        with pytest.raises(MetadataInvalid):
            FORMAT.list(file, ())
        assert not FORMAT.is_volume(file, ("group", "em"))


def test_no_damage_of_what_describes_voxels_is_anything_but_typed(tmp_path):
    """Every place in the metadata once, damaged in one of three ways: an answer, or an error of ours."""
    file = tmp_path / "a.h5"
    gzip_uint64(file)
    whole = file.read_bytes()
    voxels = opened(file, ("group", "volume"), axes="zyx").read(Box.of((1, 5), (2, 9), (0, 3)))
    damaged = tmp_path / "damaged.h5"
    errors = 0
    for place in range(0, min(len(whole), 6000), 7):
        data = bytearray(whole)
        data[place] ^= (0xFF, 0x01, 0x80)[place % 3]
        damaged.write_bytes(data)
        try:
            volume = opened(damaged, ("group", "volume"), axes="zyx")
            volume.read(Box.of((1, 5), (2, 9), (0, 3)))
        except VoxgateError:
            errors += 1
    assert errors > 20
    np.testing.assert_array_equal(
        opened(file, ("group", "volume"), axes="zyx").read(Box.of((1, 5), (2, 9), (0, 3))), voxels
    )


def test_a_file_that_goes_away_is_unknown(tmp_path):
    refused(tmp_path / "nothing.h5", "em", error=UnknownVolume)
    (tmp_path / "folder.h5").mkdir()
    refused(tmp_path / "folder.h5", "em", error=UnknownVolume)
    volume = opened(write(tmp_path / "a.h5", em=image(SHAPE)), ("em",))
    (tmp_path / "a.h5").unlink()
    with pytest.raises(UnknownVolume):
        volume.read(volume.info.scales[0].bounds)


def test_a_file_that_somebody_writes_to_is_busy_and_readable_afterwards(tmp_path):
    file = write(tmp_path / "a.h5", em=image(SHAPE))
    volume = opened(file, ("em",))
    code = f"import h5py, sys; f = h5py.File({str(file)!r}, 'r+'); print('open', flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"open\n"
        refused(file, "em", error=StoreBusy)
        with pytest.raises(StoreBusy):
            volume.read(volume.info.scales[0].bounds)
    finally:
        writer.communicate()
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], image(SHAPE))


def test_a_volume_that_is_served_does_not_keep_its_owner_from_writing(tmp_path):
    file = write(tmp_path / "a.h5", em=image(SHAPE))
    volume = opened(file, ("em",))
    volume.read(volume.info.scales[0].bounds)
    with h5py.File(file, "r+") as root:
        root["em"][...] = image(SHAPE, seed=1)
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], image(SHAPE, seed=1))


def test_a_file_that_is_replaced_is_noticed(tmp_path):
    file = write(tmp_path / "a.h5", em=image(SHAPE))
    volume = opened(file, ("em",))
    write(tmp_path / "other.h5", em=image(SHAPE, seed=2)).replace(file)
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], image(SHAPE, seed=2))
    for other in (image((11, 17, 30)), image(SHAPE, "<u2")):
        write(tmp_path / "other.h5", em=other).replace(file)
        with pytest.raises(MetadataInvalid, match="open the volume again"):
            volume.read(volume.info.scales[0].bounds)
    write(tmp_path / "other.h5", elsewhere=image(SHAPE)).replace(file)
    with pytest.raises(UnknownVolume):
        volume.read(volume.info.scales[0].bounds)


def test_a_file_that_changes_during_a_read_is_not_answered(tmp_path, monkeypatch):
    file = write(tmp_path / "a.h5", em=image(SHAPE))
    volume = opened(file, ("em",))
    from voxgate_remotes.hdf5 import chunks

    original = chunks.DatasetReader.read

    def read_while_it_changes(self, request):
        original(self, request)
        os.utime(file, ns=(time.time_ns(), file.stat().st_mtime_ns + 10**9))

    monkeypatch.setattr(chunks.DatasetReader, "read", read_while_it_changes)
    with pytest.raises(StoreUnavailable):
        volume.read(volume.info.scales[0].bounds)


def test_a_forked_process_reads_as_its_parent_does(tmp_path):
    file = tmp_path / "a.h5"
    gzip_uint64(file)
    code = f"""
import os, sys
from pathlib import Path
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5 import Hdf5Format
store = Hdf5Format().open(Path({str(file)!r}), ("group", "volume"), VolumeOverrides())
volume = store.bind(store.info, OpenOptions())
bounds = volume.info.scales[0].bounds
before = volume.read(bounds)
child = os.fork()
same = (volume.read(bounds) == before).all()
if child == 0:
    os._exit(0 if same else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) if same else 2)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_no_file_stays_open(tmp_path):
    file = tmp_path / "a.h5"
    gzip_uint64(file)
    volume = opened(file, ("group", "volume"), axes="zyx")
    volume.read(volume.info.scales[0].bounds)
    FORMAT.list(file, ("group",))
    with pytest.raises(UnknownVolume):
        opened(file, ("nothing",))
    links = (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
    assert str(file) not in links


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    file = write(tmp_path / "a.h5", em=image(SHAPE))
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert FORMAT.claims(file)
    with pytest.raises(ConfigInvalid, match=r"voxgate-remotes\[hdf5\]"):
        examined({"ask": "list", "file": str(file), "inner": []})


def test_volumes_have_no_versions_and_take_no_writes(tmp_path):
    file = write(tmp_path / "a.h5", em=image(SHAPE))
    volume = opened(file, ("em",))
    assert volume.capability(Writable) is None
    assert not any(scale.writable for scale in volume.info.scales)
    assert volume.capability(ChunkPresence) is volume
    assert volume.capability(Tuned).tuning.parallel_reads == 1
    with pytest.raises(UnknownVersion):
        opened(file, ("em",), OpenOptions(version="3"))
    with pytest.raises(OutOfBounds):
        opened(file, ("em",), OpenOptions(time_index=1))


def test_a_copy_with_another_name_is_the_same_volume(tmp_path):
    file = write(tmp_path / "a.h5", **{"spaced name": image(SHAPE), "größe": image(SHAPE)})
    shutil.copy(file, tmp_path / "b c.hdf5")
    assert listed(tmp_path / "b c.hdf5") == {"größe": True, "spaced name": True}
    np.testing.assert_array_equal(
        opened(tmp_path / "b c.hdf5", ("größe",)).read(Box.of((0, 29), (0, 17), (0, 11)))[0], image(SHAPE)
    )
