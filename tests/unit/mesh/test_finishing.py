"""Whole surfaces: fewer triangles, normals, statistics, and the bytes that may be held."""

import os
import signal
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import trimesh

from support.mesh_searches import scaled
from support.mesh_volumes import CountingVolume, blobs, segmentation
from voxgate.model.errors import Cancelled, ChunkCorrupt, InternalError, InvalidArgument, LimitExceeded
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.mesh_facts import Simplification
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext
from voxgate_mesh import finishing
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.computing import compute_segments
from voxgate_mesh.finishing import Finisher
from voxgate_mesh.leveling import Superseded
from voxgate_mesh.measuring import measure
from voxgate_mesh.meshing import MeshingSettings, ScanProgress
from voxgate_mesh.simplifying import Simplified
from voxgate_serving.killable import KillableWorkers
from voxgate_serving.workers import WorkerPool

BALL, TORUS, OTHER = 2**63 + 7, 2**53 + 1, 5
INFO = scaled(np.ones((3, 4, 5), np.uint64)).info


def pieces_of(segment_id, body, count=3):
    """A body as a stream has it: vertices before the faces that need them."""
    vertices, faces = body.vertices.astype(np.float32), body.faces.astype(np.uint32)
    cuts = np.array_split(np.arange(len(vertices)), count)
    last = faces.max(axis=1)
    for cut in cuts:
        now = faces[(last >= cut[0]) & (last <= cut[-1])]
        yield MeshPiece(segment_id, int(cut[0]), vertices[cut], now)


def ended(segment_id, body, **facts):
    known = measure(body.vertices, body.faces, 777)
    return MeshEnding(segment_id, len(body.vertices), len(body.faces), statistics=known, search="index", **facts)


@pytest.fixture(scope="module")
def ball():
    return trimesh.creation.icosphere(4, 500.0)


@pytest.fixture(scope="module")
def torus():
    return trimesh.creation.torus(700.0, 200.0, 48, 32)


def finished(incoming, *, wish=None, normals=False, max_bytes=1 << 30, killable=None, context=None):
    request = MeshRequest((BALL, TORUS), simplification=wish, normals=normals)
    context = context or CallContext()

    def events():
        yield from incoming

    yield from Finisher(INFO, request, max_bytes, context, killable).events(events())


def answers(events):
    pieces, endings, order = {}, {}, []
    for event in events:
        if isinstance(event, MeshPiece):
            assert event.segment_id not in pieces
            pieces[event.segment_id] = event
        elif isinstance(event, MeshEnding):
            assert event.segment_id not in endings
            order.append(event.segment_id)
            endings[event.segment_id] = event
    return pieces, endings, order


def interleaved(ball, torus):
    for one, other in zip(pieces_of(BALL, ball), pieces_of(TORUS, torus), strict=True):
        yield one
        yield other
    yield ended(TORUS, torus)
    yield ended(BALL, ball)


def test_segments_are_answered_whole_with_normals_and_what_was_measured_stays(ball, torus):
    pieces, endings, order = answers(finished(interleaved(ball, torus), normals=True))
    assert order == [TORUS, BALL]
    for segment_id, body in ((BALL, ball), (TORUS, torus)):
        piece = pieces[segment_id]
        assert piece.vertices.tobytes() == body.vertices.astype(np.float32).tobytes()
        assert sorted(map(tuple, piece.faces.tolist())) == sorted(map(tuple, body.faces.tolist()))
        assert endings[segment_id] == ended(segment_id, body)
        inside = (piece.normals * body.vertex_normals).sum(axis=1)
        assert inside.min() > 0.99


