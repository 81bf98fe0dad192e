"""Decoders of bytes: ours, and those of libraries behind our checks."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from abuse.fuzzing import Target
from PIL import Image

from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ArrayCodec, ByteCodec, Encoding

_SHAPE = (1, 11, 13, 17)
"""Channels, z, y, x: cuts compressed_segmentation's blocks on every axis."""
_SEGMENTS = (np.arange(np.prod(_SHAPE)) // 29 * 3 + 2**53).astype("<u8").reshape(_SHAPE)
_IMAGE = (np.arange(np.prod(_SHAPE)) % 251).astype("|u1").reshape(_SHAPE)


def targets() -> dict[str, Callable[[], Target]]:
    """Every decoder by name; made when asked for, because seeds take a while."""
    made: dict[str, Callable[[], Target]] = {}
    for array in ArrayCodec:
        for codec in ByteCodec:
            if array in (ArrayCodec.FILL,):
                continue
            made[f"chunk {array.value}+{codec.value}"] = _chunk_target(array, codec)
    made |= {
        "compressed_segmentation, may_hold": _may_hold,
        "framing of cutouts": _cutout_frames,
        "framing of meshes": _mesh_frames,
        "names": _names,
        "gRPC-Web frames": _web_frames,
        "precomputed chunk names": _cells,
        "BossDB blosc, as server": lambda: _boss_body("application/blosc"),
        "BossDB npygz, as server": lambda: _boss_body("application/npygz"),
        "BossDB blosc, as client": _boss_answer,
        "legacy mesh fragment": _legacy_fragment,
        "legacy mesh manifest": _legacy_manifest,
        "multires manifest": _multires_manifest,
        "draco fragment": _draco,
        "precomputed skeleton": _skeleton,
        "DVID runs": _dvid_runs,
        "DVID mesh": _dvid_mesh,
        "DVID skeleton": _dvid_swc,
        "DVID ids": _dvid_ids,
        "HDF5 filters": _hdf5_filters,
        "error details": _statuses,
    }
    return made


def _encoded(array: ArrayCodec) -> bytes:
    from voxgate.wire import segmentation_codec

    if array is ArrayCodec.COMPRESSED_SEGMENTATION:
        return segmentation_codec.encode_segmentation(_SEGMENTS, Vec3(8, 8, 8))
    if array is ArrayCodec.RAW:
        return _IMAGE.tobytes()
    file = io.BytesIO()
    picture = Image.fromarray(_IMAGE.reshape(_SHAPE[1] * _SHAPE[2], _SHAPE[3]))
    picture.save(file, "JPEG" if array is ArrayCodec.JPEG else "PNG")
    return file.getvalue()


def _compressed(data: bytes, codec: ByteCodec) -> bytes:
    from numcodecs import blosc

    from voxgate.wire.byte_codecs import deflate

    return blosc.compress(data, b"lz4", 5, 1) if codec is ByteCodec.BLOSC else bytes(deflate(data, codec))


def _chunk_target(array: ArrayCodec, codec: ByteCodec) -> Callable[[], Target]:
    def make() -> Target:
        from voxgate.wire.encodings import decode

        plain = _encoded(array)
        dtype = np.dtype("<u8" if array is ArrayCodec.COMPRESSED_SEGMENTATION else "|u1")
        encoding = Encoding(array, codec, Vec3(8, 8, 8) if array is ArrayCodec.COMPRESSED_SEGMENTATION else None)
        seeds = [_compressed(plain, codec)]
        if array is ArrayCodec.COMPRESSED_SEGMENTATION:
            import compressed_segmentation  # noqa: F401  (imported before memory is bounded)

        def call(data: bytes) -> object:
            return decode(data, encoding, _SHAPE, dtype)

        # Wounds behind a checksum would be seen by nothing else: half of the inputs are compressed after the wound.
        def vary(rng: Any, seeds: Any) -> bytes:
            from abuse.fuzzing import mutated

            if codec is ByteCodec.NONE or rng.random() < 0.5:
                return mutated(rng, seeds)
            return _compressed(mutated(rng, [plain]) or b"x", codec)

        return Target(call, seeds, vary=vary)

    return make


def _may_hold() -> Target:
    from voxgate.wire.segmentation_codec import may_hold

    seed = _encoded(ArrayCodec.COMPRESSED_SEGMENTATION)
    return Target(lambda data: may_hold(data, _SHAPE, np.dtype("<u8"), Vec3(8, 8, 8), [7, 2**63]), [seed])


def _cutout_frames() -> Target:
    from voxgate.v1 import types_pb2, volume_pb2
    from voxgate.wire.framing import FramedChunk, frame_response, parse_chunk_response, parse_response
    from voxgate.wire.volumes import box_to_proto

    fields = types_pb2.Chunk(box=box_to_proto(Box.of(x=(-7, 9), y=(2, 5), z=(1, 2))), encoding_index=1)
    header, summary = volume_pb2.CutoutHeader(resolved_version="v1"), volume_pb2.CutoutSummary(chunk_count=1)
    seeds = [frame_response([FramedChunk(fields, b"voxels")] * 2, header=header, summary=summary), b""]

    def call(data: bytes) -> None:
        parse_response(data)
        parse_chunk_response(data)

    return Target(call, [frame_response([FramedChunk(fields, b"voxels")], header=header), b""][:1] + seeds[1:])


def _mesh_frames() -> Target:
    from voxgate.model.mesh_stream import MeshPiece
    from voxgate.v1 import mesh_pb2, types_pb2
    from voxgate.wire.mesh_framing import MeshFrame, parse_meshes
    from voxgate.wire.meshes import MeshAssembler

    frame = MeshFrame()
    vertices, faces = np.arange(12, dtype="<f4").reshape(4, 3), np.array([[0, 1, 2], [1, 2, 3]], "<u4")
    frame.part(MeshPiece(2**63 + 7, 0, vertices, faces))
    frame.end(mesh_pb2.MeshEnd(segment_id=2**63 + 7, vertex_count=4, face_count=2))
    frame.progress(types_pb2.Progress())

    def call(data: bytes) -> None:
        assembler = MeshAssembler([2**63 + 7])
        list(assembler.add(parse_meshes(data)))
        assembler.finish()

    return Target(call, [frame.data()])


def _names() -> Target:
    from voxgate.model.names import VolumeName, split_version

    def call(data: bytes) -> None:
        name, _ = split_version(data.decode("utf-8", "surrogateescape"))
        parsed = VolumeName.parse(name)
        assert VolumeName.parse(str(parsed)) == parsed
        assert not any(bad in segment for segment in parsed.segments for bad in ("/", "\\", "\0"))
        assert not {".", ".."} & set(parsed.segments)

    return Target(call, [b"lab/em", b"lab/a%2Eb/%C3%A9~+@v1", b"a-1/x.y/_", b"lab/%25%20"])


def _web_frames() -> Target:
    from voxgate_gateway.web.framing import frame, from_text, only_message, to_text

    def call(data: bytes) -> None:
        (only_message if data[:1] == b"\0" else from_text)(data)

    return Target(call, [frame(b"message"), to_text(frame(b"message")), to_text(b"a") + to_text(b"bc")])


def _cells() -> Target:
    from voxgate_gateway.grid import parse_cell, require_cell

    def call(data: bytes) -> None:
        box = parse_cell(data.decode("latin-1"))
        if box is not None:
            require_cell(box, Box.of(x=(-7, 99), y=(0, 50), z=(3, 40)), Vec3(16, 8, 5))

    return Target(call, [b"-7-9_0-8_3-8", b"9-25_8-16_8-13"])


def _boss_body(media: str) -> Target:
    from voxgate_gateway.bossdb.codecs import decode, encode
    from voxgate_gateway.bossdb.errors import BossError

    voxels = np.ascontiguousarray(_SEGMENTS[0])
    return Target(
        lambda data: decode(data, media, voxels.shape, voxels.dtype),
        [encode(voxels, media)],
        (VoxgateError, BossError),
        vary=_deflated_too if media.endswith("npygz") else None,
    )


def _deflated_too(rng: Any, seeds: Any) -> bytes:
    from abuse.fuzzing import mutated

    if rng.random() < 0.3:
        return mutated(rng, seeds)
    return zlib.compress(mutated(rng, [zlib.decompress(seeds[0])]), 1)


def _boss_answer() -> Target:
    from voxgate_remotes.bossdb.codec import decode, encoded

    voxels = np.ascontiguousarray(_SEGMENTS[0])
    box = Box.at(Vec3(0, 0, 0), Vec3(17, 13, 11))
    return Target(lambda data: decode(data, box, np.empty_like(voxels)), [encoded(voxels)])


def _legacy_fragment() -> Target:
    from voxgate_remotes.precomputed_kept.legacy import parsed_fragment

    return Target(parsed_fragment, [_triangles()])


def _triangles() -> bytes:
    return struct.pack("<I", 4) + np.arange(12, dtype="<f4").tobytes() + np.array([0, 1, 2, 1, 2, 3], "<u4").tobytes()


def _legacy_manifest() -> Target:
    from voxgate_remotes.precomputed_kept.legacy import fragment_names

    return Target(fragment_names, [b'{"fragments": ["12:0:0-1_0-1_0-1", "12:0:1"]}'])


def _multires_manifest() -> Target:
    from voxgate_remotes.precomputed_kept.multires import parsed_manifest

    head = np.array([64, 64, 64, 5, -7, 9], "<f4").tobytes() + struct.pack("<I", 2)
    levels = np.array([1, 2], "<f4").tobytes() + np.zeros(6, "<f4").tobytes() + struct.pack("<2I", 2, 1)
    rows = np.array([[0, 1], [0, 0], [0, 0], [100, 120]], "<u4").tobytes() + np.array([0, 0, 0, 70], "<u4").tobytes()
    return Target(parsed_manifest, [head + levels + rows])


def _draco() -> Target:
    import DracoPy

    from voxgate_remotes.precomputed_kept.draco import decoded

    points = np.array([[0, 0, 0], [9, 0, 1], [0, 9, 2], [9, 9, 3]], np.float32)
    faces = np.array([[0, 1, 2], [1, 3, 2]], np.uint32)
    seed = DracoPy.encode(
        points, faces, quantization_bits=10, quantization_range=1023, quantization_origin=[0, 0, 0], compression_level=5
    )
    return Target(lambda data: decoded(data, 10), [seed])


def _skeleton() -> Target:
    from voxgate_remotes.precomputed_kept.places import parsed_transform
    from voxgate_remotes.precomputed_kept.skeletons import SkeletonParser, parsed_attributes

    stated = {"vertex_attributes": [{"id": "radius", "data_type": "float32", "num_components": 1}]}
    parser = SkeletonParser(parsed_transform([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]), parsed_attributes(stated))
    seed = struct.pack("<II", 3, 2) + np.arange(9, dtype="<f4").tobytes() + np.array([0, 1, 1, 2], "<u4").tobytes()
    return Target(lambda data: parser.parsed(7, data), [seed + np.ones(3, "<f4").tobytes()])


def _dvid_runs() -> Target:
    from voxgate_remotes.dvid.runs import parsed_runs

    return Target(parsed_runs, [struct.pack("<4BII", 0, 3, 0, 0, 0, 2) + struct.pack("<8i", 1, 2, 3, 4, 5, 2, 3, 9)])


def _dvid_mesh() -> Target:
    from voxgate_remotes.dvid.stored import parsed_mesh

    return Target(parsed_mesh, [_triangles()])


def _dvid_swc() -> Target:
    from voxgate_remotes.dvid.stored import parsed_swc

    seed = b"# made\n1 0 1.5 2 3 0.5 -1\n2 0 2 2 3 0.5 1\n3 0 3 2 3 0.5 2\n"
    return Target(lambda data: parsed_swc(data, VoxelSize(8.0, 8.0, 8.0)), [seed])


def _dvid_ids() -> Target:
    from voxgate_remotes.dvid.client import id_list

    return Target(lambda data: id_list(data, 3), [json.dumps([1, 2**63 + 7, 3]).encode()])


def _hdf5_filters() -> Target:
    from voxgate_remotes.hdf5.filters import Filter, Undecodable, decoded

    raw = _IMAGE.tobytes()
    shuffle, deflate = Filter(2, (1,)), Filter(1, (6,))
    return Target(
        lambda data: decoded(data, (shuffle, deflate), len(raw)), [zlib.compress(raw)], (VoxgateError, Undecodable)
    )


def _statuses() -> Target:
    from google.protobuf.message import DecodeError
    from google.rpc import status_pb2

    from voxgate.model.errors import LimitExceeded, ServerBusy
    from voxgate.wire.errors import error_from_status, to_status

    seeds = [
        to_status(LimitExceeded("too many", "ask for less", details={"limit": "7"})).SerializeToString(),
        to_status(ServerBusy("busy", "later", retry_after_s=1.5)).SerializeToString(),
    ]
    return Target(
        lambda data: error_from_status(status_pb2.Status.FromString(data)), seeds, (VoxgateError, DecodeError)
    )
