"""Programs in a browser against the whole suite, as bytes over HTTP: the voxels are the stored ones."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pytest

from support.gateways import by_tensorstore, suite_over
from support.servers import SAMPLES
from support.web_calls import call, connect_reason, connect_stream, framed
from voxgate.model.geometry import Box
from voxgate.v1 import mesh_pb2, segment_pb2
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.volumes import box_from_proto, box_to_proto

BOX = Box.of(x=(1089, 1187), y=(2061, 2160), z=(3003, 3104))
READ = "VolumeService/ReadCutout"


@pytest.fixture(scope="module")
def url():
    with suite_over({name: SAMPLES / name for name in ("fib25", "aniso")}) as url:
        yield url


def joined(messages: list[bytes], dtype: str) -> np.ndarray:
    """The voxels (z, y, x) of a cutout's raw chunks, each voxel answered once."""
    answers = [pb.ReadCutoutResponse.FromString(message) for message in messages]
    box = box_from_proto(answers[0].header.box)
    voxels, seen = np.zeros(box.shape.zyx, dtype), np.zeros(box.shape.zyx, int)
    for chunk in (chunk for answer in answers for chunk in answer.chunks):
        part = box_from_proto(chunk.box)
        held = box_from_proto(chunk.data_box) if chunk.HasField("data_box") else part
        codec = answers[0].header.encodings[chunk.encoding_index].array
        data = np.frombuffer(chunk.data or answers[0].header.fill_value, dtype)
        whole = data.reshape(held.shape.zyx) if codec == 1 else np.broadcast_to(data, held.shape.zyx)
        voxels[part.slices_zyx(box.start)] = whole[part.slices_zyx(held.start)]
        seen[part.slices_zyx(box.start)] += 1
    assert (seen == 1).all()
    assert answers[-1].HasField("summary")
    return voxels


def stored(name: str, box: Box) -> np.ndarray:
    (x0, y0, z0), (x1, y1, z1) = box.start, box.stop
    return by_tensorstore((SAMPLES / name).as_uri())[x0:x1, y0:y1, z0:z1, 0].read().result().T


@pytest.mark.parametrize("text", [False, True])
def test_a_cutout_streamed_by_grpc_web_is_what_is_stored(url, text):
    request = pb.ReadCutoutRequest(volume="fib25/seg", scale_index=0, box=box_to_proto(BOX))
    answered = call(url, READ, request.SerializeToString(), text=text)
    assert (answered.code, len(answered.messages) > 2) == (0, True)
    voxels = joined(answered.messages, "<u8")
    assert voxels.any()
    np.testing.assert_array_equal(voxels, stored("fib25/seg", BOX))


def test_the_same_by_connect(url):
    request = pb.ReadCutoutRequest(volume="fib25/em", scale_index=0, box=box_to_proto(BOX))
    answer = httpx.post(
        f"{url}/voxgate.v1.{READ}",
        content=framed(request.SerializeToString()),
        headers={"content-type": "application/connect+proto"},
        timeout=60,
    )
    messages, end = connect_stream(answer)
    assert end == {}
    np.testing.assert_array_equal(joined(messages, "u1"), stored("fib25/em", BOX))


def test_ids_above_two_to_the_63_are_whole_in_json(url):
    box = {"start": {"x": "-24", "y": 41, "z": 12}, "stop": {"x": 39, "y": 88, "z": 32}}
    answer = httpx.post(
        f"{url}/voxgate.v1.SegmentService/ListSegments", json={"volume": "aniso/seg", "box": box}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    ids = {int(segment["segmentId"]) for segment in answer.json()["segments"]}
    labels = stored("aniso/seg", Box.of(x=(-24, 39), y=(41, 88), z=(12, 32)))
    assert ids == set(np.unique(labels[labels > 0]).tolist())
    assert max(ids) > 2**63


def test_a_mesh_is_streamed_to_its_end(url):
    request = segment_pb2.ListSegmentsRequest(volume="fib25/seg", page_size=1, order=1)
    (listed,) = call(url, "SegmentService/ListSegments", request.SerializeToString()).messages
    segment = segment_pb2.ListSegmentsResponse.FromString(listed).segments[0].segment_id
    request = mesh_pb2.GetMeshesRequest(spec=mesh_pb2.MeshSpec(volume="fib25/seg", segment_ids=[segment]))
    answered = call(url, "MeshService/GetMeshes", request.SerializeToString())
    assert answered.code == 0
    answers = [mesh_pb2.GetMeshesResponse.FromString(message) for message in answered.messages]
    (end,) = [end for answer in answers for end in answer.ends]
    assert end.segment_id == segment
    assert end.vertex_count == sum(part.vertex_count for answer in answers for part in answer.parts) > 0


@pytest.mark.parametrize(
    ("volume", "box", "code", "reason"),
    [
        ("fib25/none", BOX, 5, "UNKNOWN_VOLUME"),
        ("nowhere/em", BOX, 5, "UNKNOWN_REMOTE"),
        ("fib25/em", Box.of(x=(0, 9), y=(0, 8), z=(0, 7)), 11, "OUT_OF_BOUNDS"),
        ("fib25/em", Box(BOX.stop, BOX.start), 3, "EMPTY_BOX"),
        ("FIB25/../em", BOX, 3, "MALFORMED_NAME"),
    ],
)
def test_errors_have_their_reasons_in_both_protocols(url, volume, box, code, reason):
    request = pb.ReadCutoutRequest(volume=volume, scale_index=0, box=box_to_proto(box)).SerializeToString()
    answered = call(url, READ, request)
    assert (answered.code, answered.reason, answered.messages) == (code, reason, [])
    headers = {"content-type": "application/connect+proto"}
    answer = httpx.post(f"{url}/voxgate.v1.{READ}", content=framed(request), headers=headers, timeout=60)
    messages, end = connect_stream(answer)
    assert (messages, connect_reason(end["error"])) == ([], reason)
    assert end["error"]["message"] == answered.message


def test_the_server_says_the_same_to_a_browser_as_to_everybody(url):
    answer = httpx.post(f"{url}/voxgate.v1.VolumeService/GetServerInfo", json={}, timeout=60)
    services = {each["service"] for each in json.loads(answer.content)["services"]}
    assert {"voxgate.v1.VolumeService", "voxgate.v1.MeshService", "voxgate.v1.JobService"} <= services
