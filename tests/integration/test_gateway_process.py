"""The gateway as a process in front of the real volume server, on the samples."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
import tensorstore as ts
from cloudvolume import CloudVolume

from support.servers import SAMPLES, server_process


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    config = folder / "voxgate.toml"
    config.write_text(
        f'[remotes.fib25]\nuri = "{SAMPLES / "fib25"}"\n[remotes.aniso]\nuri = "{SAMPLES / "aniso"}"\n'
        '[remotes.far]\nuri = "procedural://"\n'
    )
    with server_process("voxgate_volume", config, folder / "log") as process:
        yield process.address


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "voxgate_gateway", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def url(backend, tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path_factory.mktemp("gateway") / "voxgate.toml"
    config.write_text('[gateway.bossdb.names]\n"kasthuri/ac4/ids" = "aniso/seg"\n')
    process = start("--backend", backend, "--port", str(port), "--config", str(config))
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()


def wait_until_ready(process: subprocess.Popen[str], url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.05)
    pytest.fail("the gateway did not become ready")


def from_disk(path: str, scale: int) -> ts.TensorStore:
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{SAMPLES / path}/", "scale_index": scale}
    return ts.open(spec, open=True, read=True).result()


@pytest.mark.parametrize("path", ["fib25/em", "fib25/seg", "aniso/seg"])
@pytest.mark.parametrize("scale", [0, 1, 2])
def test_cloud_volume_reads_through_the_gateway_what_tensorstore_reads_from_disk(url, path, scale):
    direct = from_disk(path, scale)
    volume = CloudVolume(f"precomputed://{url}/ng/{path}/-", mip=scale, progress=False)
    low, high = np.array(direct.domain.inclusive_min[:3]), np.array(direct.domain.exclusive_max[:3])
    start, stop = low + np.array([3, 1, 2]), high - np.array([1, 5, 3])
    box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    assert np.array_equal(np.asarray(volume[box]), direct[box].read().result())


def test_the_file_says_what_volumes_are_called_in_bossdb(url):
    told = httpx.get(f"{url}/v1/collection/kasthuri/experiment/ac4/channel/ids", timeout=60)
    assert told.json()["type"] == "annotation"


def test_a_file_that_is_wrong_is_told_by_its_key(tmp_path):
    config = tmp_path / "voxgate.toml"
    config.write_text("[gateway]\nthread = 5\n")
    process = start("--config", str(config), "--port", "0")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "gateway.thread" in said


def test_ids_above_2_to_the_63_arrive_unchanged(url):
    volume = CloudVolume(f"precomputed://{url}/ng/aniso/seg/-", progress=False)
    ids = np.unique(np.asarray(volume[volume.bounds]))
    assert ids.dtype == np.uint64
    assert int(ids.max()) > 2**63
    assert np.array_equal(ids, np.unique(from_disk("aniso/seg", 0).read().result()))


def test_a_chunk_far_out_in_a_volume_of_a_million_voxels_a_side_is_served(url):
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"{url}/ng/far/em/-/"}
    store = ts.open(spec, open=True, read=True).result()
    assert tuple(store.domain.exclusive_max[:3]) == (1_000_000, 1_000_000, 1_000_000)
    assert len(np.unique(store[999_001:999_020, 999_003:999_010, 999_030:999_037].read().result())) > 1


def test_the_first_page_lists_the_samples_with_pictures(url):
    page = httpx.get(url, timeout=20).text
    for name in ("fib25/em", "fib25/seg", "aniso/seg", "far/em"):
        assert f"precomputed://{url}/ng/{name}/-<" in page
        picture = httpx.get(f"{url}/preview/{name}", timeout=20)
        assert picture.headers["content-type"] == "image/png"


def test_a_port_in_use_ends_the_gateway_with_a_reason_and_no_traceback(backend):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start("--backend", backend, "--port", str(taken.getsockname()[1]))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "cannot listen on" in errors
    assert "Traceback" not in errors