@pytest.mark.parametrize("mode", ["quality", "fast"])
def test_simplified_segments_are_measured_anew_and_keep_their_voxel_count(ball, torus, mode):
    wish = Simplification(target_face_count=900, mode=mode)
    pieces, endings, _ = answers(finished(interleaved(ball, torus), wish=wish, normals=True))
    for segment_id, body in ((BALL, ball), (TORUS, torus)):
        piece, ending = pieces[segment_id], endings[segment_id]
        assert len(piece.faces) == ending.face_count <= 900 < len(body.faces)
        assert len(piece.vertices) == len(piece.normals) == ending.vertex_count
        assert ending.statistics == measure(piece.vertices, piece.faces, 777, ending.statistics.error_nm)
        assert ending.statistics.error_nm > 0
        assert ending.statistics.watertight
        assert ending.statistics.volume_nm3 == pytest.approx(body.volume, rel=0.1)
        assert ending.search == "index"


def test_the_error_that_is_allowed_is_kept(ball):
    _, endings, _ = answers(finished([*pieces_of(BALL, ball), ended(BALL, ball)], wish=Simplification(25.0)))
    assert 0 < endings[BALL].statistics.error_nm <= 25
    assert endings[BALL].face_count < len(ball.faces)


def test_what_is_superseded_is_forgotten(ball, torus):
    stream = [*pieces_of(BALL, torus), Superseded(BALL), *pieces_of(BALL, ball), ended(BALL, ball)]
    pieces, _, _ = answers(finished(stream, normals=True))
    assert len(pieces[BALL].vertices) == len(ball.vertices)


def test_a_stored_surface_is_measured_and_one_that_points_nowhere_is_its_own_failure(ball):
    faces = ball.faces.astype(np.uint32)
    broken = faces.copy()
    broken[7, 1] = len(ball.vertices)
    vertices = ball.vertices.astype(np.float32)
    stream = [MeshPiece(OTHER, 0, vertices, broken), MeshEnding(OTHER, 1, 1, origin="stored")]
    stream += [MeshPiece(BALL, 0, vertices, faces), MeshEnding(BALL, len(vertices), len(faces), origin="stored")]
    stream += [MeshEnding(TORUS, error=ChunkCorrupt("cut short"), origin="stored")]
    pieces, endings, _ = answers(finished(stream))
    assert isinstance(endings[OTHER].error, ChunkCorrupt)
    assert set(pieces) == {BALL}
    assert pieces[BALL].normals is None
    assert endings[BALL].statistics == measure(vertices, faces)
    assert endings[BALL].statistics.voxel_count is None
    assert endings[TORUS].error.message == "cut short"


def test_of_too_many_bytes_the_largest_segment_goes_and_names_the_scale_that_fits(ball, torus):
    size = 12 * (len(ball.vertices) + len(ball.faces))
    small = 12 * (len(torus.vertices) + len(torus.faces))
    pieces, endings, _ = answers(finished(interleaved(ball, torus), normals=True, max_bytes=size - 1))
    assert set(pieces) == {TORUS}
    error = endings[BALL].error
    assert isinstance(error, LimitExceeded)
    assert error.details == {"limit": str(size - 1), "asked": str(size), "scale": "1", "scale_key": "1"}
    assert f"{size:,} bytes at scale 0" in error.message
    _, endings, _ = answers(finished(interleaved(ball, torus), normals=True, max_bytes=size + small - 1))
    assert "fewer segments" in endings[BALL].error.remedy
    assert endings[TORUS].error is None
    _, endings, _ = answers(finished(interleaved(ball, torus), normals=True, max_bytes=100))
    assert "no coarser scale" in endings[BALL].error.remedy


def test_a_segment_that_cannot_be_simplified_fails_alone(ball, torus, monkeypatch):
    def refuse(vertices, faces, wish):
        if len(vertices) == len(ball.vertices):
            raise InvalidArgument("no surface", "none")
        return Simplified(vertices, faces, 1.5)

    monkeypatch.setattr("voxgate_mesh.simplifying.simplify", refuse)
    pieces, endings, _ = answers(finished(interleaved(ball, torus), wish=Simplification(9.0)))
    assert set(pieces) == {TORUS}
    assert endings[BALL].error.message == "no surface"
    assert endings[TORUS].statistics.error_nm == 1.5


