"""Volumes to make pyramids of, in every format that takes levels, and what the levels should be."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt

from support.references import segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ScaleSpec, Volume, VolumeKind, VolumeSpec, Writable
from voxgate_blocks.downsampling import Method, coarser, downsample
from voxgate_jobs.ledger import LedgerTotals
from voxgate_jobs.work import Work
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

BOUNDS = Box.of(x=(-37, 46), y=(101, 162), z=(-5, 28))
"""Odd at both ends on every axis."""
SIZE = VoxelSize(4.0, 4.0, 30.0)
CHUNK = Vec3(16, 12, 7)
FORMATS = ("precomputed", "zarr2", "zarr3", "memory")


def pyramid_registry(folder: Path) -> Registry:
    """Remotes "files" and "memory", both writable."""
    files = RemoteConfig(uri=f"file://{folder}", writable=True)
    return Registry.from_config(
        RemotesConfig(remotes={"files": files, "memory": RemoteConfig(uri="memory://", writable=True)})
    )


def finest(dtype: str = "uint64", seed: int = 0) -> npt.NDArray[np.generic]:
    """Voxels of BOUNDS, shape (1, z, y, x): ids above 2**63 for uint64, patches of numbers for others."""
    voxels = segmentation((1, *BOUNDS.shape.zyx), seed=seed)
    return voxels if dtype == "uint64" else (voxels % 251).astype(dtype)


def filled(registry: Registry, name: str, voxels: npt.NDArray[np.generic], **spec: object) -> Volume:
    """A new volume of one level with these voxels; `spec` changes what is created."""
    stated = {"kind": VolumeKind.SEGMENTATION, "format": "", "chunk": CHUNK, "shard": None, "size": SIZE, **spec}
    scale = ScaleSpec(BOUNDS, stated["size"], stated["chunk"], stated["shard"])  # type: ignore[arg-type]
    made = VolumeSpec(voxels.dtype.newbyteorder("<"), stated["kind"], (scale,), format=stated["format"])  # type: ignore[arg-type]
    volume = registry.create(name, made)
    writer = volume.capability(Writable)
    assert writer is not None
    writer.write(BOUNDS, voxels)
    return volume


def expected(
    voxels: npt.NDArray[np.generic], factors: tuple[Vec3, ...], method: Method, bounds: Box = BOUNDS
) -> list[tuple[Box, npt.NDArray[np.generic]]]:
    """Each level's bounds and voxels, made from the whole of the level before."""
    levels = []
    for factor in factors:
        voxels = downsample(voxels, factor, method, start=bounds.start)
        bounds = coarser(bounds, factor)
        levels.append((bounds, voxels))
    return levels


def run(work: Work, seed: int = 0) -> LedgerTotals:
    """Do a work as an engine may: stage by stage, within each in any order, and some blocks twice."""
    shuffle = random.Random(seed)
    ends = [0, *work.stage_starts, work.block_count]
    results = {}
    for first, end in itertools.pairwise(ends):
        numbers = [*range(first, end), *shuffle.sample(range(first, end), min(2, end - first))]
        shuffle.shuffle(numbers)
        for number in numbers:
            done = work.run_block(number)
            assert results.setdefault(number, done).checksum == done.checksum
        work.flush()
    return LedgerTotals(
        done_block_count=len(results),
        done_bytes=sum(each.byte_count for each in results.values()),
        copied_bytes=sum(each.copied_bytes for each in results.values()),
        verified_bytes=sum(each.verified_bytes for each in results.values()),
        skipped_block_count=sum(each.skipped for each in results.values()),
    )
