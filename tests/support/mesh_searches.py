"""Volumes of several scales, and stores with an index, to find segments in."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np

from support.mesh_volumes import CHUNK, OFFSET, SIZE, CountingVolume, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import MeshRequest
from voxgate.model.segments import SegmentExtent, SegmentExtents
from voxgate.model.volumes import CallContext, Relayed, ScaleSpec, VolumeFacts, VolumeKind, VolumeSpec
from voxgate_mesh.blocks import BlockPlan
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_mesh.meshing import MeshingSettings
from voxgate_mesh.projecting import projected
from voxgate_remotes.memory import MemoryVolume
from voxgate_serving.workers import WorkerPool

TO_COARSE = VoxelSize(14.0, 18.0, 100.0)
"""3.5, 3 and 2.5 times SIZE."""


def sampled(labels, offset, size, coarse_size):
    """What a coarse scale holds that takes the voxel at the middle of each of its own, and its bounds."""
    fine = Box.at(offset, Vec3.from_zyx(labels.shape))
    bounds = projected(fine, size, coarse_size)
    places = []
    for axis in range(3):
        factor = Fraction(coarse_size.zyx[axis]) / Fraction(size.zyx[axis])
        centres = [int((2 * i + 1) * factor // 2) for i in range(bounds.start.zyx[axis], bounds.stop.zyx[axis])]
        places.append(np.array(centres) - offset.zyx[axis])
    inside = [(place >= 0) & (place < n) for place, n in zip(places, labels.shape, strict=True)]
    cut = [np.clip(place, 0, n - 1) for place, n in zip(places, labels.shape, strict=True)]
    z, y, x = inside
    return np.where(z[:, None, None] & y[:, None] & x, labels[np.ix_(*cut)], labels.dtype.type(0)), bounds


def scaled(labels, coarse_sizes=(TO_COARSE,), *, offset=OFFSET, size=SIZE, chunk=CHUNK):
    """A volume with coarser scales, counting its reads."""
    coarse = [sampled(labels, offset, size, each) for each in coarse_sizes]
    boxes = [Box.at(offset, Vec3.from_zyx(labels.shape)), *(bounds for _, bounds in coarse)]
    sizes = [size, *coarse_sizes]
    specs = tuple(ScaleSpec(box, each, chunk) for box, each in zip(boxes, sizes, strict=True))
    volume = MemoryVolume.create(VolumeSpec(labels.dtype.newbyteorder("<"), VolumeKind.SEGMENTATION, specs))
    for scale, (box, voxels) in enumerate(zip(boxes, [labels, *(voxels for voxels, _ in coarse)], strict=True)):
        volume.write(box, voxels[np.newaxis], scale=scale)
    return CountingVolume(volume)


class Indexed:
    """A volume whose store knows boxes around segments.

    Attributes:
        asked: how often each id was asked for.
        grown: by how many voxels its boxes are larger than they need to be; 0 for exact ones.
        refusals: what is raised for some ids.
        powers: if not None, another server's, on which the volume lives.
        waits: if not None, an event that every answer waits for.
        told: how many voxels it says that segments have, by id.
    """

    def __init__(self, volume, labels, *, grown=0, refusals=None, powers=None, waits=None, told=None):
        self._volume = volume
        self._labels = labels
        self.grown = grown
        self.refusals = dict(refusals or {})
        self.powers = powers
        self.waits = waits
        self.told = dict(told or {})
        self.asked = Counter()
        self.info = volume.info

    def read(self, box, *, scale=0, channels=None, out=None):
        return self._volume.read(box, scale=scale, channels=channels, out=out)

    def capability(self, kind):
        if kind is Relayed and self.powers is not None:
            return self
        return self if kind is SegmentExtents else self._volume.capability(kind)

    @property
    def facts(self):
        return VolumeFacts(self.info, frozenset(self.powers))

    def segment_extent(self, segment_id, *, scale=0):
        assert scale == 0
        self.asked[segment_id] += 1
        if self.waits is not None:
            assert self.waits.wait(30)
        if segment_id in self.refusals:
            raise self.refusals[segment_id]
        places = np.argwhere(self._labels == np.uint64(segment_id))[:, ::-1] + np.array(
            tuple(self.info.scales[0].bounds.start)
        )
        low, high = places.min(axis=0) - self.grown, places.max(axis=0) + 1 + self.grown
        box = Box(Vec3(*low.tolist()), Vec3(*high.tolist()))
        return SegmentExtent(segment_id, box, self.grown == 0, self.told.get(segment_id))


def indexed(labels, **options):
    """A volume of one scale with an index, and the volume below, counting its reads."""
    counting = CountingVolume(segmentation(labels))
    return Indexed(counting, labels, **options), counting


def answers(volume, ids, *, search="auto", block=None, limits=None, keep=1 << 20, **request):
    """The answers by id."""
    settings = MeshingSettings(limits or MeshLimits(), block_shape=block, keep_bytes=keep)
    source = VolumeMeshes(volume, WorkerPool(0), CallContext(), settings)
    found = list(source.meshes(MeshRequest(tuple(ids), search=search, **request)))
    assert sorted(answer.segment_id for answer in found) == sorted(ids)
    return {answer.segment_id: answer for answer in found}


def blocks_read(counting, block, scale=0):
    """The places on the grid of the blocks that were read of a scale, each as often as it was."""
    level = counting.info.scales[scale]
    plan = BlockPlan(level.bounds, block, level.grid_origin, closed=True)
    return Counter(tuple(part.start for part in plan.ranges_of(box)) for each, box in counting.reads if each == scale)


def without_scales(info):
    return replace(info, scales=info.scales[:1])


def connected(labels, segment_id):
    """Only the largest part of a segment whose voxels touch, by corners too."""
    from scipy.ndimage import label

    parts, count = label(labels == labels.dtype.type(segment_id), np.ones((3, 3, 3)))
    if count == 0:
        return labels
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return np.where((parts > 0) & (parts != largest), labels.dtype.type(0), labels)
