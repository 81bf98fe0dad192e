"""What changes volumes: writing boxes, creating and deleting; and which remotes take it."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.client.cutouts import check_written, write_messages
from voxgate.model.geometry import Box
from voxgate.model.requests import check_write
from voxgate.model.volumes import VolumeSpec, Voxels
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.volumes import box_to_proto, dtype_to_proto, spec_to_proto
from voxgate_gateway.backend.calls import Calls, typed_errors
from voxgate_gateway.backend.described import Described

_WRITE_S = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where voxels go.

    Attributes:
        box: in voxels of the scale, inside its bounds.
        scale: by index.
        time: the time point; None where the volume has no more than one.
    """

    box: Box
    scale: int = 0
    time: int | None = None


def writable_remotes(calls: Calls) -> dict[str, bool]:
    """Whether volumes can be made and written, by the names of all remotes."""
    found: dict[str, bool] = {}
    token = ""
    while True:
        page = calls.unary(calls.servers.volume.ListRemotes, pb.ListRemotesRequest(page_token=token))
        found |= {remote.name: remote.writable for remote in page.remotes}
        token = page.next_page_token
        if not token:
            return found


def write_cutout(calls: Calls, described: Described, place: Place, voxels: Voxels) -> None:
    """Write a box, zeros included.

    Args:
        calls: on behalf of the caller.
        described: the volume.
        place: where.
        voxels: shape (c, z, y, x), of all channels and exactly the volume's dtype.

    Raises:
        OutOfBounds, ShapeMismatch, DataTypeMismatch: for voxels that do not fit.
        PartialWriteError: when some of the box was written and some was not.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    info = described.info
    level = check_write(info, place.box, voxels, place.scale)
    header = pb.WriteCutoutHeader(
        volume=info.name,
        version=info.resolved_version,
        scale_index=place.scale,
        box=box_to_proto(place.box),
        data_type=dtype_to_proto(info.dtype),
        time_index=place.time,
    )
    messages = write_messages(header, info, level, voxels)
    with typed_errors():
        check_written(calls.servers.volume.WriteCutout(messages, timeout=_WRITE_S, metadata=calls.metadata))


def create_volume(calls: Calls, name: str, spec: VolumeSpec) -> None:
    """Make a volume.

    Raises:
        AlreadyExists, ReadOnly: and whatever the server answers, or ServerUnreachable.
    """
    request = pb.CreateVolumeRequest(volume=name, spec=spec_to_proto(spec))
    calls.unary(calls.servers.volume.CreateVolume, request)


def delete_volume(calls: Calls, name: str) -> None:
    """Delete a volume for good.

    Raises:
        ReadOnly: and whatever the server answers, or ServerUnreachable.
    """
    calls.unary(calls.servers.volume.DeleteVolume, pb.DeleteVolumeRequest(volume=name), _WRITE_S)
