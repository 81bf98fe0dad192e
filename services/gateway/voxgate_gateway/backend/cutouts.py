"""Boxes of any place and size, assembled here: every voxel exactly once, or an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.client.cutouts import CutoutAssembler
from voxgate.model.errors import OutOfBounds
from voxgate.model.geometry import Box
from voxgate.model.requests import check_box, check_channels, check_opened, raw_size
from voxgate.model.volumes import LabelView, OpenOptions, Scale, VolumeInfo, Voxels
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.volumes import box_to_proto, label_view_to_proto
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.described import Described

_READ_S = 300.0


@dataclass(frozen=True, slots=True)
class CutoutWish:
    """Voxels to read.

    Attributes:
        box: in voxels of the scale, global coordinates.
        scale: by index.
        channels: which, in this order; None means all.
        time: the time point; None where the volume has no more than one.
        label_view: what segment ids mean.
    """

    box: Box
    scale: int = 0
    channels: tuple[int, ...] | None = None
    time: int | None = None
    label_view: LabelView = LabelView.BODIES

    def channels_of(self, info: VolumeInfo) -> tuple[int, ...]:
        """The channels to read of a volume, all of them named."""
        return check_channels(info, self.channels)

    def byte_count(self, info: VolumeInfo) -> int:
        """The bytes of the raw voxels."""
        return raw_size(info, self.box, len(self.channels_of(info)))


def check_wish(info: VolumeInfo, wish: CutoutWish) -> Scale:
    """The scale that a wish is for, after checking that the volume has what is wished for.

    Raises:
        UnknownScale, EmptyBox, OutOfBounds: for a scale, box, channel or time that it does not have.
        InvalidArgument: for a volume of several times when none was picked.
        MissingCapability: for supervoxels that it does not tell from bodies.
    """
    level = check_box(info, wish.box, wish.scale)
    check_channels(info, wish.channels)
    check_opened(info, OpenOptions(time_index=wish.time, label_view=wish.label_view))
    if wish.time is not None and wish.time >= info.time_count:
        raise OutOfBounds(f"there is no time point {wish.time}", f"the volume has {info.time_count}")
    return level


def read_cutout(calls: Calls, described: Described, wish: CutoutWish) -> Voxels:
    """The voxels of a wish, shape (c, z, y, x), C-order, at the version that is known of the volume.

    Allocates the whole: whoever wishes bounds it before.

    Raises:
        IncompleteAnswer, ChunkCorrupt: when not every voxel came, or one came damaged.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    info = described.info
    voxels = np.empty((len(wish.channels_of(info)), *wish.box.shape.zyx), info.dtype)
    assembler = CutoutAssembler(info, wish.box, voxels)
    if voxels.nbytes <= described.max_chunk_bytes:
        chunk = pb.ReadChunkRequest.FromString(_request(info, wish).SerializeToString())
        assembler.single(calls.unary(calls.servers.read_chunk, chunk))
    else:
        for message in calls.stream(calls.servers.read_cutout, _request(info, wish), _READ_S):
            assembler.response(message)
    return assembler.finish()


def _request(info: VolumeInfo, wish: CutoutWish) -> pb.ReadCutoutRequest:
    """Also a ReadChunkRequest: the two have the same fields under the same numbers."""
    return pb.ReadCutoutRequest(
        volume=info.name,
        version=info.resolved_version,
        scale_index=wish.scale,
        box=box_to_proto(wish.box),
        channels=wish.channels or (),
        time_index=wish.time,
        label_view=label_view_to_proto(wish.label_view),
    )
