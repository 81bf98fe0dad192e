"""Bulk meshings run block by block in this process, and segmentations made for them."""

from pathlib import Path

import numpy as np

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import MeshJobSpec
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_jobs.work import Patience
from voxgate_mesh.bulk.work import MeshWork, open_mesh_job
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

LARGE, BIG, OTHER, SMALL, APART = 2**64 - 3, 2**63 + 7, 2**53 + 1, 12, 77
"""Segments of `segmentation`. LARGE goes through all chunks, APART has a part in several and one in a single chunk."""
IDS = (SMALL, APART, OTHER, BIG, LARGE)
START = Vec3(-5, 20, 301)
SIZE_NM = VoxelSize(4, 6.5, 40)
CHECKSUM = "ab" * 32


def segmentation() -> np.ndarray:
    """Labels of shape (z, y, x) = (38, 61, 87)."""
    labels = np.zeros((38, 61, 87), np.uint64)
    z, y, x = np.indices(labels.shape)
    labels[(y - 30 + 8 * np.sin(x / 9)) ** 2 + 4 * (z - 20) ** 2 < 130] = LARGE
    labels[(x - 20) ** 2 + (y - 10) ** 2 + 9 * (z - 9) ** 2 < 60] = BIG
    labels[30:38, 50:61, 70:87] = OTHER
    labels[3, 3, 3] = SMALL
    labels[2:6, 48:52, 2:40] = APART
    labels[33:36, 4:8, 75:80] = APART
    return labels


def registry_of(folder: Path, *, writable: bool = True) -> Registry:
    """The remote "lab" in a folder."""
    config = RemoteConfig(uri=folder.as_uri(), writable=writable, deletable=writable)
    return Registry.from_config(RemotesConfig(remotes={"lab": config}))


def stored(registry: Registry, name: str, labels: np.ndarray, *, form: str = "precomputed") -> None:
    """Create a volume of labels (z, y, x) that starts at START."""
    box = Box(START, START + Vec3(*labels.shape[::-1]))
    scale = ScaleSpec(box, SIZE_NM)
    volume = registry.create(name, VolumeSpec(labels.dtype, VolumeKind.SEGMENTATION, (scale,), format=form))
    writable = volume.capability(Writable)
    assert writable is not None
    writable.write(box, labels[None])


def opened(registry: Registry, spec: MeshJobSpec) -> MeshWork:
    """The work of a bulk meshing."""
    return open_mesh_job(registry, spec, Patience())


def meshed(folder: Path, *, sharded: bool) -> None:
    """A volume "seg" in a folder, made now, with meshes of several levels beside it, in files or in shards."""
    folder.mkdir()
    registry = registry_of(folder)
    stored(registry, "lab/seg", segmentation())
    run(opened(registry, MeshJobSpec("lab/seg", chunk_shape=Vec3(24, 20, 16), sharded=sharded)))


def run(work: MeshWork, *, finish: bool = True):
    """Run every block, then finish; answers the result."""
    for index in range(work.block_count):
        work.run_block(index)
    return work.finish(None, CHECKSUM) if finish else None
