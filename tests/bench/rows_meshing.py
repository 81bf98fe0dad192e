"""Rows of meshing: all labels of a block, the Mesh service's own code against scikit-image label by label."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]
from skimage.measure import marching_cubes

from tests.bench.data import EDGE, START, Array, Data
from tests.bench.harness import Contender, Work, inline
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import ScaleSpec, Volume, VolumeKind, VolumeSpec, Writable
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.workers import WorkerPool

_SIZE_NM = 10.0
_FEW = 4

FaceCounts = dict[int, int]


def block_of(data: Data) -> Array:
    """The block of the rows, 192^3 voxels of the sample; of a smaller set of data less."""
    return data.labels((192 * data.edge // EDGE,) * 3)


def ids_of(labels: Array) -> list[int]:
    """Every label but 0, ascending."""
    return [int(label) for label in np.unique(labels) if label]


@contextlib.contextmanager
def on_boxes(data: Data) -> Iterator[Work]:
    """M1: every label of one block, closed at its border; beside it with zmesh, in two worker processes."""
    labels = block_of(data)
    volume, ids = in_memory(labels), tuple(ids_of(labels))

    def ours(mesher: str, workers: WorkerPool) -> FaceCounts:
        answers = VolumeMeshes(volume, workers).meshes(MeshRequest(ids, mesher=mesher))
        return {mesh.segment_id: len(mesh.faces) for mesh in answers if isinstance(mesh, Mesh)}

    two, none = WorkerPool(2), WorkerPool(0)
    try:
        contenders = [
            inline("voxgate mesher", lambda: ours("", none)),
            inline("scikit-image on boxes", lambda: skimage_on_boxes(labels)),
            inline("voxgate with zmesh, 2 processes", lambda: ours("zmesh", two)),
        ]
        yield Work(contenders, _alike, labels.nbytes / 1e6)
    finally:
        two.close()
        none.close()


@contextlib.contextmanager
def on_masks(data: Data) -> Iterator[Work]:
    """M2: the same against masks as large as the block. A few labels are timed, and their time is scaled to all."""
    labels = block_of(data)
    volume, ids = in_memory(labels), ids_of(labels)
    few = ids[:: max(1, len(ids) // _FEW)][:_FEW]
    workers = WorkerPool(0)

    def ours() -> FaceCounts:
        answers = VolumeMeshes(volume, workers).meshes(MeshRequest(tuple(ids)))
        return {mesh.segment_id: len(mesh.faces) for mesh in answers if isinstance(mesh, Mesh)}

    def theirs() -> FaceCounts:
        return skimage_on_masks(labels, few)

    contenders = [
        inline("voxgate mesher", ours),
        Contender(f"scikit-image on masks, {len(few)} labels, scaled", theirs, _scaled(theirs, len(ids) / len(few))),
    ]
    with contextlib.closing(workers):
        yield Work(contenders, _alike, labels.nbytes / 1e6, most_rounds=1)


def _scaled(run: Callable[[], Any], factor: float) -> Callable[[], float]:
    def measure() -> float:
        begin = time.perf_counter()
        run()
        return (time.perf_counter() - begin) * factor

    return measure


def skimage_on_boxes(labels: Array) -> FaceCounts:
    """What a careful person writes: each label's mask in its own box, padded, through marching cubes."""
    ids, small = np.unique(labels, return_inverse=True)
    numbered: Array = small.reshape(labels.shape).astype(np.int32) + (0 if ids[0] == 0 else 1)
    ids = ids[ids != 0]
    boxes = ndimage.find_objects(numbered)
    return {int(ids[n - 1]): _face_count(numbered[box] == n) for n, box in enumerate(boxes, start=1)}


def skimage_on_masks(labels: Array, ids: Sequence[int]) -> FaceCounts:
    """What one writes first: the mask of the whole array, padded, through marching cubes."""
    return {label: _face_count(labels == np.uint64(label)) for label in ids}


def _face_count(mask: Array) -> int:
    padded = np.pad(mask, 1).astype(np.float32)
    surface: tuple[Any, ...] = marching_cubes(padded, 0.5, method="lorensen")  # type: ignore[no-untyped-call]
    return len(surface[1])


def _alike(one: FaceCounts, other: FaceCounts) -> bool:
    """Of the same labels a number of triangles within 2 %: tables differ where voxels meet at corners."""
    both = one.keys() & other.keys()
    ratio = sum(one[label] for label in both) / sum(other[label] for label in both)
    return both == other.keys() and abs(ratio - 1) < 0.02


def in_memory(labels: Array) -> Volume:
    """The array as a volume of a memory remote."""
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
