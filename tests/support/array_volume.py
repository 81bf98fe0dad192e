"""A Volume over a numpy array, as small as the Protocol allows, that records its reads."""

import numpy as np

from voxgate.client.array import VolumeArray
from voxgate.model.errors import EmptyBox, OutOfBounds, SegmentNotFound
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshFailure, MeshSource
from voxgate.model.segments import SegmentCount, SegmentIndex
from voxgate.model.volumes import (
    Channel,
    Scale,
    VolumeInfo,
    VolumeKind,
    Writable,
)

OFFSET = Vec3(7, -11, 100)
SIZE = VoxelSize(4.0, 4.0, 40.0)


def scale_of(shape_zyx, offset=OFFSET, size=SIZE, key="0"):
    bounds = Box.at(offset, Vec3.from_zyx(shape_zyx))
    return Scale(key, bounds, Vec3(4, 3, 2), Vec3(4, 3, 2), offset, size, writable=True)


class ArrayVolume:
    """One (c, z, y, x) array for each scale; reads are recorded as (box, scale, channels)."""

    def __init__(self, arrays, scales, *, axes="zyx", channels=(), time_count=1, kind=VolumeKind.IMAGE, powers=()):
        self.arrays = list(arrays)
        self.info = VolumeInfo(
            name="lab/thing",
            dtype=self.arrays[0].dtype,
            kind=kind,
            scales=tuple(scales),
            axes=axes,
            channels=tuple(Channel(name) for name in channels),
            time_count=time_count,
        )
        self.powers = powers
        self.reads = []

    def read(self, box, *, scale=0, channels=None, out=None):
        bounds = self.info.scales[scale].bounds
        if box.is_empty:
            raise EmptyBox(f"{box} is empty")
        if not bounds.contains(box):
            raise OutOfBounds(f"{box} is outside of {bounds}")
        self.reads.append((box, scale, channels))
        a, b = box.start - bounds.start, box.stop - bounds.start
        cut = self.arrays[scale][:, a.z : b.z, a.y : b.y, a.x : b.x]
        cut = cut if channels is None else cut[list(channels)]
        if out is None:
            return np.ascontiguousarray(cut)
        assert out.shape == cut.shape
        assert out.dtype == cut.dtype
        out[...] = cut
        return out

    def capability(self, kind):
        return self if kind in self.powers else None

    def write(self, box, voxels, *, scale=0):
        a, b = box.start - self.info.scales[scale].bounds.start, box.stop - self.info.scales[scale].bounds.start
        assert voxels.shape == (self.info.channel_count, *box.shape.zyx)
        self.arrays[scale][:, a.z : b.z, a.y : b.y, a.x : b.x] = voxels

    def segments_in(self, box, *, scale=0, top=None):
        ids, counts = np.unique(self.read(box, scale=scale), return_counts=True)
        found = [SegmentCount(int(i), int(n)) for i, n in zip(ids, counts, strict=True) if i]
        return found if top is None else sorted(found, key=lambda s: (-s.voxel_count, s.segment_id))[:top]

    def segments_at(self, points, *, scale=0):
        return [int(self.read(Box.at(point, Vec3(1, 1, 1)), scale=scale)[0, 0, 0, 0]) for point in points]

    def meshes(self, request, *, progress=None):
        """Answers in the reverse order; a triangle whose first vertex tells the request."""
        for segment_id in reversed(request.segment_ids):
            if not (self.arrays[request.scale] == segment_id).any():
                yield MeshFailure(segment_id, SegmentNotFound(f"segment {segment_id} does not occur"))
                continue
            if progress:
                progress("mesh", 1, 2)
            vertices = np.array([[request.scale, 0, 0], [1, 5, 0], [0, 1, 9]], np.float32)
            yield Mesh(segment_id, vertices, np.array([[0, 1, 2]], np.uint32), scale=request.scale, mesher="triangle")


ALL_POWERS = (Writable, SegmentIndex, MeshSource)


def image(shape_zyx=(3, 4, 5), dtype=np.uint16, **options):
    """A zyx volume of distinct values."""
    array = np.arange(np.prod(shape_zyx), dtype=dtype).reshape(1, *shape_zyx)
    return ArrayVolume([array], [scale_of(shape_zyx)], **options)


def multichannel(shape_czyx=(3, 2, 4, 5), channels=("red", "green", "blue"), **options):
    """A czyx volume of distinct values."""
    array = np.arange(np.prod(shape_czyx), dtype=np.float32).reshape(shape_czyx)
    return ArrayVolume([array], [scale_of(shape_czyx[1:])], axes="czyx", channels=channels, **options)


def segmentation():
    """Ids above 2**53 and 2**63 at two scales, the second of which is halved in x and y only."""
    big, huge, small = (1 << 53) + 1, (1 << 63) + 5, 7
    fine = np.zeros((1, 3, 4, 6), np.uint64)
    fine[0, 0, :2, :] = big
    fine[0, 1:, :, 2:4] = huge
    fine[0, 2, 3, 5] = small
    coarse = np.ascontiguousarray(fine[:, :, ::2, ::2])
    scales = [
        scale_of((3, 4, 6), Vec3(8, -12, 100)),
        scale_of((3, 2, 3), Vec3(4, -6, 100), VoxelSize(8.0, 8.0, 40.0), key="half"),
    ]
    return ArrayVolume([fine, coarse], scales, kind=VolumeKind.SEGMENTATION, powers=ALL_POWERS)


def movie():
    """An array of tzyx over four volumes of distinct values, one for each time."""
    whole = np.arange(4 * 3 * 4 * 5, dtype=np.int32).reshape(4, 1, 3, 4, 5)
    at = [ArrayVolume([t], [scale_of((3, 4, 5))], axes="tzyx", time_count=4) for t in whole]
    return VolumeArray(at[0], reopen=at.__getitem__)
