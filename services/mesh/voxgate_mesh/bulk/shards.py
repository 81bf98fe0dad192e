"""Shard files of meshes, written from front to back: their sizes are known before their bytes.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md. The file `{shard}.shard` (hexadecimal,
padded to ceil(shard_bits / 4) digits) starts with 2**minishard_bits pairs of uint64, start and end of each minishard's
index, counted from the end of these pairs; a minishard's index is a uint64 array of shape (3, n) with ids (each as the
difference to the one before), starts (each counted from the end of the value before it) and sizes. Fragments of a mesh
lie right before its manifest, which is the value.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate_mesh.bulk.plan import MeshPlan
from voxgate_mesh.bulk.spreading import hashed


@dataclass(frozen=True, slots=True, eq=False)
class ShardLayout:
    """Where everything goes in a shard file: its pairs, then the meshes in `order`, then the minishards' indices.

    Attributes:
        order: int64 (m,), the meshes as they follow one another in the file.
        head: what the file starts with.
        tail: what it ends with, after the meshes.
    """

    order: npt.NDArray[np.int64]
    head: bytes
    tail: bytes


def shard_layout(
    plan: MeshPlan,
    segment_ids: npt.NDArray[np.uint64],
    fragment_sizes: npt.NDArray[np.int64],
    manifest_sizes: npt.NDArray[np.int64],
) -> ShardLayout:
    """Lay out a shard.

    Args:
        plan: of the job.
        segment_ids: uint64 (m,), ascending.
        fragment_sizes: int64 (m,), bytes of each mesh's fragments together.
        manifest_sizes: int64 (m,), bytes of each manifest.
    """
    minishards = hashed(segment_ids) & np.uint64((1 << plan.minishard_bits) - 1)
    order = np.lexsort((segment_ids, minishards))
    stops = np.cumsum((fragment_sizes + manifest_sizes)[order])
    starts = stops - manifest_sizes[order]
    borders = np.searchsorted(minishards[order], np.arange((1 << plan.minishard_bits) + 1, dtype=np.uint64))
    indices, pairs, at = [], [], int(stops[-1]) if len(stops) else 0
    for first, last in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        index = b""
        if first < last:
            ids = segment_ids[order[first:last]]
            gaps = starts[first:last] - np.r_[0, stops[first : last - 1]]
            rows = (np.diff(ids, prepend=np.uint64(0)), gaps, manifest_sizes[order[first:last]])
            index = gzip.compress(b"".join(row.astype("<u8").tobytes() for row in rows), 6, mtime=0)
        indices.append(index)
        pairs.append((at, at + len(index)))
        at += len(index)
    return ShardLayout(order, np.array(pairs, "<u8").tobytes(), b"".join(indices))


def shard_name(plan: MeshPlan, partition: int) -> str:
    """The file of a partition."""
    return f"{partition:0{-(-plan.shard_bits // 4)}x}.shard" if plan.shard_bits else "0.shard"


def shard_names(plan: MeshPlan) -> Iterator[str]:
    """The files of all partitions."""
    return (shard_name(plan, partition) for partition in range(plan.partition_count))
