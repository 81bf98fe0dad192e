"""Skeletons computed by a Mesh server that has kimimaro, against kimimaro on the whole array; and without it."""

import contextlib
import re
import time
from dataclasses import dataclass

import grpc
import numpy as np
import psutil
import pytest
from scipy.ndimage import label

from support.house import ROOT
from support.peers import beside_our_rooms, peer_python, run_peer
from support.servers import SAMPLES, server_process, settings, volume_server
from tools.demo_references import read_precomputed
from voxgate.client.connection import connect
from voxgate.model.errors import InvalidArgument, MissingCapability, SegmentNotFound
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.skeletons import Skeleton, SkeletonFailure, SkeletonRequest, SkeletonSource
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.v1 import skeleton_pb2_grpc
from voxgate_mesh.service import registrations
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_serving.workers import WorkerPool

FORKED, PARTED, RING, ABSENT = 2**53 + 1, 2**63 + 9, 7, 12345
MADE = (FORKED, PARTED, RING)
START = Vec3(-31, 2050, 17)
SIZE = VoxelSize(4.0, 6.0, 40.0)
TEASAR = (1.2, 50.0)
BODY_COUNT = 3


def made():
    """A fork of three arms; two rods and a voxel alone; a ring that touches a border of the volume."""
    z, y, x = np.indices((28, 57, 75))
    voxels = np.zeros(z.shape, np.uint64)
    for (x0, y0, z0), (x1, y1, z1) in [
        ((8, 25, 13), (38, 27, 14)),
        ((38, 27, 14), (66, 50, 20)),
        ((38, 27, 14), (64, 6, 5)),
    ]:
        for t in np.linspace(0.0, 1.0, 120):
            there = [a + t * (b - a) for a, b in ((x0, x1), (y0, y1), (z0, z1))]
            voxels[((x - there[0]) / 4) ** 2 + ((y - there[1]) / 3) ** 2 + ((z - there[2]) / 1.5) ** 2 <= 1] = FORKED
    voxels[2:5, 40:52, 4:9] = PARTED
    voxels[22:26, 4:9, 3:40] = PARTED
    voxels[24, 40, 40] = PARTED
    radius = np.hypot(x - 14, y - 40)
    voxels[(np.abs(radius - 10) <= 2.5) & (z >= 24)] = RING
    return voxels


@dataclass
class Truth:
    """An array, where it begins, and what kimimaro says of the whole of it."""

    labels: np.ndarray
    start: Vec3
    size: VoxelSize
    told: dict

    @property
    def ids(self):
        return [int(each) for each in self.told]

    def voxels_of(self, skeleton):
        """The indices x, y, z of the voxels at whose centres its vertices are."""
        indices = skeleton.vertices.astype(float) / np.array(tuple(self.size)) - np.array(tuple(self.start)) - 0.5
        np.testing.assert_allclose(indices, np.rint(indices), atol=0.02)
        return np.rint(indices).astype(int)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """The remotes, with a volume in small chunks and one in large ones, and what kimimaro says of it and the sample."""
    folder = tmp_path_factory.mktemp("skeletons")
    tables = {
        "samples": {"uri": SAMPLES.as_uri()},
        "made": {"uri": folder.as_uri() + "/made", "writable": True, "format": "precomputed"},
    }
    (folder / "made").mkdir()
    registry = Registry.from_config(parse_remotes(tables, folder))
    labels = made()
    bounds = Box.at(START, Vec3.from_zyx(labels.shape))
    for name, chunk in (("small", Vec3(8, 8, 8)), ("large", Vec3(64, 64, 64))):
        level = ScaleSpec(bounds, SIZE, chunk_shape=chunk)
        spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level,))
        registry.create(f"made/{name}", spec).capability(Writable).write(bounds, labels[None])
    body = read_precomputed(SAMPLES / "fib25/seg", 0)
    ids, counts = np.unique(body, return_counts=True)
    largest = ids[np.argsort(counts)[-BODY_COUNT:]]
    np.savez(
        folder / "made.npz", labels=labels, ids=np.array(MADE, np.uint64), voxel_size_nm=tuple(SIZE), teasar=TEASAR
    )
    np.savez(folder / "body.npz", labels=body, ids=largest, voxel_size_nm=(10.0, 10.0, 10.0), teasar=(1.5, 300.0))
    told = run_peer("skeletons", "skeletons_whole.py", folder, "made", "body")
    return (
        folder,
        tables,
        Truth(labels, START, SIZE, told["made"]),
        Truth(body, Vec3(1088, 2056, 3000), VoxelSize(10.0, 10.0, 10.0), told["body"]),
    )


