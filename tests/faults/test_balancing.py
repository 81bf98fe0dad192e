"""Several replicas behind addresses, a name, or Envoy: calls go to all of them, and losing one costs nobody a read."""

import collections
import contextlib
import re
import signal
import subprocess
import threading

import grpc
import numpy as np
import psutil
import pytest
import urllib3
import yaml

from support.envoy import CONFIG, envoy_before, program
from support.faults import ended_at_last, until
from support.name_server import name_server
from support.replicas import places, replicas_of, running
from support.servers import SAMPLES
from voxgate.client.connection import connect
from voxgate.client.retrying import is_repeatable
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.contract import methods, reads
from voxgate.wire.volumes import box_to_proto

BOX = Box.of(x=(1101, 1164), y=(2063, 2120), z=(3003, 3040))
LONG = Box.of(x=(5, 517), y=(7, 519), z=(3, 350))
"""What takes some seconds to read of "slow/em"."""


def config_of(folder, grace_s=30.0):
    path = folder / "voxgate.toml"
    path.write_text(
        f'[remotes.fib25]\nuri = "{SAMPLES}/fib25"\n[remotes.slow]\nuri = "procedural://"\n'
        f"[remotes.slow.options]\nlatency_ms = 60\n[server]\ngrace_s = {grace_s}\nworker_processes = 0\n"
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def volumes(folder):
    """Three replicas; whoever ends one starts it again."""
    replicas = replicas_of("volume", 3, config_of(folder), folder)
    with running(replicas):
        yield replicas


@pytest.fixture(scope="module")
def behind_envoy(volumes, folder):
    """The replicas and a gateway of theirs, behind Envoy with the operators' configuration."""
    backend = "ipv4:" + ",".join(each.address for each in volumes)
    gateways = replicas_of("gateway", 1, folder / "voxgate.toml", folder, "--backend", backend)
    with running(gateways), envoy_before(places([*volumes, *gateways]), folder) as envoy:
        yield envoy


def back(replica):
    replica.start()
    until(lambda: replica.is_well, "the replica again")


@contextlib.contextmanager
def reading(address, count=4):
    """Readers until the block ends; each answer is exact, and there is at least one of each after the block."""
    with connect(address) as client:
        expected = client.volume("fib25/seg").read(BOX)
    stop, failures = threading.Event(), []
    counts = [0] * count

    def read(number):
        try:
            with connect(address) as client:
                while not stop.is_set():
                    np.testing.assert_array_equal(client.volume("fib25/seg").read(BOX), expected)
                    counts[number] += 1
        except Exception as error:  # noqa: BLE001  (told below)
            failures.append(error)

    def goes_on():
        before = list(counts)
        until(lambda: failures or all(now > then for now, then in zip(counts, before, strict=True)), "answers")
        assert failures == []

    readers = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(count)]
    for reader in readers:
        reader.start()
    try:
        goes_on()
        yield goes_on
        goes_on()
    finally:
        stop.set()
        for reader in readers:
            reader.join(60)
    assert failures == []


def addresses(replicas):
    return ",".join(each.address for each in replicas)


def ids_of_servers(client, calls=12):
    return {client.server_info().server_id for _ in range(calls)}


def test_calls_to_several_addresses_go_to_every_replica(volumes):
    with connect(addresses(volumes)) as client:
        until(lambda: len(ids_of_servers(client)) == 3, "all three")
    with connect(volumes[0].address) as client:
        assert len(ids_of_servers(client)) == 1


def lose_each_way(goes_on, volumes):
    """Kill one replica and let another drain; both come back."""
    for replica, how in zip(volumes, (signal.SIGKILL, signal.SIGTERM), strict=False):
        replica.end(how)
        goes_on()
        back(replica)


def test_no_reader_of_several_addresses_notices_that_replicas_are_lost(volumes):
    with reading(addresses(volumes)) as goes_on:
        lose_each_way(goes_on, volumes)
    with connect(addresses(volumes)) as client:
        until(lambda: len(ids_of_servers(client)) == 3, "those that were restarted")


def test_no_reader_through_envoy_notices_that_replicas_are_lost(behind_envoy, volumes):
    with reading(behind_envoy.address) as goes_on:
        lose_each_way(goes_on, volumes)
    assert behind_envoy.stats("volume")["upstream_rq_total"] > 0


def test_a_name_with_several_addresses_is_every_replica_and_a_lost_one_is_forgotten(folder):
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    config = folder / "voxgate.toml"
    first, *others = [replica for host in hosts for replica in replicas_of("volume", 1, config, folder, "--host", host)]
    port = str(first.place.port)
    for each in others:  # a Service has one port for all
        command = each.program._command
        command[command.index("--port") + 1] = port
    with running([first]), contextlib.ExitStack() as stack, name_server(*hosts[:2]) as names:
        stack.enter_context(started(others, hosts[1:], port))
        with connect(f"dns://{names.address}/volume.lab.svc:{port}") as client:
            until(lambda: len(ids_of_servers(client)) == 2, "both that the name has")
            names.replicas[:] = hosts[1:]
            first.end(signal.SIGKILL)
            assert client.server_info().server_id
            until(lambda: len(ids_of_servers(client)) == 2, "the one that came for the one that went")


