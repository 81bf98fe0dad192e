"""Servers as processes of their own: health, drain, ports, memory."""

import signal
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import psutil
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from support.servers import health, server_process
from voxgate.client.connection import connect
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.volumes import box_to_proto

PROCEDURAL = '[remotes.p]\nuri = "procedural://"\n'
FAR = Box.of(x=(999_000, 999_031), y=(999_500, 999_517), z=(998_001, 998_012))
MIB = 1 << 20


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "voxgate.toml"
    path.write_text(PROCEDURAL)
    return path


@pytest.fixture
def slow_config(tmp_path):
    path = tmp_path / "slow.toml"
    path.write_text(PROCEDURAL + "[remotes.p.options]\nlatency_ms = 400\n[server]\nworkers = 2\ngrace_s = 20.0\n")
    return path


def giant_request(gibibytes):
    box = Box.of(x=(5, 5 + 1024), y=(7, 7 + 1024), z=(3, 3 + 1024 * gibibytes))
    return volume_pb2.ReadCutoutRequest(volume="p/em", box=box_to_proto(box)), box


def test_health_answers_while_every_worker_is_busy(slow_config, tmp_path):
    with server_process("voxgate_volume", slow_config, tmp_path / "log") as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = volume_pb2_grpc.VolumeServiceStub(channel)
            request, _ = giant_request(1)
            calls = [stub.ReadCutout(request, timeout=60) for _ in range(2)]
            for call in calls:
                next(call)
            # Both workers are taken: a third call waits in line, health does not.
            third = stub.GetServerInfo.future(volume_pb2.GetServerInfoRequest(), timeout=60)
            for service in ("", "live", "ready", "voxgate.v1.VolumeService"):
                assert health(server.health_port, service) == "SERVING"
            assert not third.done()
            for call in calls:
                call.cancel()
            assert third.result().server_id


def test_sigterm_lets_a_running_stream_finish_refuses_new_calls_and_exits_0(slow_config, tmp_path):
    with server_process("voxgate_volume", slow_config, tmp_path / "log") as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = volume_pb2_grpc.VolumeServiceStub(channel)
            box = Box.of(x=(0, 200), y=(0, 200), z=(0, 700))
            request = volume_pb2.ReadCutoutRequest(volume="p/em", box=box_to_proto(box))
            call = stub.ReadCutout(request, timeout=60)
            next(call)
            server.process.send_signal(signal.SIGTERM)
            last = list(call)[-1]
            assert last.HasField("summary")
        assert server.process.wait(20) == 0


def test_a_taken_port_is_said_in_one_line_without_a_traceback(config, tmp_path):
    with server_process("voxgate_volume", config, tmp_path / "log") as server:
        command = [sys.executable, "-m", "voxgate_volume", "--config", str(config), "--port", str(server.port)]
        second = subprocess.run([*command, "--health-port", "0"], capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert f"cannot listen on 127.0.0.1:{server.port}" in second.stderr
    assert "--port" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 5\n", 'unknown key "server.prot"'),
        ("[remotes.a]\nurl = 'memory://'\n", "uri"),
        ("[remote.a]\nuri = 'memory://'\n", 'did you mean "remotes"'),
        ("[remotes.a]\nuri = 'gopher://x'\n", "gopher"),
        ("[server]\nworkers = 'many'\n", "server.workers"),
        ("nonsense", "not TOML"),
    ],
)
def test_a_wrong_configuration_stops_the_start_and_names_the_key(tmp_path, text, said):
    path = tmp_path / "voxgate.toml"
    path.write_text(text)
    command = [sys.executable, "-m", "voxgate_volume", "--config", str(path), "--port", "0", "--health-port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_reflection_lists_the_services(config, tmp_path):
    with server_process("voxgate_volume", config, tmp_path / "log") as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            answer = next(stub.ServerReflectionInfo(iter([request]), timeout=10))
    names = {service.name for service in answer.list_services_response.service}
    assert {"voxgate.v1.VolumeService", "voxgate.v1.SegmentService"} <= names


def test_voxels_at_coordinate_999000_do_not_depend_on_how_they_are_asked_for(config, tmp_path):
    with server_process("voxgate_volume", config, tmp_path / "log") as server, connect(server.address) as client:
        for name in ("p/em", "p/seg"):
            volume = client.volume(name)
            whole = volume.read(FAR)
            for point in ((999_000, 999_500, 998_001), (999_030, 999_516, 998_011), (999_007, 999_511, 998_005)):
                x, y, z = point
                single = volume.read(Box.of(x=(x, x + 1), y=(y, y + 1), z=(z, z + 1)))
                start = FAR.start
                assert single.item() == whole[z - start.z, y - start.y, x - start.x]
            assert len(np.unique(whole)) > 1


def stream_slowly(server, gibibytes, slow_messages):
    """Stream a giant box, the first messages slowly; the most memory that the server held, and bytes received."""
    process = psutil.Process(server.process.pid)
    peak = 0
    received = 0
    with grpc.insecure_channel(server.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request, box = giant_request(gibibytes)
        for index, response in enumerate(stub.ReadCutout(request, timeout=1200)):
            received += sum(chunk.ByteSize() and len(chunk.data) for chunk in response.chunks)
            if index < slow_messages:
                time.sleep(0.05)
            if index % 16 == 0:
                peak = max(peak, process.memory_info().rss)
    assert received == box.voxel_count
    return peak


def steady_memory(config, tmp_path, gibibytes):
    with server_process("voxgate_volume", config, tmp_path / f"log{gibibytes}") as server:
        return stream_slowly(server, gibibytes, slow_messages=60)


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_four_gibibytes_to_a_slow_client_take_no_more_memory_than_one(config, tmp_path):
    one = steady_memory(config, tmp_path, 1)
    four = steady_memory(config, tmp_path, 4)
    assert four < one * 1.15 + 32 * MIB


def test_a_client_that_stops_reading_stops_the_server_from_reading(config, tmp_path):
    with server_process("voxgate_volume", config, tmp_path / "log") as server:
        process = psutil.Process(server.process.pid)
        with grpc.insecure_channel(server.address) as channel:
            stub = volume_pb2_grpc.VolumeServiceStub(channel)
            request, _ = giant_request(4)
            call = stub.ReadCutout(request, timeout=120)
            next(call)
            time.sleep(4)
            busy_before, memory_before = process.cpu_times().user, process.memory_info().rss
            time.sleep(3)
            busy, memory = process.cpu_times().user - busy_before, process.memory_info().rss
            assert busy < 1.0
            assert memory < memory_before + 16 * MIB
            assert memory < 900 * MIB
            call.cancel()


def test_many_callers_that_vanish_leave_nothing_behind(config, tmp_path):
    with server_process("voxgate_volume", config, tmp_path / "log") as server:
        process = psutil.Process(server.process.pid)

        def vanish():
            channel = grpc.insecure_channel(server.address)
            call = volume_pb2_grpc.VolumeServiceStub(channel).ReadCutout(giant_request(1)[0], timeout=60)
            next(call)
            next(call)
            channel.close()

        for _ in range(3):
            threads = [threading.Thread(target=vanish) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        until = time.monotonic() + 15
        while time.monotonic() < until and process.num_threads() > 40:
            time.sleep(0.2)
        assert process.num_threads() <= 40
        with connect(server.address) as client:
            assert client.volume("p/em").read(FAR).shape == FAR.shape.zyx