def test_signs_of_life_go_on_while_a_surface_is_worked_on_and_a_cancel_ends_the_wait(ball, monkeypatch):
    started, go = threading.Event(), threading.Event()

    def wait(vertices, faces, wish):
        started.set()
        assert go.wait(60)
        return Simplified(vertices, faces, 0.0)

    monkeypatch.setattr("voxgate_mesh.simplifying.simplify", wait)
    context = CallContext()
    stream = [*pieces_of(BALL, ball), ended(BALL, ball)]
    events = finished(stream, wish=Simplification(9.0), context=context)
    try:
        told = [next(events) for _ in range(2)]
        assert started.is_set()
        assert {(type(each), each.phase) for each in told} == {(ScanProgress, "simplifying")}
        assert told[0].total_bytes == 12 * (len(ball.vertices) + len(ball.faces))
        context.stop.set()
        with pytest.raises(Cancelled):
            list(events)
    finally:
        go.set()


def kill_own_process(vertices, faces, known, wish, normals):
    os.kill(os.getpid(), signal.SIGKILL)


def test_large_surfaces_are_simplified_in_processes_that_may_die(ball, torus, monkeypatch):
    monkeypatch.setattr(finishing, "MANY_FACES", len(ball.faces))
    workers = KillableWorkers(1)
    try:
        wish = Simplification(target_face_count=900)
        pieces, endings, _ = answers(finished(interleaved(ball, torus), wish=wish, killable=workers))
        inline, _, _ = answers(finished(interleaved(ball, torus), wish=wish))
        assert pieces[BALL].vertices.tobytes() == inline[BALL].vertices.tobytes()
        monkeypatch.setattr(finishing, "finish_surface", kill_own_process)
        _, endings, _ = answers(finished([*pieces_of(BALL, ball), ended(BALL, ball)], wish=wish, killable=workers))
        assert isinstance(endings[BALL].error, InternalError)
        assert "died twice" in endings[BALL].error.message
    finally:
        workers.close()


def test_without_wishes_pieces_pass_as_they_come():
    volume = segmentation(blobs(21))
    settings = MeshingSettings(block_shape=Vec3(9, 8, 7))
    request = MeshRequest((2**63 + 9,))
    run = partial(compute_segments, volume, workers=WorkerPool(0), context=CallContext(), settings=settings)
    streamed = [event for event in run(request) if isinstance(event, MeshPiece)]
    whole = [event for event in run(replace(request, normals=True)) if isinstance(event, MeshPiece)]
    assert len(streamed) > 1 == len(whole)
    assert np.concatenate([piece.vertices for piece in streamed]).tobytes() == whole[0].vertices.tobytes()


def test_an_overflowing_segment_of_a_real_request_fails_and_the_other_is_answered():
    labels = np.zeros((20, 24, 28), np.uint64)
    labels[1:19, 1:23, 1:27], labels[5:8, 5:8, 5:8] = BALL, OTHER
    volume = scaled(labels, (VoxelSize(16.0, 24.0, 160.0),))
    request = MeshRequest((BALL, OTHER), normals=True)
    run = partial(compute_segments, workers=WorkerPool(0), context=CallContext())
    settings = MeshingSettings(MeshLimits(max_file_bytes=40_000))
    pieces, endings, _ = answers(run(volume, request, settings=settings))
    error = endings[BALL].error
    assert isinstance(error, LimitExceeded)
    assert error.details["scale"] == "1"
    assert set(pieces) == {OTHER}
    pieces, endings, _ = answers(run(volume, replace(request, segment_ids=(BALL,), scale=1), settings=settings))
    assert endings[BALL].error is None


def test_nothing_is_read_before_what_can_be_refused_is_refused():
    volume = CountingVolume(segmentation(blobs(3)))
    settings = MeshingSettings()
    for request in (
        MeshRequest((3,), simplification=Simplification()),
        MeshRequest((3,), simplification=Simplification(-1.0)),
        MeshRequest((3,), normals=True, mesher="nope"),
    ):
        with pytest.raises(InvalidArgument):
            compute_segments(volume, request, workers=WorkerPool(0), context=CallContext(), settings=settings)
    assert volume.boxes == []
