"""A segmentation behind a real server twice: as voxels that are searched, and as a store that knows its segments."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import grpc
import numpy as np
import pytest

from support.native_segments import ALL, NativeSegments
from support.references import segmentation
from support.servers import OneVolume, volume_server
from voxgate.client.connection import Client, connect
from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import VolumeKind
from voxgate.v1 import segment_pb2_grpc, types_pb2
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import vec3_to_proto
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.registry import Registry

START = Vec3(-9, 5, 100)
VOXELS = segmentation((1, 11, 17, 29))[0]
BOUNDS = Box.at(START, Vec3(29, 17, 11))
PART = Box.of(x=(-4, 13), y=(7, 20), z=(101, 109))
HUGE, ABSENT = 2**63 + 3, 2**63 + 4
SEARCHED = MemoryVolume.from_array(
    VOXELS, voxel_offset=START, kind=VolumeKind.SEGMENTATION, chunk_shape=Vec3(8, 6, 4)
).read_only()
NATIVE, SURROGATE = types_pb2.SERVICE_SUPPORT_NATIVE, types_pb2.SERVICE_SUPPORT_SURROGATE
QUESTIONS = {
    "ids": ("ListSegments", {"ids_only": True}),
    "counts": ("ListSegments", {}),
    "at": ("LookupSegments", {"points": [vec3_to_proto(START)]}),
    "extent": ("GetSegmentBounds", {"segment_ids": [HUGE]}),
}
"""Unary questions: by what a store counts them as, the method and its fields."""
_IMAGE = MemoryVolume.from_array(np.ones((3, 4, 5), "<u2"), kind=VolumeKind.IMAGE).read_only()
_INFO = replace(SEARCHED.info, resolved_version="v7")


@dataclass(frozen=True)
class Served:
    """A server of "plain/…", "native/…" and "image/…", and two ways to ask it."""

    native: NativeSegments
    client: Client
    stub: segment_pb2_grpc.SegmentServiceStub


@contextmanager
def serving() -> Iterator[Served]:
    native = NativeSegments(VOXELS, START, _INFO)
    remotes = {"plain": OneVolume(SEARCHED), "native": OneVolume(native), "image": OneVolume(_IMAGE)}
    with volume_server(Registry(remotes), max_segment_count=50) as server, connect(server.address) as client:
        with grpc.insecure_channel(server.address) as channel:
            yield Served(native, client, segment_pb2_grpc.SegmentServiceStub(channel))


def renewed(native: NativeSegments) -> NativeSegments:
    """The store as it was at first."""
    native.asked.clear()
    native.whole_only, native.powers, native.before_run, native.info = False, ALL, None, _INFO
    return native


def failure(call) -> VoxgateError:
    """The typed error of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return from_rpc_error(caught.value)


def by_numpy(box: Box) -> list[tuple[int, int]]:
    """Ids and voxel counts."""
    ids, counts = np.unique(VOXELS[box.slices_zyx(START)], return_counts=True)
    return [(int(i), int(n)) for i, n in zip(ids, counts, strict=True) if i]


def places(segment_id: int, box: Box = BOUNDS) -> list[tuple[int, int, int]]:
    """Every voxel of a segment, x, y, z; sorted."""
    found = np.argwhere(VOXELS[box.slices_zyx(START)] == np.uint64(segment_id)) + np.array(box.start.zyx)
    return sorted(map(tuple, found[:, ::-1].tolist()))
