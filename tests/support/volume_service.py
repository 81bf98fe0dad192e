"""A segmentation in memory behind a real server: the names that tests of the Volume service share."""

import numpy as np
from google.rpc import error_details_pb2, status_pb2

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    Channel,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
)
from voxgate.v1 import volume_pb2
from voxgate.wire.volumes import box_to_proto
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

BOUNDS = Box.of(x=(-7, 96), y=(1000, 1061), z=(30, 77))
GRANULE = Vec3(32, 16, 8)
ELSEWHERE = Box.of(x=(0, 1), y=(0, 1), z=(0, 1))
PAYLOAD_LIMIT = 2 << 20


def spec(dtype="<u8", *, kind=VolumeKind.SEGMENTATION, channels=()):
    level = ScaleSpec(BOUNDS, VoxelSize(4, 4, 40), chunk_shape=GRANULE)
    return VolumeSpec(np.dtype(dtype), kind, (level,), tuple(Channel(name) for name in channels))


def ids(seed=0, bounds=BOUNDS):
    random = np.random.default_rng(seed)
    return random.integers(2**63, 2**64 - 1, bounds.shape.zyx, dtype=np.uint64)


def memory_registry(tmp_path):
    table = {"mem": {"uri": "memory://", "writable": True}, "kept": {"uri": "memory://"}}
    return Registry.from_config(parse_remotes(table, tmp_path))


def cutout(box, **fields):
    return volume_pb2.ReadCutoutRequest(volume="mem/lab/seg", box=box_to_proto(box), **fields)


def reason_of(error):
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "voxgate"
    return info.reason
