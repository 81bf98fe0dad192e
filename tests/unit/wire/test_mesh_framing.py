"""Messages of mesh streams framed by hand are protobuf's, both ways, whatever comes."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.errors import IncompleteAnswer
from voxgate.model.mesh_stream import MeshPiece
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.fields import varint
from voxgate.wire.mesh_framing import MeshFrame, parse_meshes
from voxgate.wire.meshes import MeshAssembler

ids = st.integers(1, 2**64 - 1)


def table(rows, dtype, seed):
    return np.random.default_rng(seed).integers(0, 2**32, (rows, 3)).astype(np.uint32).view(dtype)


def piece_of(segment_id, first, sizes, has_normals, seed):
    vertices, faces = (table(rows, dtype, seed) for rows, dtype in zip(sizes, ("f4", "u4"), strict=True))
    normals = table(sizes[0], "f4", seed + 1) if has_normals else None
    return MeshPiece(segment_id, first, vertices, faces, normals)


pieces = st.builds(
    piece_of,
    ids,
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(0, 9), st.integers(0, 14)),
    st.booleans(),
    st.integers(0, 99),
)
ends = st.builds(
    lambda segment_id, count, version, area: pb.MeshEnd(
        segment_id=segment_id,
        vertex_count=count,
        resolved_version=version,
        statistics=pb.MeshStatistics(surface_nm2=area, watertight=True),
    ),
    ids,
    st.integers(0, 2**40),
    st.text(max_size=5),
    st.floats(0, 1e20),
)
progresses = st.none() | st.builds(lambda n: types_pb2.Progress(phase="meshing", done_bytes=n), st.integers(0, 2**50))
provenances = st.none() | st.builds(lambda name: pb.MeshProvenance(volume=name), st.text(max_size=9))
answers = st.tuples(st.lists(pieces, max_size=4), st.lists(ends, max_size=3), progresses, provenances)


def framed(answer):
    parts, closing, progress, provenance = answer
    frame = MeshFrame()
    for piece in parts:
        frame.part(piece)
    for end in closing:
        frame.end(end)
    if progress is not None:
        frame.progress(progress)
    if provenance is not None:
        frame.provenance(provenance)
    assert frame.count == len(parts) + len(closing)
    assert frame.payload == sum(piece.byte_count for piece in parts)
    return frame.data()


def part_of(piece):
    tables = [piece.vertices, piece.faces] if piece.normals is None else [piece.vertices, piece.normals, piece.faces]
    return pb.MeshPart(
        segment_id=piece.segment_id,
        first_vertex=piece.first_vertex,
        vertex_count=len(piece.vertices),
        face_count=len(piece.faces),
        has_normals=piece.normals is not None,
        data=b"".join(rows.tobytes() for rows in tables),
    )


def whole(framed_part):
    message = pb.MeshPart()
    message.CopyFrom(framed_part.fields)
    message.data = bytes(framed_part.data)
    return message


def same(parsed, message):
    assert [whole(part) for part in parsed.parts] == list(message.parts)
    assert parsed.ends == list(message.ends)
    for name in ("progress", "provenance"):
        assert (getattr(parsed, name) is not None) == message.HasField(name)
        assert getattr(parsed, name) in (None, getattr(message, name))


def same_or_error(data):
    """What protobuf's own class makes of bytes, or an error where it refuses them."""
    try:
        message = pb.GetMeshesResponse.FromString(data)
    except Exception:  # noqa: BLE001  (protobuf's own DecodeError)
        with pytest.raises(IncompleteAnswer):
            parse_meshes(data)
    else:
        same(parse_meshes(data), message)


@given(answer=answers)
def test_what_is_framed_by_hand_is_byte_for_byte_what_the_generated_class_writes(answer):
    parts, closing, progress, provenance = answer
    message = pb.GetMeshesResponse(parts=map(part_of, parts), ends=closing, progress=progress, provenance=provenance)
    data = framed(answer)
    assert data == message.SerializeToString(deterministic=True)
    same(parse_meshes(data), message)


UNKNOWN = (
    varint(9 << 3 | 2) + b"\x03abc",
    varint(30 << 3 | 0) + varint(2**63),
    varint(31 << 3 | 5) + b"1234",
    varint(32 << 3 | 1) + b"12345678",
    varint(33 << 3 | 3) + varint(33 << 3 | 4),
)