@contextlib.contextmanager
def started(replicas, hosts, port):
    with ended_at_last([each.program for each in replicas]):
        for each, host in zip(replicas, hosts, strict=True):
            each.start()
            until(lambda host=host: is_there(f"{host}:{port}"), host)
        yield


def is_there(address):
    with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(5)
        return True
    return False


def test_a_long_stream_through_envoy_outlives_the_draining_of_its_replica(behind_envoy, volumes):
    request = volume_pb2.ReadCutoutRequest(volume="slow/em", box=box_to_proto(LONG))
    with grpc.insecure_channel(behind_envoy.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        call = stub.ReadCutout(request, timeout=240)
        next(call)
        draining = busy_one(volumes)
        draining.program.process.send_signal(signal.SIGTERM)
        until(lambda: not draining.is_well, "draining")
        # New calls are taken by the others meanwhile; the one that runs comes to its end, and then the replica does.
        assert stub.GetServerInfo(volume_pb2.GetServerInfoRequest(), timeout=60).server_id
        assert collections.deque(call, maxlen=1)[0].HasField("summary")
        assert draining.program.process.wait(60) == 0
    back(draining)


def busy_one(volumes):
    """The replica that has a stream under way: it has threads that read ahead."""

    def threads(replica):
        return sum(each.user_time for each in psutil.Process(replica.pid).threads())

    before = {each.pid: threads(each) for each in volumes}
    until(lambda: any(threads(each) > before[each.pid] + 0.2 for each in volumes), "work")
    return max(volumes, key=lambda each: threads(each) - before[each.pid])


def test_a_stream_that_outlasts_the_grace_is_taken_up_by_another_replica(tmp_path):
    replicas = replicas_of("volume", 2, config_of(tmp_path, grace_s=0.0), tmp_path)
    with running(replicas), envoy_before(places(replicas), tmp_path) as envoy, connect(envoy.address) as client:
        volume = client.volume("slow/em")
        out = np.zeros(LONG.shape.zyx, np.uint8)
        failures = []

        def read():
            try:
                volume.read(LONG, out=out)
            except Exception as error:  # noqa: BLE001  (told below)
                failures.append(error)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        until(out.any, "the first voxels")
        busy = busy_one(replicas)
        busy.end(signal.SIGTERM)
        assert reader.is_alive()
        assert busy.program.process.returncode == 0
        reader.join(240)
        assert failures == []
        np.testing.assert_array_equal(out, volume.read(LONG))


def test_the_edge_takes_grpc_grpc_web_and_http_and_refuses_what_writes(behind_envoy):
    base = f"http://{behind_envoy.address}"
    with connect(behind_envoy.address) as client:
        assert client.volume("fib25/seg").shape == (112, 136, 160)
    assert urllib3.request("GET", f"{base}/ng/fib25/seg/-/info").json()["data_type"] == "uint64"
    frame = urllib3.request(
        "POST",
        f"{base}/voxgate.v1.VolumeService/GetServerInfo",
        body=bytes(5),
        headers={"content-type": "application/grpc-web+proto", "origin": "https://elsewhere.example"},
    )
    assert frame.status == 200
    assert frame.headers.getlist("access-control-allow-origin") == ["*"]
    assert b"grpc-status" in frame.data
    with grpc.insecure_channel(behind_envoy.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        for refused in (
            lambda: stub.DeleteVolume(volume_pb2.DeleteVolumeRequest(volume="fib25/seg"), timeout=60),
            lambda: stub.WriteCutout(iter([volume_pb2.WriteCutoutRequest()]), timeout=60),
        ):
            with pytest.raises(grpc.RpcError) as error:
                refused()
            assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_operators_configuration_is_one_that_envoy_takes_as_it_stands():
    done = subprocess.run([program(), "--mode", "validate", "-c", CONFIG], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "[warning]" not in done.stderr


def test_the_operators_configuration_has_a_way_for_every_method_that_reads_and_none_for_others():
    listener = yaml.safe_load(CONFIG.read_text())["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    ways = [
        (route["match"]["safe_regex"]["regex"], route["route"]) for route in routes if "safe_regex" in route["match"]
    ]
    for service, method in methods():
        found = [route for regex, route in ways if re.fullmatch(regex, f"/{service}/{method}")]
        assert len(found) == reads(method), method
        assert all(is_repeatable(method) and route["retry_policy"]["num_retries"] <= 5 for route in found)
    # What is no GET may change something: it is passed on once.
    retried = [route["match"] for route in routes if "retry_policy" in route.get("route", {})]
    assert all("safe_regex" in match or match["headers"][0]["name"] == ":method" for match in retried)