@pytest.fixture(scope="module")
def mesh_server(volumes):
    """`python -m voxgate_mesh` in the environment with the extra."""
    folder, tables, *_ = volumes
    lines = [f'[remotes.{name}]\nuri = "{table["uri"]}"\n' for name, table in tables.items()]
    config = folder / "voxgate.toml"
    config.write_text("\n".join([*lines, "[server]\nworker_processes = 1\nmax_skeleton_voxel_count = 2500000\n"]))
    python = peer_python("skeletons")
    with server_process("voxgate_mesh", config, folder / "log", beside_our_rooms(), python=python) as server:
        yield server


@pytest.fixture(scope="module")
def client(volumes, mesh_server):
    folder, tables, *_ = volumes
    registry = Registry.from_config(parse_remotes(tables, folder))
    with volume_server(registry, mesh_address=mesh_server.address) as server, connect(server.address) as connected:
        yield connected


@pytest.fixture(scope="module")
def made_skeletons(client):
    teasar = {"teasar_scale": TEASAR[0], "teasar_const_nm": TEASAR[1]}
    return {
        name: {each.segment_id: each for each in client.volume(name).skeletons(MADE, **teasar)}
        for name in ("made/small", "made/large")
    }


def check_against(truth, skeletons):
    for segment_id, skeleton in skeletons.items():
        told = truth.told[str(segment_id)]
        assert skeleton.origin == "computed"
        x, y, z = truth.voxels_of(skeleton).T
        assert set(truth.labels[z, y, x].tolist()) == {segment_id}
        assert skeleton.length_nm == pytest.approx(told["length"], rel=0.05)
        assert skeleton.radii.max() == pytest.approx(told["radius"], rel=0.05)


def test_a_skeleton_is_that_of_the_whole_array_in_the_global_frame(volumes, made_skeletons):
    truth = volumes[2]
    for skeletons in made_skeletons.values():
        check_against(truth, skeletons)


def test_there_is_one_tree_for_each_connected_part_whatever_the_stored_blocks(made_skeletons):
    for skeletons in made_skeletons.values():
        assert {i: each.tree_count for i, each in skeletons.items()} == {FORKED: 1, PARTED: 3, RING: 1}
        for each in skeletons.values():
            assert len(each.edges) == len(each.vertices) - each.tree_count  # no ring
    small, large = made_skeletons["made/small"], made_skeletons["made/large"]
    for segment_id, one in small.items():
        np.testing.assert_array_equal(one.vertices, large[segment_id].vertices)
        np.testing.assert_array_equal(one.edges, large[segment_id].edges)


def test_the_skeletons_of_real_bodies_are_those_of_the_whole_array(volumes, client):
    truth = volumes[3]
    found = client.volume("samples/fib25/seg").skeletons(truth.ids)
    check_against(truth, {each.segment_id: each for each in found})
    parts = [label(truth.labels == segment_id, np.ones((3, 3, 3)))[1] for segment_id in truth.ids]
    assert max(parts) > 1
    assert [each.tree_count for each in found] == parts
    assert {each.scale for each in found} == {0}


def test_a_coarser_scale_is_read_when_it_is_asked_for(volumes, client):
    truth = volumes[3]
    (segment_id, *_) = truth.ids
    fine, coarse = (client.volume("samples/fib25/seg").skeleton(segment_id, scale=i) for i in (0, "20_20_20"))
    assert (fine.scale, coarse.scale) == (0, 1)
    assert coarse.length_nm == pytest.approx(fine.length_nm, rel=0.25)
    indices = coarse.vertices.astype(float) / 20 - 0.5
    np.testing.assert_array_equal(indices, np.rint(indices))


