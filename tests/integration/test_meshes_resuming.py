"""Streams of meshes and of runs that are cut in the middle, by a real server behind a proxy that cuts."""

from dataclasses import replace

import grpc
import numpy as np
import pytest

from support.cutting_proxy import cutting_proxy
from support.mesh_services import BALL, DOT, ROD, bodies, pyramid, serving_meshes
from support.servers import OneVolume
from voxgate.client.channels import Stubs
from voxgate.client.connection import connect
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model.errors import ServerUnreachable
from voxgate.model.meshes import MeshRequest
from voxgate_remotes.registry import Registry

REQUEST = MeshRequest((BALL, ROD, DOT))


@pytest.fixture(scope="module")
def server():
    with serving_meshes(Registry({"lab": OneVolume(pyramid(bodies()))}), worker_processes=0) as running:
        yield running


@pytest.fixture(scope="module")
def whole(server):
    """The three meshes, unbroken; and about how many bytes they are."""
    with connect(server.address) as client:
        meshes = {each.segment_id: each for each in source(client.stubs).meshes(REQUEST)}
    return meshes, sum(each.vertices.nbytes + each.faces.nbytes for each in meshes.values())


def source(stubs):
    return GrpcMeshSource(stubs.mesh, "lab/x", ask=stubs.get_meshes)


def read_through(server, budgets, *, forever=False):
    """The answers, and how often the proxy cut."""
    with connect(server.address) as direct, cutting_proxy(server.port, budgets, forever=forever) as proxy:
        stubs = Stubs(replace(direct.stubs.server, address=proxy.address))
        try:
            return list(source(stubs).meshes(REQUEST)), proxy.cut_count
        finally:
            stubs.close()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_each_mesh_comes_once_and_whole_wherever_the_stream_is_cut(server, whole, share):
    expected, size = whole
    answers, cuts = read_through(server, [int(size * share), int(size * share / 2)])
    assert cuts >= 1
    assert sorted(each.segment_id for each in answers) == sorted(expected)
    for mesh in answers:
        np.testing.assert_array_equal(mesh.vertices, expected[mesh.segment_id].vertices)
        np.testing.assert_array_equal(mesh.faces, expected[mesh.segment_id].faces)


def test_a_server_that_gets_no_mesh_through_is_given_up(server):
    with pytest.raises(ServerUnreachable):
        read_through(server, [500], forever=True)


class Breaking:
    """The runs of a stub, of which some break after their first message with runs."""

    def __init__(self, call, breaks, messages):
        self._call, self.breaks, self._messages = call, breaks, messages

    def __call__(self, request, timeout=None):
        self._running = self._call(request, timeout=timeout)
        return self

    def __iter__(self):
        for number, message in enumerate(self._running):
            if self.breaks and number == self._messages:
                self.breaks -= 1
                raise Lost
            yield message

    def cancel(self):
        self._running.cancel()


class Lost(grpc.RpcError, grpc.Call):
    """What gRPC raises of a connection that is gone."""

    def code(self):
        return grpc.StatusCode.UNAVAILABLE

    def details(self):
        return "Socket closed"

    def trailing_metadata(self):
        return ()

    add_callback = cancel = initial_metadata = is_active = time_remaining = None


Lost = Lost()


@pytest.mark.parametrize(("messages", "survives"), [(0, True), (2, False)])
def test_runs_are_asked_for_again_only_while_none_came(server, monkeypatch, messages, survives):
    from voxgate.model.segments import SegmentRuns

    with connect(server.address) as client:
        runs = client.open("lab/x").capability(SegmentRuns)
        expected = np.concatenate(list(runs.segment_runs(BALL)))
        broken = Breaking(client.stubs.segment.ReadSegmentVoxels, 1, messages)
        monkeypatch.setattr(client.stubs.segment, "ReadSegmentVoxels", broken)
        if survives:
            again = np.concatenate(list(runs.segment_runs(BALL)))
            assert sorted(map(tuple, again)) == sorted(map(tuple, expected))
        else:
            with pytest.raises(ServerUnreachable):
                list(runs.segment_runs(BALL))
        assert broken.breaks == 0
