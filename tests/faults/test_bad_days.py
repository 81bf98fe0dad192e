"""Stores that are away at the start, full disks, databases that are not there, a server that is killed as it writes."""

import contextlib
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from support.faults import free_port, until
from support.replicas import replicas_of, running
from support.scraped import scraped
from support.servers import SAMPLES, health, server_process
from support.static_http import static_http
from voxgate.client.connection import connect
from voxgate.model.errors import ServerUnreachable, StoreUnavailable, VoxgateError
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec

BOX = Box.of(x=(1101, 1164), y=(2063, 2120), z=(3003, 3040))
SECRET = "swordfish"
BOUNDS = Box.at(Vec3(-7, 20, 3), Vec3(150, 91, 67))
SPEC = VolumeSpec(
    np.dtype("<u8"),
    VolumeKind.SEGMENTATION,
    (ScaleSpec(BOUNDS, VoxelSize(4, 5, 40), Vec3(32, 16, 8)),),
    format="zarr3",
)


def ids(seed: int, box: Box) -> np.ndarray:
    """Incompressible, and beyond what a float or a signed integer holds."""
    return np.random.default_rng(seed).integers(2**63, 2**64 - 1, box.shape.zyx, np.uint64)


def test_a_server_starts_while_a_store_is_away_says_so_and_reads_from_it_when_it_is_back(tmp_path):
    port = free_port()
    config = tmp_path / "voxgate.toml"
    config.write_text(
        f'[server]\nmetrics_port = 0\n[remotes.near]\nuri = "{SAMPLES}/fib25"\n'
        f'[remotes.far]\nuri = "http://127.0.0.1:{port}/fib25"\n'
    )
    with server_process("voxgate_volume", config, tmp_path / "log") as server, connect(server.address) as client:
        assert health(server.health_port, "ready") == "SERVING"
        expected = client.volume("near/seg").read(BOX)
        with pytest.raises(StoreUnavailable) as away:
            client.volume("far/seg")
        assert away.value.remedy
        (line,) = (line for line in server.log.read_text().splitlines() if "metrics_port" in line)
        metrics = int(line.partition('"metrics_port": ')[2].split(",")[0].rstrip("}"))
        page = scraped(metrics)
        assert page.total("voxgate_remote_errors_total", remote="far", reason="STORE_UNAVAILABLE") == 1
        assert page.total("voxgate_remote_errors_total", remote="near") == 0
        assert health(server.health_port, "ready") == "SERVING"
        with static_http(SAMPLES, port=port):
            np.testing.assert_array_equal(client.volume("far/seg").read(BOX), expected)
        np.testing.assert_array_equal(client.volume("near/seg").read(BOX), expected)


@contextlib.contextmanager
def small_disk(folder, mebibytes):
    """A disk of its own; skips the test where this process may mount none."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this process may not mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("layout", ["zarr3", "precomputed"])
def test_a_full_disk_is_told_leaves_nothing_half_written_and_the_server_serves_on(tmp_path, layout):
    bounds = Box.of(x=(-64, 192), y=(0, 256), z=(32, 96))
    raw = ScaleSpec(bounds, VoxelSize(4, 5, 40), Vec3(64, 64, 32))
    whole = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (raw,), format=layout)
    voxels = ids(1, bounds)
    with small_disk(tmp_path / "disk", 16) as disk:
        config = tmp_path / "voxgate.toml"
        config.write_text(
            f'[remotes.near]\nuri = "{SAMPLES}/fib25"\n[remotes.disk]\nuri = "file://{disk}"\nwritable = true\n'
        )
        with server_process("voxgate_volume", config, tmp_path / "log") as server, connect(server.address) as client:
            array = client.create("disk/full", whole)
            with pytest.raises(VoxgateError) as full:
                array.write(bounds, voxels)
            assert "no space" in str(full.value).lower(), full.value
            assert str(disk) not in str(full.value)
            written = [
                cell
                for cell in grid_cells(bounds, Vec3(64, 64, 32), bounds.start)
                if array.read(cell).any()  # not one id of these is 0
            ]
            assert 0 < len(written) < 16 * 2
            for cell in written:
                np.testing.assert_array_equal(array.read(cell), voxels[cell.slices_zyx(bounds.start)])
            assert not [path for path in disk.rglob("*") if "__lock" in path.name or path.name.endswith(".tmp")]
            assert client.volume("near/seg").read(BOX).any()
            # Room again: the same write is taken.
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            array.write(bounds, voxels)
            np.testing.assert_array_equal(array.read(bounds), voxels)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://joe:{SECRET}@127.0.0.1/jobs", "cannot be kept in a database of the kind"),
        (f"postgresql://joe:{SECRET}@127.0.0.1:1/jobs", "does not answer"),
        ("sqlite:////nowhere/at/all/jobs.db", "folder"),
    ],
)
def test_a_wrong_database_is_told_at_the_start_and_whoever_only_reads_goes_on(tmp_path, url, said):
    config = tmp_path / "voxgate.toml"
    config.write_text(f'[server]\njobs_url = "{url}"\n[remotes.near]\nuri = "{SAMPLES}/fib25"\n')
    command = [sys.executable, "-m", "voxgate_transfer", "--config", str(config), "--port", "0", "--health-port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert said in ended.stderr, ended.stderr
    assert SECRET not in ended.stderr
    assert "Traceback" not in ended.stderr
    with server_process("voxgate_volume", config, tmp_path / "log") as server, connect(server.address) as client:
        assert client.volume("near/seg").read(BOX).any()


def test_what_was_acknowledged_before_a_server_was_killed_is_there_and_no_granule_is_half_written(tmp_path):
    config = tmp_path / "voxgate.toml"
    config.write_text(f'[remotes.data]\nuri = "file://{tmp_path}/data"\nwritable = true\n')
    (tmp_path / "data").mkdir()
    cells = list(grid_cells(BOUNDS, Vec3(32, 16, 8), BOUNDS.start))
    told, tried = [], []
    (server,) = replicas_of("volume", 1, config, tmp_path)
    voxels = ids(2, BOUNDS)

    def write(array):
        with contextlib.suppress(ServerUnreachable, VoxgateError):
            for cell in cells:
                tried.append(cell)
                array.write(cell, voxels[cell.slices_zyx(BOUNDS.start)])
                told.append(cell)

    with running([server]):
        with connect(server.address) as client:
            writer = threading.Thread(target=write, args=(client.create("data/killed", SPEC),), daemon=True)
            writer.start()
            until(lambda: len(told) > len(cells) // 4, "some writes")
            server.end(signal.SIGKILL)
            writer.join(60)
            assert not writer.is_alive()
            # A write is never sent again by itself: of the one that was under way nobody says that it took place.
            assert len(tried) == len(told) + 1 < len(cells)
        server.start()
        until(lambda: server.is_well, "the next server")
        with connect(server.address) as client:
            array = client.volume("data/killed")
            for cell in told:
                np.testing.assert_array_equal(array.read(cell), voxels[cell.slices_zyx(BOUNDS.start)])
            at_work = array.read(tried[-1])
            assert not at_work.any() or np.array_equal(at_work, voxels[tried[-1].slices_zyx(BOUNDS.start)])
            for cell in set(cells) - set(tried):
                assert not array.read(cell).any()
