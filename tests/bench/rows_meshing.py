"""Rows of meshing: all labels of a block, the Mesh service's own code against scikit-image label by label."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]
from skimage.measure import marching_cubes

from tests.bench.data import START, Array, Data
from tests.bench.harness import Work, inline
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import (
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.workers import WorkerPool

BLOCK_ZYX = (136, 148, 160)
_SIZE_NM = 10.0

FaceCounts = dict[int, int]


@contextlib.contextmanager
def all_labels(data: Data) -> Iterator[Work]:
    """M1: every label of one block, closed at its border; with two worker processes, and inline, for orientation."""
    labels = data.labels(BLOCK_ZYX)
    ids = tuple(int(i) for i in np.unique(labels) if i)
    volume = _in_memory(labels)
    request = MeshRequest(ids)

    def ours(workers: WorkerPool) -> FaceCounts:
        answers = VolumeMeshes(volume, workers).meshes(request)
        return {mesh.segment_id: len(mesh.faces) for mesh in answers if isinstance(mesh, Mesh)}

    two, none = WorkerPool(2), WorkerPool(0)
    try:
        contenders = [
            inline("voxgate mesher, 2 processes", lambda: ours(two)),
            inline("scikit-image on boxes", lambda: skimage_on_boxes(labels)),
            inline("voxgate mesher, inline", lambda: ours(none)),
        ]
        yield Work(contenders, _alike, labels.nbytes / 1e6)
    finally:
        two.close()
        none.close()


def skimage_on_boxes(labels: Array) -> FaceCounts:
    """What a careful person writes: each label's mask in its own box, padded, through marching cubes."""
    ids, small = np.unique(labels, return_inverse=True)
    numbered: Array = small.reshape(labels.shape).astype(np.int32) + (0 if ids[0] == 0 else 1)
    ids = ids[ids != 0]
    counts: FaceCounts = {}
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        mask = np.pad(numbered[box] == number, 1)
        surface: tuple[Any, ...] = marching_cubes(mask.astype(np.float32), 0.5, method="lorensen")  # type: ignore[no-untyped-call]
        counts[int(ids[number - 1])] = len(surface[1])
    return counts


def _alike(one: FaceCounts, other: FaceCounts) -> bool:
    """The same labels, and a number of triangles within 2 % in all: tables differ where voxels meet at corners."""
    return one.keys() == other.keys() and abs(sum(one.values()) / sum(other.values()) - 1) < 0.02


def _in_memory(labels: Array) -> Any:
    registry = Registry.from_config(RemotesConfig(remotes={"mem": RemoteConfig(uri="memory://", writable=True)}))
    box = Box.at(Vec3(*START), Vec3.from_zyx(labels.shape))
    scale = ScaleSpec(box, VoxelSize(_SIZE_NM, _SIZE_NM, _SIZE_NM), Vec3(64, 64, 64))
    spec = VolumeSpec(labels.dtype.newbyteorder("<"), VolumeKind.SEGMENTATION, (scale,))
    volume = registry.create("mem/seg", spec)
    writable = volume.capability(Writable)
    if writable is None:
        raise RuntimeError("a memory volume must take writes")
    writable.write(box, labels[np.newaxis])
    return registry.open("mem/seg")