@given(
    several=st.lists(answers, min_size=1, max_size=3),
    unknown=st.lists(st.sampled_from(UNKNOWN), max_size=2),
    seed=st.integers(0, 2**16),
)
def test_any_order_repeats_and_unknown_fields_mean_what_protobuf_says(several, unknown, seed):
    """Messages that are joined are one message whose single fields come more than once."""
    shuffled = [framed(answer) for answer in several] + unknown
    random.Random(seed).shuffle(shuffled)
    data = b"".join(shuffled)
    same(parse_meshes(data), pb.GetMeshesResponse.FromString(data))


def test_a_part_with_its_tables_first_twice_or_with_news_is_understood():
    fields = [varint(15 << 3 | 2) + b"\x04abcd", b"\x08" + varint(2**63 + 5), b"\x18\x07"]
    for parts in (fields, [*fields, varint(15 << 3 | 2) + b"\x02zz"], [*fields, varint(7 << 3 | 0) + b"\x01"]):
        part = b"".join(parts)
        data = b"\x0a" + varint(len(part)) + part
        same(parse_meshes(data), pb.GetMeshesResponse.FromString(data))


@settings(max_examples=200)
@given(answer=answers, cut=st.floats(0, 1, exclude_max=True))
def test_bytes_cut_short_are_what_protobuf_makes_of_them_or_an_error(answer, cut):
    data = framed(answer)
    same_or_error(data[: int(len(data) * cut)])


@given(data=st.binary(max_size=60))
def test_noise_is_what_protobuf_makes_of_it_or_an_error(data):
    same_or_error(data)


def test_tables_are_views_of_the_message_and_not_copies():
    data = framed(([piece_of(5, 0, (400, 900), True, 1)], [], None, None))
    view = parse_meshes(data).parts[0].data
    assert isinstance(view, memoryview)
    assert view.obj is data


def test_tables_that_lie_strided_or_in_another_byte_order_arrive_as_what_they_mean():
    plain = piece_of(5, 0, (6, 9), True, 3)
    odd = MeshPiece(
        5, 0, np.repeat(plain.vertices, 2, axis=1)[:, ::2], plain.faces.astype(">u4"), plain.normals.astype(">f4")
    )
    assert framed(([odd], [], None, None)) == framed(([plain], [], None, None))


@given(seed=st.integers(0, 2**16), cuts=st.lists(st.integers(0, 700), max_size=6), has_normals=st.booleans())
def test_segments_that_interleave_are_joined_to_what_was_sent(seed, cuts, has_normals):
    rng = np.random.default_rng(seed)
    sent = {}
    for segment_id, vertex_count, face_count in ((2**63 + 1, 700, 1300), (9, 40, 0)):
        vertices, normals = rng.random((2, vertex_count, 3), np.float32)
        sent[segment_id] = (vertices, normals, rng.integers(0, vertex_count, (face_count, 3)).astype(np.uint32))
    assembler, found = MeshAssembler(list(sent)), {}
    ends_of = [0, *sorted(cuts), 700]
    for start, stop in itertools.pairwise(ends_of):
        frame = MeshFrame()
        for segment_id, (vertices, normals, _) in sent.items():
            rows = slice(start, stop)
            first = len(vertices[:start])
            some = normals[rows] if has_normals else None
            frame.part(MeshPiece(segment_id, first, vertices[rows], np.zeros((0, 3), np.uint32), some))
        assert list(assembler.add(parse_meshes(frame.data()))) == []
    frame = MeshFrame()
    for segment_id, (vertices, normals, faces) in sent.items():
        frame.part(MeshPiece(segment_id, len(vertices), vertices[:0], faces, normals[:0] if has_normals else None))
        frame.end(pb.MeshEnd(segment_id=segment_id, vertex_count=len(vertices), face_count=len(faces)))
    found = {mesh.segment_id: mesh for mesh in assembler.add(parse_meshes(frame.data()))}
    assembler.finish()
    for segment_id, (vertices, normals, faces) in sent.items():
        mesh = found[segment_id]
        assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.uint32)
        assert np.array_equal(mesh.vertices, vertices)
        assert np.array_equal(mesh.faces, faces)
        assert np.array_equal(mesh.normals, normals) if has_normals else mesh.normals is None