def stream(mesh_server, **fields):
    with grpc.insecure_channel(mesh_server.address) as channel:
        stub = skeleton_pb2_grpc.SkeletonServiceStub(channel)
        return list(stub.GetSkeletons(pb.GetSkeletonsRequest(volume="made/small", **fields), timeout=120))


def test_an_absent_segment_has_its_reason_in_its_end_and_the_others_come(mesh_server, made_skeletons):
    messages = stream(mesh_server, segment_ids=[ABSENT, PARTED], teasar=pb.TeasarParameters(scale=1.2, const_nm=50.0))
    ends = {end.segment_id: end for message in messages for end in message.ends}
    assert set(ends) == {ABSENT, PARTED}
    assert ends[ABSENT].error.reason == "SEGMENT_NOT_FOUND"
    expected = made_skeletons["made/small"][PARTED]
    end = ends[PARTED]
    assert not end.HasField("error")
    assert (end.origin, end.scale_index, end.tree_count) == (pb.SKELETON_ORIGIN_COMPUTED, 0, 3)
    assert (end.vertex_count, end.edge_count) == (len(expected.vertices), len(expected.edges))
    assert end.length_nm == pytest.approx(expected.length_nm)
    assert any(message.HasField("progress") for message in messages)


def exported(mesh_server, fmt, **fields):
    with grpc.insecure_channel(mesh_server.address) as channel:
        stub = skeleton_pb2_grpc.SkeletonServiceStub(channel)
        spec = pb.GetSkeletonsRequest(volume="made/small", **fields)
        return list(stub.ExportSkeleton(pb.ExportSkeletonRequest(spec=spec, format=fmt), timeout=120))


def test_a_skeleton_is_exported_as_swc_with_a_root_for_each_tree(mesh_server, made_skeletons):
    messages = exported(
        mesh_server, pb.SKELETON_FORMAT_SWC, segment_ids=[PARTED], teasar={"scale": 1.2, "const_nm": 50}
    )
    header = next(message.header for message in messages if message.HasField("header"))
    assert (header.media_type, header.file_extension) == ("text/plain", "swc")
    rows = b"".join(message.data for message in messages).decode().splitlines()
    nodes = [line.split() for line in rows if not line.startswith("#")]
    expected = made_skeletons["made/small"][PARTED]
    assert len(nodes) == len(expected.vertices)
    assert [node[6] for node in nodes].count("-1") == 3
    places = {tuple(map(float, node[2:5])) for node in nodes}
    assert places == {tuple(map(float, vertex)) for vertex in expected.vertices}
    assert messages[-1].end.tree_count == 3


def test_a_skeleton_is_exported_as_precomputed_bytes_that_cloud_volume_reads(mesh_server, made_skeletons):
    from cloudvolume import Skeleton as Theirs

    fields = {"segment_ids": [FORKED], "teasar": {"scale": 1.2, "const_nm": 50}}
    data = b"".join(message.data for message in exported(mesh_server, pb.SKELETON_FORMAT_PRECOMPUTED, **fields))
    radius = {"id": "radius", "data_type": "float32", "num_components": 1}
    theirs = Theirs.from_precomputed(data, segid=FORKED, vertex_attributes=[radius])
    ours = made_skeletons["made/small"][FORKED]
    np.testing.assert_array_equal(theirs.vertices, ours.vertices)
    np.testing.assert_array_equal(theirs.edges, ours.edges)
    np.testing.assert_array_equal(theirs.radius, ours.radii)


def test_the_work_is_killed_when_whoever_asked_leaves(volumes, mesh_server, made_skeletons):
    truth = volumes[3]
    endless = pb.TeasarParameters(scale=0.0, const_nm=0.0)  # a path for every voxel
    request = pb.GetSkeletonsRequest(volume="samples/fib25/seg", segment_ids=truth.ids[-1:], teasar=endless)
    with grpc.insecure_channel(mesh_server.address) as channel:
        call = skeleton_pb2_grpc.SkeletonServiceStub(channel).GetSkeletons(request, timeout=280)
        assert any(message.progress.phase == "skeletonizing" for message in call)
        running = psutil.Process(mesh_server.process.pid).children(recursive=True)
        call.cancel()
    until = time.monotonic() + 30  # a worker without work would live on for a minute
    while all(process.is_running() for process in running):
        assert time.monotonic() < until, "nothing was killed"
        time.sleep(0.05)
    again = stream(mesh_server, segment_ids=[RING])
    assert [end.tree_count for message in again for end in message.ends] == [1]


