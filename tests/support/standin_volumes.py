"""A small VolumeService to test clients of the contract against: arrays in, typed failures on demand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field

import grpc
import numpy as np

from voxgate.model.errors import OutOfBounds, UnknownVolume, VoxgateError
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.names import VolumeName
from voxgate.model.volumes import (
    FILL,
    RAW,
    Channel,
    Scale,
    VolumeFacts,
    VolumeInfo,
    VolumeKind,
    Voxels,
)
from voxgate.v1 import volume_pb2 as pb
from voxgate.v1 import volume_pb2_grpc
from voxgate.wire.errors import DETAILS_KEY, status_code, to_status
from voxgate.wire.volumes import (
    box_from_proto,
    box_to_proto,
    dtype_to_proto,
    encoding_to_proto,
    facts_to_proto,
    fill_to_bytes,
)


@dataclass
class StandIn:
    """Volumes by name: each a description and one (c, z, y, x) array per scale. None as array: all absent.

    `failures` maps a method, or "Method volume-name", to the error it answers.
    """

    volumes: dict[str, tuple[VolumeInfo, list[Voxels | None]]]
    failures: dict[str, VoxgateError] = field(default_factory=dict)
    max_chunk_bytes: int = 2 << 20
    margin: int = 0
    """Voxels by which every data_box sticks out of its box, where the volume goes on."""
    calls: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


class _Servicer(volume_pb2_grpc.VolumeServiceServicer):
    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    def _enter(self, method: str, name: str, context: grpc.ServicerContext) -> None:
        self.stand_in.calls.append(method)
        self.stand_in.metadata = {k: v for k, v in context.invocation_metadata() if isinstance(v, str)}
        failure = self.stand_in.failures.get(method) or self.stand_in.failures.get(f"{method} {name}")
        if failure is not None:
            _fail(failure, context)

    def _find(self, name: str, context: grpc.ServicerContext) -> tuple[VolumeInfo, list[Voxels | None]]:
        if name not in self.stand_in.volumes:
            _fail(UnknownVolume(f"there is no volume {name}", "list the volumes"), context)
        return self.stand_in.volumes[name]

    def GetServerInfo(self, _request, context):  # noqa: N802
        self._enter("GetServerInfo", "", context)
        return pb.GetServerInfoResponse(
            server_id="stand-in", limits=pb.Limits(max_chunk_bytes=self.stand_in.max_chunk_bytes)
        )

    def ListVolumes(self, request, context):  # noqa: N802
        self._enter("ListVolumes", request.parent, context)
        depth = len(request.parent.split("/")) if request.parent else 0
        found: dict[str, bool] = {}
        for name in self.stand_in.volumes:
            parts = name.split("/")
            if "/".join(parts[:depth]) == request.parent and len(parts) > depth:
                found["/".join(parts[: depth + 1])] = len(parts) == depth + 1
        entries = [
            pb.VolumeEntry(name=name, kind=pb.ENTRY_KIND_VOLUME if is_volume else pb.ENTRY_KIND_GROUP)
            for name, is_volume in sorted(found.items())
        ]
        # Pages of one entry, so that whoever forgets to ask for the next page is found out.
        start = int(request.page_token or 0)
        more = str(start + 1) if start + 1 < len(entries) else ""
        return pb.ListVolumesResponse(entries=entries[start : start + 1], next_page_token=more)

    def GetVolume(self, request, context):  # noqa: N802
        self._enter("GetVolume", request.volume, context)
        VolumeName.parse(request.volume)
        return pb.GetVolumeResponse(volume=facts_to_proto(VolumeFacts(self._find(request.volume, context)[0])))

    def ReadChunk(self, request, context):  # noqa: N802
        self._enter("ReadChunk", request.volume, context)
        info, arrays = self._find(request.volume, context)
        bounds, box = info.scales[request.scale_index].bounds, box_from_proto(request.box)
        if not bounds.contains(box):
            _fail(OutOfBounds(f"{box} is outside {bounds}"), context)
        voxels = arrays[request.scale_index]
        channels = list(request.channels) or list(range(info.channel_count))
        header = pb.CutoutHeader(
            data_type=dtype_to_proto(info.dtype),
            box=request.box,
            scale_index=request.scale_index,
            channel_count=len(channels),
            encodings=[encoding_to_proto(RAW), encoding_to_proto(FILL)],
            fill_value=fill_to_bytes(info.fill_value, info.dtype),
        )
        answer = pb.ReadChunkResponse(header=header)
        answer.chunk.box.CopyFrom(request.box)
        if voxels is None:
            answer.chunk.encoding_index = 1
            return answer
        out = Vec3(self.stand_in.margin, self.stand_in.margin, self.stand_in.margin)
        held = Box(box.start - out, box.stop + out).intersection(bounds)
        if held != box:
            answer.chunk.data_box.CopyFrom(box_to_proto(held))
        answer.chunk.data = voxels[(channels, *held.slices_zyx(bounds.start))].tobytes()
        return answer


def _fail(error: VoxgateError, context: grpc.ServicerContext) -> None:
    status = to_status(error)
    context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))
    context.abort(status_code(error), status.message)


@contextlib.contextmanager
def served(stand_in: StandIn, *, port: int = 0) -> Iterator[str]:
    """Serve it on a loopback port, a free one unless it is named; yields "host:port"."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    volume_pb2_grpc.add_VolumeServiceServicer_to_server(_Servicer(stand_in), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def one_scale(key: str, start: Vec3, shape: Vec3, chunk: Vec3, size: VoxelSize | None) -> Scale:
    """A scale whose grid starts at its corner."""
    return Scale(key, Box.at(start, shape), chunk, chunk, start, size)


