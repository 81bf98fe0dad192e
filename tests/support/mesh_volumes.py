"""Segmentations to mesh, and what a mesh is compared by."""

import threading
from collections import Counter

import numpy as np
import trimesh

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import CallContext, VolumeKind
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_mesh.meshing import MeshingSettings
from voxgate_remotes.memory import MemoryVolume
from voxgate_serving.workers import WorkerPool

OFFSET = Vec3(-7, 12, 100)
SIZE = VoxelSize(4.0, 6.0, 40.0)
CHUNK = Vec3(6, 5, 4)


def segmentation(labels, *, offset=OFFSET, size=SIZE, chunk=CHUNK, kind=VolumeKind.SEGMENTATION):
    return MemoryVolume.from_array(labels, voxel_offset=offset, voxel_size_nm=size, kind=kind, chunk_shape=chunk)


def meshed(volume, ids, *, block=None, **request):
    """The answers by id."""
    source = VolumeMeshes(volume, WorkerPool(0), CallContext(), MeshingSettings(block_shape=block))
    answers = list(source.meshes(MeshRequest(tuple(ids), **request)))
    assert sorted(answer.segment_id for answer in answers) == sorted(ids)
    return {answer.segment_id: answer for answer in answers}


def triangles(mesh, size=SIZE):
    """The triangles as a multiset of corners on the exact half-voxel lattice, each turned to its least corner."""
    keys = np.rint(mesh.vertices.astype(np.float64) * 2 / np.array(tuple(size))).astype(int)
    found = Counter()
    for face in keys[mesh.faces].tolist():
        corners = [tuple(corner) for corner in face]
        least = corners.index(min(corners))
        found[tuple(corners[least:] + corners[:least])] += 1
    return found


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices.astype(np.float64), mesh.faces, process=False)


def blobs(seed, shape=(17, 22, 27), ids=(3, 2**53 + 1, 2**63 + 9)):
    """Smooth random bodies that touch each other and the borders."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.standard_normal(shape), 2.0) for _ in range(len(ids) + 1)]
    return np.array([0, *ids], np.uint64)[np.argmax(fields, axis=0)]


class CountingVolume:
    """Wraps a volume; counts its reads, and can make each wait until it is let go, or fail."""

    def __init__(self, volume, *, blocked=False, error=None):
        self._volume = volume
        self._error = error
        self.info = volume.info
        self.boxes: list[Box] = []
        self.reads: list[tuple[int, Box]] = []
        self.started = threading.Event()
        self.go = threading.Event()
        if not blocked:
            self.go.set()

    def read(self, box, *, scale=0, channels=None, out=None):
        self.boxes.append(box)
        self.reads.append((scale, box))
        self.started.set()
        assert self.go.wait(30)
        if self._error:
            raise self._error
        return self._volume.read(box, scale=scale, channels=channels, out=out)

    def capability(self, kind):
        return self._volume.capability(kind)