@pytest.mark.parametrize(("fmt", "ids"), [(0, [FORKED]), (1, [FORKED, PARTED]), (1, []), (1, [ABSENT])])
def test_what_is_no_file_of_one_skeleton_is_refused(mesh_server, fmt, ids):
    with pytest.raises(grpc.RpcError) as caught:
        exported(mesh_server, fmt, segment_ids=ids)
    expected = grpc.StatusCode.NOT_FOUND if ids == [ABSENT] else grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.code() == expected


def test_what_cannot_be_asked_for_is_refused(client):
    array = client.volume("made/small")
    with pytest.raises(InvalidArgument, match="no scale or parameters"):
        array.skeleton(FORKED, source="stored", teasar_scale=2.0)
    with pytest.raises(InvalidArgument, match="no source of skeletons"):
        array.skeleton(FORKED, source="elsewhere")
    with pytest.raises(InvalidArgument, match="no TEASAR"):
        array.skeleton(FORKED, teasar_const_nm=-1.0)
    with pytest.raises(MissingCapability, match="keeps no skeletons"):
        array.skeleton(FORKED, source="stored")
    with pytest.raises(SegmentNotFound):
        array.skeleton(ABSENT)
    assert array.skeletons([]) == []


@contextlib.contextmanager
def without_the_extra(registry, **overrides):
    """A Mesh server of this environment, which has no kimimaro."""
    chosen = settings(**overrides)
    server = start_server(registrations(registry, chosen, workers=WorkerPool(0)), chosen)
    try:
        yield server
    finally:
        server.stop(1.0)


def test_the_example_of_the_how_to_runs(volumes, client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/how-to/skeletons.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    one, two, three = volumes[3].ids
    block = block.replace("8675309", str(one)).replace("[12, 34]", f"[{two}, {three}]")
    names = {"seg": client.volume("samples/fib25/seg")}
    exec(compile(block, str(page), "exec"), names)
    assert (names["skeleton"].segment_id, names["skeleton"].origin) == (one, "computed")
    assert len((tmp_path / "body.swc").read_text().splitlines()) > len(names["skeleton"].vertices) > 10


def test_a_server_without_the_extra_says_how_to_get_it(volumes):
    folder, tables, *_ = volumes
    registry = Registry.from_config(parse_remotes(tables, folder))
    with (
        without_the_extra(registry) as mesh,
        volume_server(registry, mesh_address=mesh.address) as server,
        connect(server.address) as connected,
    ):
        volume = connected.volume("made/small")
        assert {offer.name: offer.support for offer in volume.volume.info.services}["skeletons"] == "surrogate"
        with pytest.raises(MissingCapability, match="computes no skeletons") as caught:
            volume.skeleton(FORKED)
        assert "voxgate-mesh[skeletons]" in caught.value.remedy


def test_a_chained_server_without_the_extra_has_them_computed_where_it_is(volumes, mesh_server, client, made_skeletons):
    folder, tables, *_ = volumes
    far = Registry.from_config(parse_remotes(tables, folder))
    with volume_server(far, mesh_address=mesh_server.address) as far_server:
        next_door = {"uri": f"voxgate://{far_server.address}", "options": {"mesh": mesh_server.address}}
        near = Registry.from_config(parse_remotes({"next": next_door}, folder))
        with (
            without_the_extra(near) as mesh,
            volume_server(near, mesh_address=mesh.address) as server,
            connect(server.address) as connected,
        ):
            source = connected.open("next/made/small").capability(SkeletonSource)
            answers = {each.segment_id: each for each in source.skeletons(SkeletonRequest((RING, ABSENT)))}
    assert isinstance(answers[RING], Skeleton)
    assert answers[RING].origin == "computed"
    assert isinstance(answers[ABSENT], SkeletonFailure)
    assert isinstance(answers[ABSENT].error, SegmentNotFound)
