"""The stream of GetMeshes, and what a client makes of it."""

import numpy as np
import pytest

from support.mesh_volumes import blobs, meshed, segmentation
from voxgate.model.errors import IncompleteAnswer, InvalidArgument, SegmentNotFound
from voxgate.model.geometry import Box, Vec3
from voxgate.model.mesh_facts import MeshProvenance, MeshStatistics, Simplification
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MESH_FORMATS, MeshFailure, MeshRequest
from voxgate.model.volumes import CallContext, LabelView, OpenOptions
from voxgate.v1 import mesh_pb2 as pb
from voxgate.wire.mesh_framing import MeshFrame, parse_meshes
from voxgate.wire.mesh_requests import (
    mesh_format_from_proto,
    mesh_format_to_proto,
    mesh_request_from_proto,
    mesh_spec_to_proto,
    provenance_to_proto,
)
from voxgate.wire.meshes import MeshAssembler, MeshFacts
from voxgate_mesh.meshing import MeshingSettings, ScanProgress, mesh_segments
from voxgate_mesh.messages import MeshMessages, cut_piece
from voxgate_serving.workers import WorkerPool

SPEC = pb.MeshSpec(volume="lab/seg", version="v", segment_ids=[7], max_error_nm=40.5, normals=True)
PROVENANCE = MeshProvenance("lab/seg", "v7", "0.1.0", {"max_error_nm": 40.5, "normals": True})
FACTS = MeshFacts("v7", "zmesh", provenance_to_proto(PROVENANCE, SPEC))
MEASURED = MeshStatistics(2**53 + 1, 1e12, 0.5, (-4.0, 2.5, 0.0), (9.0, 5.0, 7.0), True, 12.5)
HUGE = 2**63 + 3
TRIANGLE = np.array([[0, 0, 0], [1, 5, 0], [0, 1, 9]], np.float32), np.array([[0, 1, 2]], np.uint32)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def piece(count, segment_id=HUGE, first=0):
    vertices = np.arange(3 * count, dtype=np.float32).reshape(-1, 3)
    faces = np.arange(first, first + 3 * (count // 3), dtype=np.uint32).reshape(-1, 3)
    return MeshPiece(segment_id, first, vertices, faces)


def part(cut):
    """A piece on the wire."""
    frame = MeshFrame()
    frame.part(cut)
    (made,) = pb.GetMeshesResponse.FromString(frame.data()).parts
    return made


def streamed(events, clock=None):
    """The messages of a stream, each of the generated class."""
    return [pb.GetMeshesResponse.FromString(data) for data in MeshMessages(FACTS, clock or Clock()).stream(events)]


def test_what_is_asked_for_survives_the_wire():
    request = MeshRequest(
        (1, HUGE),
        2,
        Box.of(x=(-4, 9), y=(2, 5), z=(0, 7)),
        False,
        "skimage",
        "computed",
        Simplification(40.5, 2**40, "fast"),
        True,
        "pyramid",
    )
    options = OpenOptions(version="abc", time_index=0, label_view=LabelView.SUPERVOXELS)
    spec = pb.MeshSpec.FromString(mesh_spec_to_proto("lab/seg", options, request).SerializeToString())
    assert (spec.volume, spec.version, spec.scale_index, spec.time_index) == ("lab/seg", "abc", 2, 0)
    assert mesh_request_from_proto(spec, 2) == request
    bare = mesh_spec_to_proto("lab/seg", OpenOptions(), MeshRequest((4,)))
    assert not bare.HasField("bounds")
    assert not bare.HasField("time_index")
    assert bare.WhichOneof("scale") is None
    assert mesh_request_from_proto(bare, None) == MeshRequest((4,))


def test_an_unset_border_is_closed_and_an_unknown_one_refused():
    assert mesh_request_from_proto(pb.MeshSpec(segment_ids=[4]), 0).closed
    with pytest.raises(InvalidArgument):
        mesh_request_from_proto(pb.MeshSpec(border=9), 0)  # type: ignore[arg-type]


def test_formats_have_numbers_and_unset_is_refused():
    for fmt in MESH_FORMATS:
        assert mesh_format_from_proto(mesh_format_to_proto(fmt)) == fmt
    with pytest.raises(InvalidArgument):
        mesh_format_from_proto(pb.MESH_FORMAT_UNSPECIFIED)
    with pytest.raises(InvalidArgument, match="dae"):
        mesh_format_to_proto("dae")


def test_a_piece_is_cut_so_that_faces_never_run_ahead_of_vertices():
    whole = piece(100, first=7)
    sent = 7
    cuts = list(cut_piece(whole, max_bytes=130))
    for cut in cuts:
        assert (len(cut.vertices) + len(cut.faces)) * 12 <= 130
        assert cut.first_vertex == sent
        sent += len(cut.vertices)
        assert cut.faces.max(initial=0) < sent
    assert np.array_equal(np.concatenate([cut.vertices for cut in cuts]), whole.vertices)
    assert np.array_equal(np.concatenate([cut.faces for cut in cuts]), whole.faces)


def test_messages_carry_at_most_two_mebibytes_and_join_to_what_was_sent():
    big, small = piece(400_000), piece(9, segment_id=5)
    endings = [
        MeshEnding(HUGE, 400_000, 133_333),
        MeshEnding(5, 9, 3, scale=2, search="index", statistics=MEASURED),
        MeshEnding(6, error=SegmentNotFound("6?")),
    ]
    messages = streamed([small, big, *endings])
    assert len(messages) > 3
    assembler, answers = MeshAssembler([5, 6, HUGE]), {}
    for message in messages:
        assert sum(len(part.data) for part in message.parts) <= 2 << 20
        assert message.ByteSize() < 4_000_000
        answers |= {answer.segment_id: answer for answer in assembler.add(message)}
    assembler.finish()
    assert np.array_equal(answers[HUGE].vertices, big.vertices)
    assert np.array_equal(answers[HUGE].faces, big.faces)
    assert answers[HUGE].faces.dtype == np.uint32
    assert (answers[5].scale, answers[5].resolved_version, answers[5].mesher) == (2, "v7", "zmesh")
    assert (answers[5].search, answers[5].statistics, answers[5].provenance) == ("index", MEASURED, PROVENANCE)
    assert answers[HUGE].statistics is None
    assert isinstance(answers[6].error, SegmentNotFound)


def test_small_parts_share_a_message():
    pieces = [piece(3, segment_id=i + 1) for i in range(500)]
    messages = streamed(pieces)
    assert [len(message.parts) for message in messages] == [1, 499]
    assert [message.HasField("provenance") for message in messages] == [True, False]


def test_many_ends_with_errors_stay_under_the_limit_of_a_message():
    endings = [MeshEnding(i + 1, error=SegmentNotFound("x" * 500)) for i in range(10_000)]
    messages = streamed(endings)
    assert max(message.ByteSize() for message in messages) < 4_000_000
    assert [end.segment_id for message in messages for end in message.ends] == list(range(1, 10_001))


def test_progress_is_told_each_second_and_brings_along_what_is_ready():
    clock = Clock()

    def work():
        for step in range(40):
            clock.now += 0.25
            if step in (20, 23):
                yield piece(3)
            yield ScanProgress("meshing", step, 40)

    messages = streamed(work(), clock)
    assert [message.progress.total_bytes for message in messages] == [40, 40, 40, 40, 40, 0, 40, 40, 40, 40, 40]
    assert [len(message.parts) for message in messages] == [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0]


def test_what_is_ready_waits_for_company_but_not_for_long():
    """Whether it then goes with the next piece, the next end or the next word of progress."""
    clock = Clock()

    def work():
        yield ScanProgress("meshing", 1, 2)
        yield piece(3)
        for step in range(9):
            clock.now += 0.02
            yield [piece(3, 5, 3 * step), MeshEnding(step + 9), ScanProgress("meshing", 1, 2)][step % 3]

    messages = streamed(work(), clock)
    assert [len(message.parts) for message in messages] == [0, 1, 2, 1]
    assert [len(message.ends) for message in messages] == [0, 0, 1, 2]


def response(*parts, ends=()):
    return pb.GetMeshesResponse(parts=parts, ends=ends)


@pytest.mark.parametrize(
    ("message", "match"),
    [
        (response(part(MeshPiece(4, 1, *TRIANGLE))), "starts at vertex 1"),
        (response(part(MeshPiece(5, 0, *TRIANGLE))), "not asked for"),
        (response(pb.MeshPart(segment_id=4, vertex_count=3, face_count=1, data=b"\0" * 47)), "47 bytes"),
        (response(part(MeshPiece(4, 0, TRIANGLE[0][:2], TRIANGLE[1]))), "not sent"),
        (response(ends=[pb.MeshEnd(segment_id=4, vertex_count=3, face_count=1)]), "instead of 3"),
        (response(ends=[pb.MeshEnd(segment_id=4), pb.MeshEnd(segment_id=4)]), "after its end"),
    ],
)
def test_a_stream_that_breaks_the_contract_is_no_answer(message, match):
    with pytest.raises(IncompleteAnswer, match=match):
        list(MeshAssembler([4]).add(message))


def test_a_stream_without_all_ends_is_no_answer():
    assembler = MeshAssembler([4, HUGE])
    assert list(assembler.add(response(part(MeshPiece(4, 0, *TRIANGLE))))) == []
    (done,) = assembler.add(response(ends=[pb.MeshEnd(segment_id=4, vertex_count=3, face_count=1)]))
    assert done.faces.tolist() == [[0, 1, 2]]
    with pytest.raises(IncompleteAnswer, match=str(HUGE)):
        assembler.finish()


def test_a_volume_streamed_and_joined_is_the_volume_meshed():
    labels = blobs(31)
    ids = [*(int(i) for i in np.unique(labels) if i), 77]
    volume, settings = segmentation(labels), MeshingSettings(block_shape=Vec3(5, 6, 7))
    request = MeshRequest(tuple(ids))
    events = mesh_segments(volume, request, workers=WorkerPool(0), context=CallContext(), settings=settings)
    assembler, joined = MeshAssembler(ids), {}
    for message in MeshMessages(FACTS).stream(events):
        joined |= {answer.segment_id: answer for answer in assembler.add(parse_meshes(message))}
    assembler.finish()
    for segment_id, mesh in meshed(volume, ids, block=Vec3(5, 6, 7)).items():
        if isinstance(mesh, MeshFailure):
            assert isinstance(joined[segment_id].error, type(mesh.error))
        else:
            assert joined[segment_id].vertices.tobytes() == mesh.vertices.tobytes()
            assert joined[segment_id].faces.tobytes() == mesh.faces.tobytes()
