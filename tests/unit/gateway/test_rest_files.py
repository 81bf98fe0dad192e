"""Files of meshes that come as they are made: never held whole, never cut short unnoticed, never made for nobody."""

from __future__ import annotations

import itertools
import time

import grpc
import httpx
import pytest

from support.rest import on, problem_of
from support.standin_volumes import segmentation
from support.web_calls import gateway_to, telling
from voxgate.model.volumes import VolumeFacts
from voxgate.v1 import mesh_pb2, types_pb2, volume_pb2
from voxgate.wire.volumes import facts_to_proto

MESH = on("lab/seg", "segments/9223372036854775813/mesh.ply")
PIECE = bytes(range(256)) * 4096  # a megabyte
HEADER = mesh_pb2.ExportMeshResponse(header=mesh_pb2.ExportMeshHeader(media_type="model/ply", file_extension="ply"))
DATA = mesh_pb2.ExportMeshResponse(data=PIECE)
BUSY = mesh_pb2.ExportMeshResponse(progress=types_pb2.Progress(phase="meshing"))
END = mesh_pb2.ExportMeshResponse(ends=[mesh_pb2.MeshEnd(segment_id=2**63 + 5)])


def behind(act):
    """What a volume server and a Mesh service answer; `act` yields the messages of the file."""
    facts = VolumeFacts(segmentation()[0])
    where = [volume_pb2.ServiceEndpoint(service="voxgate.v1.MeshService")]

    def export(request, context):
        asked = mesh_pb2.ExportMeshRequest.FromString(request)
        assert list(asked.spec.segment_ids) == [2**63 + 5]
        for message in act(context):
            yield message.SerializeToString()

    return {
        "VolumeService/GetServerInfo": telling(volume_pb2.GetServerInfoResponse(services=where)),
        "VolumeService/GetVolume": telling(volume_pb2.GetVolumeResponse(volume=facts_to_proto(facts))),
        "MeshService/ExportMesh": export,
    }


@pytest.fixture
def http():
    with httpx.Client(timeout=60) as client:
        yield client


def test_the_file_is_what_came_in_its_order(http):
    last = mesh_pb2.ExportMeshResponse(data=b"last")
    with gateway_to(behind(lambda _: [BUSY, HEADER, DATA, BUSY, last, END])) as (_, gateway):
        answer = http.get(gateway.url + MESH)
    assert answer.content == PIECE + b"last"
    assert answer.headers["content-type"] == "model/ply"


def ending_early(context, *, error):
    yield from (HEADER, DATA)
    if error:
        context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


@pytest.mark.parametrize("error", [True, False])
def test_a_file_that_breaks_off_is_nobody_s_whole(http, error):
    with gateway_to(behind(lambda context: ending_early(context, error=error))) as (_, gateway):
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(gateway.url + MESH)
        # The gateway lives.
        assert http.get(gateway.url + on("lab/seg", "info")).status_code == 200


@pytest.mark.parametrize(
    ("code", "status"), [("UNAVAILABLE", 503), ("RESOURCE_EXHAUSTED", 503), ("NOT_FOUND", 404), ("INTERNAL", 502)]
)
def test_what_goes_wrong_before_the_first_byte_has_a_status(http, code, status):
    def act(context):
        yield BUSY
        context.abort(grpc.StatusCode[code], "no")

    with gateway_to(behind(act)) as (_, gateway):
        assert problem_of(http.get(gateway.url + MESH))["status"] == status


def test_a_file_without_anything_in_it_is_a_failure(http):
    with gateway_to(behind(lambda _: [BUSY])) as (_, gateway):
        assert problem_of(http.get(gateway.url + MESH))["reason"] == "INCOMPLETE_ANSWER"


def test_a_reader_that_leaves_ends_the_making(http):
    def act(context):
        yield HEADER
        yield from itertools.takewhile(lambda _: context.is_active(), itertools.repeat(DATA))

    with gateway_to(behind(act)) as (script, gateway):
        with http.stream("GET", gateway.url + MESH) as answer:
            next(answer.iter_raw())
            script.ended.clear()
        assert script.ended.wait(60)


def test_a_reader_that_does_not_read_stops_the_making(http):
    made = []

    def act(_context):
        yield HEADER
        for number in range(200):
            made.append(number)
            yield DATA
        yield END

    with gateway_to(behind(act)) as (_, gateway), http.stream("GET", gateway.url + MESH) as answer:
        before = -1
        while before != len(made):
            before = len(made)
            time.sleep(0.5)
        # Buffers on the way are full, and 200 megabytes are nowhere.
        assert before < 150
        assert sum(map(len, answer.iter_raw())) == 200 * len(PIECE)


def test_head_makes_the_file_and_sends_nothing_of_it(http):
    with gateway_to(behind(lambda _: [HEADER, DATA, END])) as (_, gateway):
        answer = http.head(gateway.url + MESH)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", "model/ply")
