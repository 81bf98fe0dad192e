"""The tier on disk: restarts, two processes, files that are not what they should be, disks that fail."""

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from support.cached_volumes import Watched, cached, counted
from support.known_volumes import PATH
from support.memory_volumes import two_scales
from voxgate.model.errors import AlreadyExists, ConfigInvalid
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import EncodedChunks, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote

NAME = tuple(PATH.split("/"))
BOX = Box.of(x=(-7, 13), y=(8, 22), z=(1001, 1010))
CHUNKS = 36
"""That BOX touches."""
MIB = 1 << 20
SHARED = """
import sys
from pathlib import Path
from support.cached_volumes import Watched, cached, counted
from support.known_volumes import PATH
from support.memory_volumes import two_scales
from voxgate.model.geometry import Box
from voxgate.model.volumes import OpenOptions
remote, known = two_scales()
store = Watched(remote)
behind = cached(store, disk=Path(sys.argv[1]), memory_bytes=0, immutable=True)
box = Box.of(x=(-7, 13), y=(8, 22), z=(1001, 1010))
for _ in range(int(sys.argv[2])):
    voxels = behind.open(tuple(PATH.split("/")), OpenOptions()).read(box)
    assert (voxels == known.scales[0].cut(box)).all()
    behind.settle()
print(len(store.asked), counted(behind).get("disk_damaged", 0), counted(behind).get("disk_failures", 0))
"""


@pytest.fixture
def store():
    remote, volume = two_scales()
    watched = Watched(remote)
    watched.truth = volume.scales
    return watched


def opened(remote):
    return remote.open(NAME, OpenOptions())


def kept_files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def filled(store, folder, **stated):
    """A folder with the chunks of BOX; returns its files."""
    remote = cached(store, disk=folder, immutable=True, **stated)
    opened(remote).read(BOX)
    remote.settle()
    store.taken()
    return kept_files(folder)


def test_what_was_kept_survives_a_restart(store, tmp_path):
    files = filled(store, tmp_path)
    assert len(files) == CHUNKS
    again = cached(store, disk=tmp_path, immutable=True)
    assert np.array_equal(opened(again).read(BOX), store.truth[0].cut(BOX))
    assert store.taken() == []
    assert counted(again) == {"disk_hits": CHUNKS}


def test_absent_and_stored_chunks_survive_a_restart(store, tmp_path):
    cells = list(grid_cells(store.truth[0].bounds, *_grid(store)))
    first = cached(store, disk=tmp_path, immutable=True)
    true = opened(first).capability(EncodedChunks).read_encoded(cells)
    first.settle()
    store.taken()
    again = opened(cached(store, disk=tmp_path, immutable=True)).capability(EncodedChunks).read_encoded(cells)
    assert again == true
    assert None in again
    assert store.taken() == []


def _grid(store):
    level = opened(store).info.scales[0]
    return level.stored_chunk_shape, level.grid_origin


def truncated(path):
    path.write_bytes(path.read_bytes()[:-3])


def emptied(path):
    path.write_bytes(b"")


def one_bit_off(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def one_bit_off_in_its_age(path):
    data = bytearray(path.read_bytes())
    data[42] ^= 1
    path.write_bytes(data)


def longer(path):
    path.write_bytes(path.read_bytes() + b"\0" * 64)


def of_somebody_else(path):
    path.write_bytes(b"#!/bin/sh\necho this is no chunk, and longer than any header of one\n")


def a_link(path):
    elsewhere = path.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "harm",
    [truncated, emptied, one_bit_off, one_bit_off_in_its_age, longer, of_somebody_else, a_link, a_pipe],
    ids=lambda harm: harm.__name__,
)
def test_a_file_that_is_not_what_it_was_is_not_used(store, tmp_path, harm):
    for path in filled(store, tmp_path):
        harm(path)
    again = cached(store, disk=tmp_path, immutable=True)
    assert np.array_equal(opened(again).read(BOX), store.truth[0].cut(BOX))
    assert sum(box.voxel_count for _, box, _ in store.taken()) > 0
    assert "disk_hits" not in counted(again)
    counts = counted(again)
    assert counts.get("disk_damaged", 0) + counts.get("disk_failures", 0) == CHUNKS


def test_a_whole_file_in_the_place_of_another_is_not_used(store, tmp_path):
    first, *others = filled(store, tmp_path)
    for path in others:
        shutil.copyfile(first, path)
    again = cached(store, disk=tmp_path, immutable=True)
    assert np.array_equal(opened(again).read(BOX), store.truth[0].cut(BOX))
    assert counted(again)["disk_damaged"] == CHUNKS - 1


def test_what_was_damaged_is_mended(store, tmp_path):
    for path in filled(store, tmp_path):
        truncated(path)
    middle = cached(store, disk=tmp_path, immutable=True)
    opened(middle).read(BOX)
    middle.settle()
    store.taken()
    opened(cached(store, disk=tmp_path, immutable=True)).read(BOX)
    assert store.taken() == []


def test_two_remotes_in_one_folder_never_share(store, tmp_path):
    filled(store, tmp_path, name="one")
    opened(cached(store, disk=tmp_path, immutable=True, name="other")).read(BOX)
    assert len(store.taken()) == 1