def image(name: str = "lab/em", **changes: object) -> tuple[VolumeInfo, list[Voxels | None]]:
    """A uint16 image of two scales, unequal sides, at an offset with a negative axis; every voxel differs nearby."""
    scales = (
        one_scale("8_8_33", Vec3(-7, 1000, 21), Vec3(45, 38, 29), Vec3(16, 20, 8), VoxelSize(8.0, 8.0, 33.0)),
        one_scale("16_16_33", Vec3(-3, 500, 21), Vec3(22, 19, 29), Vec3(16, 20, 8), VoxelSize(16.0, 16.0, 33.0)),
    )
    fields = {"dtype": np.dtype("<u2"), "kind": VolumeKind.IMAGE, "scales": scales, **changes}
    info = VolumeInfo(name, **fields)
    return info, [ramp(info, scale) for scale in info.scales]


def segmentation(name: str = "lab/seg") -> tuple[VolumeInfo, list[Voxels | None]]:
    """A uint64 segmentation with ids above 2**63."""
    scale = one_scale("4_4_40", Vec3(100, -20, 7), Vec3(33, 21, 18), Vec3(32, 16, 16), VoxelSize(4.0, 4.0, 40.0))
    info = VolumeInfo(name, np.dtype("<u8"), VolumeKind.SEGMENTATION, (scale,))
    return info, [ramp(info, scale) + np.uint64(2**63 + 5)]


def two_channels(name: str = "lab/two") -> tuple[VolumeInfo, list[Voxels | None]]:
    """A float32 image of two channels."""
    scale = one_scale("s/0", Vec3(3, 2, 1), Vec3(11, 9, 7), Vec3(5, 4, 3), VoxelSize(10.5, 10.5, 40.0))
    info = VolumeInfo(name, np.dtype("<f4"), VolumeKind.IMAGE, (scale,), "czyx", (Channel("a"), Channel("b")))
    return info, [ramp(info, scale)]


def ramp(info: VolumeInfo, scale: Scale) -> Voxels:
    """(c, z, y, x) voxels that differ along every axis."""
    shape = (info.channel_count, *scale.bounds.shape.zyx)
    values = (
        np.arange(int(np.prod(shape)), dtype=np.int64) % 60_013
        if info.dtype.itemsize > 1
        else np.arange(int(np.prod(shape))) % 251
    )
    return values.reshape(shape).astype(info.dtype)


def three_volumes() -> StandIn:
    """A server of an image, a segmentation and a volume of two channels."""
    return StandIn({info.name: (info, arrays) for info, arrays in (image(), segmentation(), two_channels())})
