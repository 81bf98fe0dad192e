"""What a mesh request must satisfy before a voxel is read, and the plan of its blocks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from voxgate.model.errors import ConfigInvalid, InvalidArgument, InvalidSegmentId, LimitExceeded, MissingCapability
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import MeshRequest
from voxgate.model.requests import check_box, scale_of
from voxgate.model.volumes import Scale, VolumeInfo, VolumeKind
from voxgate_mesh.blocks import BlockPlan, block_shape_for
from voxgate_mesh.projecting import coarser_images, is_size


@dataclass(frozen=True, slots=True)
class MeshLimits:
    """What one request may ask for.

    Attributes:
        max_segment_count: segment ids.
        max_scan_voxel_count: voxels searched.
        max_file_bytes: vertices and faces of a file, which is made whole in memory.
        look_voxel_count: voxels of a coarse scale that are looked at to find where segments are, where there is a
            choice: the finest scale with no more is taken, since it shows more, and if all have more the coarsest.
    """

    max_segment_count: int = 10_000
    max_scan_voxel_count: int = 4 * 1024**3
    max_file_bytes: int = 1 << 30
    look_voxel_count: int = 1 << 24


def plan_request(
    info: VolumeInfo, request: MeshRequest, limits: MeshLimits, block_shape: Vec3 | None = None
) -> tuple[BlockPlan, VoxelSize]:
    """Check a request against a volume; the plan of its blocks and the voxel size in nanometres.

    Whether the region may be searched depends on how that is done: see `voxgate_mesh.locating`.

    Args:
        info: the volume.
        request: the request.
        limits: of the server.
        block_shape: the blocks; None leaves the choice to `block_shape_for`.

    Raises:
        InvalidArgument, InvalidSegmentId, LimitExceeded, UnknownScale, EmptyBox, OutOfBounds: for the caller to mend.
        MissingCapability, ConfigInvalid: for the operator to mend.
    """
    request.check()
    check_segment_ids(request.segment_ids, limits)
    check_segmentation(info)
    level = request.scale or 0
    region = scale_of(info, level).bounds if request.bounds is None else request.bounds
    scale = check_box(info, region, level)
    if not request.closed and min(region.shape) < 2:
        raise InvalidArgument(
            f"bounds {region} hold no surface with an open border", "make them two voxels thick or more, or close them"
        )
    shape = block_shape or block_shape_for(scale.stored_chunk_shape, region.shape)
    return BlockPlan(region, shape, scale.grid_origin, request.closed), known_voxel_size(info, scale)


def check_segment_ids(segment_ids: tuple[int, ...], limits: MeshLimits) -> None:
    """Refuse no ids, background, doubles, what is no uint64, and too many.

    Raises:
        InvalidArgument, InvalidSegmentId, LimitExceeded.
    """
    if not segment_ids:
        raise InvalidArgument("no segment id was given", "name at least one", details={"field": "segment_ids"})
    if len(segment_ids) > limits.max_segment_count:
        raise LimitExceeded(
            f"{len(segment_ids):,} segment ids in one request; this server's limit is {limits.max_segment_count:,}",
            "ask in several requests",
            details={"limit": str(limits.max_segment_count), "asked": str(len(segment_ids))},
        )
    if 0 in segment_ids:
        raise InvalidSegmentId("0 is background, not a segment", "leave it out", details={"field": "segment_ids"})
    for segment_id in segment_ids:
        if not 0 < segment_id < 2**64:
            raise InvalidSegmentId(f"{segment_id} is not a segment id", "ids are integers from 1 to 2**64 - 1")
    if len(set(segment_ids)) != len(segment_ids):
        double = next(i for i, count in Counter(segment_ids).items() if count > 1)
        raise InvalidArgument(
            f"segment {double} was asked for twice", "name each segment once", details={"field": "segment_ids"}
        )


def check_segmentation(info: VolumeInfo) -> None:
    """Refuse what has no segments.

    Raises:
        MissingCapability: for images, voxels that are not unsigned integers, and volumes of several channels.
    """
    details = {"capability": "segmentation"}
    if info.kind is VolumeKind.IMAGE:
        raise MissingCapability("the volume is an image: it has no segments", "name a segmentation", details=details)
    if info.dtype.kind != "u":
        raise MissingCapability(
            f"segment ids are unsigned integers, and the voxels are {info.dtype}",
            "name a segmentation",
            details=details,
        )
    if info.channel_count != 1:
        raise MissingCapability(
            f"the volume has {info.channel_count} channels: nobody says which holds the segments",
            "name a segmentation of one channel",
            details=details,
        )


def known_voxel_size(info: VolumeInfo, scale: Scale) -> VoxelSize:
    """The scale's voxel size.

    Raises:
        ConfigInvalid: when it is unknown or 0; a mesh in nanometres cannot be made from a guess.
    """
    if scale.voxel_size_nm is not None and not is_size(scale.voxel_size_nm):
        raise ConfigInvalid(
            f"the voxels of scale {scale.key!r} have no extent: {tuple(scale.voxel_size_nm)} nm",
            f"the operator states voxel_size_nm = [x, y, z] under {_table(info)}",
        )
    if scale.voxel_size_nm is None:
        raise ConfigInvalid(
            f"the voxel size of scale {scale.key!r} is unknown, so there is no mesh in nanometres",
            f"the operator adds voxel_size_nm = [x, y, z] under {_table(info)}",
        )
    return scale.voxel_size_nm


def over_budget(info: VolumeInfo, region: Box, scale: int, asked: int, limit: int) -> LimitExceeded:
    """The error for a search of too many voxels; names the finest scale at which the region can be searched whole.

    Args:
        info: the volume.
        region: where to mesh, voxels of `scale`.
        scale: index of the scale to mesh.
        asked: the voxels to search, or those known by now.
        limit: the most there may be.
    """
    fits = next((other for other, image in coarser_images(info, region, scale) if image.voxel_count <= limit), None)
    details = {"limit": str(limit), "asked": str(asked)}
    remedy = "pass bounds around the segment: there is no coarser scale that fits"
    if fits is not None:
        details |= {"scale": str(fits), "scale_key": info.scales[fits].key}
        remedy = f"pass bounds around the segment, or mesh a coarser scale: {fits} ({info.scales[fits].key!r}) fits"
    return LimitExceeded(
        f"meshing {region} of scale {scale} would search {asked:,} voxels; this server's limit is {limit:,}",
        remedy,
        details=details,
    )


def _table(info: VolumeInfo) -> str:
    """The table of the configuration that speaks of the volume, without a path of the machine."""
    remote, _, path = info.name.partition("/")
    return f'[remotes.{remote}.volumes."{path}"]' if remote else '[remotes.NAME.volumes."PATH"]'
