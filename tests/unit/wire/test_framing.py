import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.errors import IncompleteAnswer
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire.framing import (
    FramedChunk,
    frame_chunk_response,
    frame_response,
    parse_chunk_response,
    parse_response,
)

coordinates = st.integers(-(2**62), 2**62)
vectors = st.builds(lambda x, y, z: types_pb2.Vec3(x=x, y=y, z=z), coordinates, coordinates, coordinates)
boxes = st.builds(lambda a, b: types_pb2.Box(start=a, stop=b), vectors, vectors)
payloads = st.binary(max_size=300)


def small_chunk(box, data_box, index, crc):
    chunk = types_pb2.Chunk(box=box, encoding_index=index)
    if data_box is not None:
        chunk.data_box.CopyFrom(data_box)
    if crc is not None:
        chunk.crc32c = crc
    return chunk


smalls = st.builds(
    small_chunk, boxes, st.none() | boxes, st.integers(0, 2**32 - 1), st.none() | st.integers(0, 2**32 - 1)
)
framed = st.builds(FramedChunk, smalls, payloads)
headers = st.none() | st.builds(
    lambda version, box: volume_pb2.CutoutHeader(resolved_version=version, box=box), st.text(max_size=9), boxes
)
summaries = st.none() | st.builds(
    lambda count, size: volume_pb2.CutoutSummary(chunk_count=count, size_bytes=size),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)


def whole(chunk):
    message = types_pb2.Chunk()
    message.CopyFrom(chunk.fields)
    message.data = bytes(chunk.data)
    return message


def message_of(header, chunks, summary):
    message = volume_pb2.ReadCutoutResponse(chunks=[whole(chunk) for chunk in chunks])
    if header is not None:
        message.header.CopyFrom(header)
    if summary is not None:
        message.summary.CopyFrom(summary)
    return message


def same(parsed, message):
    assert (parsed.header is not None) == message.HasField("header")
    assert parsed.header is None or parsed.header == message.header
    assert parsed.summary is None or parsed.summary == message.summary
    assert (parsed.summary is not None) == message.HasField("summary")
    assert (parsed.progress is not None) == message.HasField("progress")
    assert [whole(chunk) for chunk in parsed.chunks] == list(message.chunks)


@given(header=headers, chunks=st.lists(framed, max_size=4), summary=summaries)
def test_what_is_framed_by_hand_is_byte_for_byte_what_the_generated_class_writes(header, chunks, summary):
    data = frame_response(chunks, header=header, summary=summary)
    message = message_of(header, chunks, summary)
    assert data == message.SerializeToString(deterministic=True)
    same(parse_response(data), message)


@given(header=headers, chunks=st.lists(framed, max_size=4), summary=summaries)
def test_what_the_generated_class_writes_is_parsed_by_hand(header, chunks, summary):
    message = message_of(header, chunks, summary)
    message.progress.phase = "reading"
    same(parse_response(message.SerializeToString()), message)


@given(chunk=framed, header=headers.filter(lambda header: header is not None))
def test_a_single_chunk_response_likewise(chunk, header):
    data = frame_chunk_response(header, chunk)
    message = volume_pb2.ReadChunkResponse(header=header, chunk=whole(chunk))
    assert data == message.SerializeToString(deterministic=True)
    parsed = parse_chunk_response(message.SerializeToString())
    assert parsed.header == header
    assert whole(parsed.chunks[0]) == message.chunk


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def fields_of(data):
    """The top-level fields of a message made of length-delimited ones only."""
    at, found = 0, []
    while at < len(data):
        start = at
        at += 1
        length, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        at += length
        found.append(data[start:at])
    return found


unknown_fields = st.sampled_from(
    [
        varint(9 << 3 | 2) + b"\x03abc",
        varint(30 << 3 | 0) + varint(2**63),
        varint(31 << 3 | 5) + b"1234",
        varint(32 << 3 | 1) + b"12345678",
        varint(33 << 3 | 3) + varint(33 << 3 | 4),
    ]
)


@given(
    header=headers,
    chunks=st.lists(framed, max_size=3),
    summary=summaries,
    unknown=st.lists(unknown_fields, max_size=2),
    seed=st.integers(0, 2**16),
)
def test_any_order_repeats_and_unknown_fields_mean_what_protobuf_says(header, chunks, summary, unknown, seed):
    fields = fields_of(frame_response(chunks, header=header, summary=summary))
    singles = [field for field in fields if field[0] >> 3 != 2]
    shuffled = [*fields, *unknown, *singles[:1]]
    random.Random(seed).shuffle(shuffled)
    data = b"".join(shuffled)
    same(parse_response(data), volume_pb2.ReadCutoutResponse.FromString(data))


def test_a_chunk_with_its_payload_first_twice_or_with_news_is_understood():
    box = types_pb2.Box(start=types_pb2.Vec3(x=-5), stop=types_pb2.Vec3(x=7, y=3, z=2))
    inside = [
        varint(15 << 3 | 2) + b"\x04abcd",
        b"\x0a" + varint(len(box.SerializeToString())) + box.SerializeToString(),
        b"\x18\x07",
    ]
    for parts in (inside, [*inside, varint(15 << 3 | 2) + b"\x02zz"], [*inside, varint(7 << 3 | 0) + b"\x01"]):
        chunk = b"".join(parts)
        data = b"\x12" + varint(len(chunk)) + chunk
        same(parse_response(data), volume_pb2.ReadCutoutResponse.FromString(data))


@settings(max_examples=200)
@given(chunks=st.lists(framed, min_size=1, max_size=3), header=headers, cut=st.floats(0, 1, exclude_max=True))
def test_bytes_cut_short_are_what_protobuf_makes_of_them_or_an_error(chunks, header, cut):
    data = frame_response(chunks, header=header)
    short = data[: int(len(data) * cut)]
    try:
        message = volume_pb2.ReadCutoutResponse.FromString(short)
    except Exception:  # noqa: BLE001  (protobuf's own DecodeError)
        with pytest.raises(IncompleteAnswer):
            parse_response(short)
    else:
        same(parse_response(short), message)


@given(data=st.binary(max_size=60))
def test_noise_is_what_protobuf_makes_of_it_or_an_error(data):
    try:
        message = volume_pb2.ReadCutoutResponse.FromString(data)
    except Exception:  # noqa: BLE001  (protobuf's own DecodeError)
        with pytest.raises(IncompleteAnswer):
            parse_response(data)
    else:
        same(parse_response(data), message)


def test_payloads_are_views_of_the_message_and_not_copies():
    box = types_pb2.Box(stop=types_pb2.Vec3(x=1, y=1, z=1))
    data = frame_response([FramedChunk(types_pb2.Chunk(box=box), memoryview(b"x" * 1000))])
    view = parse_response(data).chunks[0].data
    assert isinstance(view, memoryview)
    assert view.obj is data