def test_two_processes_share_one_folder(store, tmp_path):
    command = [sys.executable, "-c", SHARED, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(times):
        return subprocess.Popen([*command, str(times)], stdout=subprocess.PIPE, text=True, env=environment)

    together = [run(30) for _ in range(2)]
    for process in together:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert out.split()[1:] == ["0", "0"]
    out, _ = run(1).communicate(timeout=120)
    assert out.split() == ["0", "0", "0"]


def test_what_the_remote_may_write_is_in_memory_alone_while_it_may_change(store, tmp_path):
    remote = cached(store, disk=tmp_path, writable=True)
    opened(remote).read(BOX)
    remote.settle()
    assert kept_files(tmp_path) == []
    store.change = lambda info: replace(info, immutable=True)  # a committed version
    opened(remote).read(BOX)
    remote.settle()
    assert len(kept_files(tmp_path)) == CHUNKS


def test_files_of_what_may_change_are_believed_for_its_time(store, tmp_path):
    now = [1_000_000.0]
    remote = cached(store, disk=tmp_path, memory_bytes=0, ttl_s=50, clock=lambda: now[0])
    opened(remote).read(BOX)
    remote.settle()
    now[0] += 49
    opened(cached(store, disk=tmp_path, ttl_s=50, clock=lambda: now[0])).read(BOX)
    assert len(store.taken()) == 1
    now[0] += 2
    opened(cached(store, disk=tmp_path, ttl_s=50, clock=lambda: now[0])).read(BOX)
    assert len(store.taken()) == 1


def test_creating_a_volume_removes_the_files_of_its_name(store, tmp_path):
    files = filled(store, tmp_path)
    remote = cached(store, disk=tmp_path, immutable=True)
    opened(remote).read(BOX)
    with pytest.raises(AlreadyExists):
        remote.create(NAME, VolumeSpec(np.dtype("<u1"), VolumeKind.IMAGE, (ScaleSpec(BOX),)))
    assert files
    assert kept_files(tmp_path) == []
    opened(remote).read(BOX)
    assert len(store.taken()) == 1


def big_store():
    """A store of 64 chunks of 128 KiB that do not shrink."""
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    box = Box.of(x=(-64, 64), y=(0, 256), z=(5, 69))
    voxels = np.random.default_rng(5).integers(0, 2**64, (1, 64, 256, 128), "<u8")
    spec = VolumeSpec(voxels.dtype, VolumeKind.SEGMENTATION, (ScaleSpec(box, chunk_shape=Vec3(32, 32, 16)),))
    remote.create(NAME, spec).capability(Writable).write(box, voxels)
    return Watched(remote), box, voxels


def test_a_folder_holds_no_more_than_it_may(tmp_path):
    store, box, voxels = big_store()
    foreign = tmp_path / "voxgate-cache-1" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("not a chunk")
    remote = cached(store, disk=tmp_path, immutable=True, memory_bytes=0, disk_bytes=2 * MIB)
    volume = opened(remote)
    for cell in grid_cells(box, volume.info.scales[0].stored_chunk_shape, box.start):
        assert np.array_equal(volume.read(cell), voxels[:, *cell.slices_zyx(box.start)])
        remote.settle()
        assert sum(path.stat().st_blocks * 512 for path in kept_files(tmp_path)) <= 2 * MIB + 4096
    assert counted(remote)["disk_evicted"] > 0
    assert remote.report().gauges["disk_bytes"] > MIB
    assert foreign.read_text() == "not a chunk"
    last = list(grid_cells(box, volume.info.scales[0].stored_chunk_shape, box.start))[-1]
    store.taken()
    volume.read(last)
    assert store.taken() == []


@pytest.mark.parametrize("make", ["file", "unwritable"])
def test_a_folder_that_cannot_be_used_is_refused_at_once(store, tmp_path, make):
    place = tmp_path / "taken"
    place.write_text("a file")
    with pytest.raises(ConfigInvalid, match=r"cache\.disk"):
        cached(store, disk=place if make == "file" else place / "below")


def test_nothing_is_made_before_something_is_kept(store, tmp_path):
    cached(store, disk=tmp_path / "later")
    assert not (tmp_path / "later").exists()


def test_a_folder_that_goes_away_makes_no_read_fail(store, tmp_path):
    folder = tmp_path / "cache"
    filled(store, folder)
    remote = cached(store, disk=folder, immutable=True, memory_bytes=0)
    shutil.rmtree(folder)
    folder.write_text("a file in the place of the folder")
    for _ in range(2):
        assert np.array_equal(opened(remote).read(BOX), store.truth[0].cut(BOX))
        remote.settle()
    assert counted(remote)["disk_failures"] >= 1
    assert counted(remote)["disk_skipped"] >= 1  # it is left alone for a while


def test_a_disk_that_is_behind_makes_nobody_wait(store, tmp_path, monkeypatch):
    let_go = threading.Event()
    monkeypatch.setattr("voxgate_remotes.caching.tier_disk._PENDING_BYTES", 6000)

    def slow(path, key, kept):
        assert let_go.wait(60)
        return 0

    monkeypatch.setattr("voxgate_remotes.caching.tier_disk.write_entry", slow)
    remote = cached(store, disk=tmp_path, immutable=True)
    opened(remote).read(BOX)
    assert counted(remote)["disk_skipped"] > 0
    let_go.set()
    remote.settle()


NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
FULL = """
import sys
from pathlib import Path
import test_caching_disk as here
store, box, voxels = here.big_store()
remote = here.cached(store, disk=Path(sys.argv[1]), immutable=True, memory_bytes=0)
volume = here.opened(remote)
assert (volume.read(box) == voxels).all()
remote.settle()
assert here.counted(remote)["disk_failures"] >= 1, here.counted(remote)
assert (volume.read(box) == voxels).all()
counts = here.counted(remote)
assert "disk_damaged" not in counts and counts["disk_hits"] >= 1, counts
assert not list(Path(sys.argv[1]).rglob(".part-*"))
print("right")
"""


@pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "sh", "-c", MOUNT, "/mnt", "true"], capture_output=True).returncode != 0,
    reason="this user cannot mount a small disk",
)
def test_a_disk_that_is_full_makes_no_read_fail(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    command = [*NAMESPACE, "sh", "-c", MOUNT, str(tmp_path), sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr
