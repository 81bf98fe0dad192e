"""Clients and arrays in other processes: pickled, spawned, forked, and under a proxy's environment."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent import futures

import grpc
import numpy as np
import pytest

from support.servers import OneVolume, volume_server
from support.volume_service import BOUNDS
from voxgate.client import channels
from voxgate.client.addresses import is_this_machine
from voxgate.client.channels import Credentials, Server, Stubs
from voxgate.client.connection import connect
from voxgate.client.profile import Profile, save_profile
from voxgate.model.errors import FailedPrecondition, InvalidArgument, Unauthenticated
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate_remotes.registry import Registry

PART = Box.of(x=(-3, 50), y=(1001, 1060), z=(31, 76))
IN_PROCESSES = """
import multiprocessing, os, sys
import numpy as np
import voxgate

def total(em):
    return int(np.asarray(em).sum(dtype=np.uint64))

def main(address, method, expected):
    em = voxgate.connect(address).volume("mem/lab/seg").as_axes("yxz")
    assert total(em) == int(expected)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(total, [em] * 5).get(60) == [int(expected)] * 5
    if method == "fork":
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if total(em) == int(expected) else 1)
            except BaseException as error:
                print(error, file=sys.stderr, flush=True)
                os._exit(3)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == 0, status
    assert total(em) == int(expected)
    print("every process read the same")

if __name__ == "__main__":
    main(*sys.argv[1:])
"""
FORK_ONCE = """
import os, sys
import voxgate
em = voxgate.connect(sys.argv[1]).volume("mem/lab/seg")
em[0, 0, 0]
child = os.fork()
if child == 0:
    try:
        em[0, 0, 0]
    except voxgate.errors.FailedPrecondition as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "grpc_proxy", "all_proxy", "ALL_PROXY")


def run(script, *arguments, tmp_path, **environment):
    path = tmp_path / "script.py"
    path.write_text(script)
    command = [sys.executable, str(path), *map(str, arguments)]
    kept = {key: value for key, value in os.environ.items() if key not in ("GRPC_ENABLE_FORK_SUPPORT", "no_proxy")}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**kept, **environment})


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_arrays_read_the_same_in_processes_started_after_a_first_read(server, written, tmp_path, method):
    _, voxels = written
    expected = int(voxels.sum(dtype=np.uint64))
    done = run(IN_PROCESSES, server.address, method, expected, tmp_path=tmp_path)
    assert "every process read the same" in done.stdout, done.stderr[-2000:]


def test_a_forked_child_that_would_hang_is_told_why(server, written, tmp_path):
    done = run(FORK_ONCE, server.address, tmp_path=tmp_path, GRPC_ENABLE_FORK_SUPPORT="0")
    assert "GRPC_ENABLE_FORK_SUPPORT" in done.stdout, done.stderr[-2000:]


def test_an_array_out_of_a_pickle_is_the_same_array(server, client, written):
    volume, voxels = written
    shown = volume.as_axes("xyz")
    again = pickle.loads(pickle.dumps(shown))
    assert repr(again) == repr(shown)
    assert again.info == shown.info
    np.testing.assert_array_equal(again.read(PART), voxels[PART.slices_zyx(BOUNDS.start)].transpose(2, 1, 0))
    client.close()
    np.testing.assert_array_equal(again[3:5], voxels.transpose(2, 1, 0)[3:5])
    with pytest.raises(FailedPrecondition, match="closed"):
        shown[3:5]


def test_arrays_out_of_pickles_share_their_channels(written):
    volume, _ = written
    one, other = (pickle.loads(pickle.dumps(volume)).volume for _ in range(2))
    assert one._stubs is other._stubs
    assert one._stubs is not volume.volume._stubs


def test_a_client_out_of_a_pickle_connects_by_itself(client, written):
    _, voxels = written
    with pickle.loads(pickle.dumps(client)) as again:
        assert repr(again) == repr(client)
        np.testing.assert_array_equal(np.asarray(again.volume("mem/lab/seg")), voxels)
    # Each has channels of its own.
    assert client.volumes()


def test_an_array_with_several_times_is_pickled_whole(tmp_path):
    movie = Movie()
    with volume_server(Registry({"lab": OneVolume(movie)})) as server, connect(server.address) as client:
        array = client.volume("lab/x")
        assert array.axes == "tzyx"
        again = pickle.loads(pickle.dumps(array))
        np.testing.assert_array_equal(np.asarray(again), movie.whole)
        np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(array.sel(time=2)))), movie.whole[2])


class Movie:
    """Four times of distinct values."""

    def __init__(self, time=None):
        from support.array_volume import movie

        self._array = movie()
        self.whole = np.asarray(self._array)
        self._at = self._array._binding.reopen(time or 0)
        self.info = self._at.info
        self.read = self._at.read
        self.capability = self._at.capability

    def bound_to(self, options):
        return Movie(options.time_index)


def test_a_copy_of_an_array_uses_the_same_connection(written):
    volume, voxels = written
    for made in (copy.copy(volume), copy.deepcopy(volume)):
        assert made.volume._stubs is volume.volume._stubs
        np.testing.assert_array_equal(made[-1], voxels[-1])


class Listening(volume_pb2_grpc.VolumeServiceServicer):
    """Remembers who asked."""

    def __init__(self):
        self.tokens = []

    def GetServerInfo(self, request, context):  # noqa: N802  (the contract's name)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        return volume_pb2.GetServerInfoResponse(server_id="listening")


@pytest.fixture
def listening(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("VOXGATE_TOKEN", raising=False)
    servicer = Listening()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    volume_pb2_grpc.add_VolumeServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    server.stop(0).wait()


def test_a_token_is_in_no_pickle_and_is_found_again_where_the_pickle_is_used(listening, monkeypatch):
    with connect(listening.address, token="s3cret-of-mine") as client:
        pickled = pickle.dumps(client)
        assert b"s3cret" not in pickled
        with pickle.loads(pickled) as again, pytest.raises(Unauthenticated, match="VOXGATE_TOKEN"):
            again.server_info()
        monkeypatch.setenv("VOXGATE_TOKEN", "s3cret-of-theirs")
        with pickle.loads(pickled) as again:
            again.server_info()
        monkeypatch.delenv("VOXGATE_TOKEN")
        save_profile(Profile(listening.address, "s3cret-of-the-profile"))
        with pickle.loads(pickled) as again:
            again.server_info()
        save_profile(Profile("elsewhere:1", "s3cret-of-another-server"))
        with pickle.loads(pickled) as again, pytest.raises(Unauthenticated):
            again.server_info()
        client.with_streams(3).server_info()
    owners = ["mine", "theirs", "the-profile", "mine"]
    assert listening.tokens == [f"Bearer s3cret-of-{owner}" for owner in owners]


def test_credentials_themselves_cannot_be_pickled():
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Credentials("s3cret"))
    with pytest.raises(TypeError, match="never pickled"):
        copy.copy(Credentials("s3cret"))


def test_threads_that_come_first_at_the_same_time_share_one_set_of_channels(server, written, monkeypatch):
    opened = []
    original = channels.open_channel

    def counted(address, credentials, **options):
        opened.append(original(address, credentials, **options))
        return opened[-1]

    monkeypatch.setattr(channels, "open_channel", counted)
    for _ in range(20):
        stubs = Stubs(Server(server.address))
        with futures.ThreadPoolExecutor(8) as pool:
            found = {id(each) for each in pool.map(lambda one: one.volume, [stubs] * 8)}
        assert len(found) == 1
        assert stubs.volume.GetServerInfo(volume_pb2.GetServerInfoRequest(), timeout=10).server_id
        stubs.close()
    assert len(opened) >= 20


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_proxy_of_the_environment_is_not_asked_the_way_to_this_machine(server, written, tmp_path, host):
    _, voxels = written
    script = "import sys, voxgate\nprint(int(voxgate.connect(sys.argv[1]).volume('mem/lab/seg')[3, 4, 5]))\n"
    nowhere = dict.fromkeys(PROXIES, "http://127.0.0.1:1")
    done = run(script, f"{host}:{server.port}", tmp_path=tmp_path, **nowhere)
    assert done.stdout.split() == [str(voxels[3, 4, 5])], done.stderr[-2000:]


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("localhost:1", True),
        ("LOCALHOST:1", True),
        ("a.localhost:1", True),
        ("127.3.2.1:1", True),
        ("[::1]:1", True),
        ("::1", True),
        ("ipv4:127.0.0.1:1", True),
        ("ipv6:[::1]:1", True),
        ("unix:/tmp/socket", True),
        ("localhost.example:1", False),
        ("127.example:1", False),
        ("10.0.0.1:1", False),
        ("[2001:db8::1]:1", False),
        ("brains.example:50051", False),
    ],
)
def test_this_machine_is_told_by_its_loopback_names_only(address, is_local):
    assert is_this_machine(address) is is_local


def test_no_connection_at_all_is_refused(client):
    with pytest.raises(InvalidArgument, match="0 connections"):
        client.with_streams(0)
