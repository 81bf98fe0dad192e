"""Volumes on disk written by other programs (tensorstore, cloud-volume, zarr-python), for adapters to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import OpenOptions, Volume, Writable
from voxgate_remotes.config import RemoteConfig, VolumeOverrides
from voxgate_remotes.files import FilesRemote

OFFSET = Vec3(-10, 23, 7)
SHAPE = Vec3(37, 22, 13)
BOX = Box.at(OFFSET, SHAPE)
"""A volume that is asymmetric, offset (one axis below zero) and no multiple of any chunk."""

SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "hash": "murmurhash3_x86_128",
    "preshift_bits": 1,
    "minishard_bits": 1,
    "shard_bits": 2,
    "minishard_index_encoding": "gzip",
    "data_encoding": "gzip",
}


def voxels(dtype: str, channels: int = 1, *, seed: int = 5) -> npt.NDArray[Any]:
    """Random voxels of BOX, shape (c, z, y, x), over the dtype's whole range: ids above 2**53 and 2**63 among them."""
    rng = np.random.default_rng(seed)
    shape = (channels, *SHAPE.zyx)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def labels() -> npt.NDArray[np.uint64]:
    """Blocky segment ids of BOX, shape (1, z, y, x), most above 2**63: what compressed_segmentation is made for."""
    z, y, x = np.indices(SHAPE.zyx)
    return (((z // 3 * 7 + y // 4 * 5 + x // 5) % 11).astype(np.uint64) * np.uint64(2**59 + 1) + np.uint64(2**63))[None]


def write_precomputed(folder: Path, array: npt.NDArray[Any], **scale: Any) -> Any:
    """Write (c, z, y, x) voxels of BOX with tensorstore; answers the (x, y, z, c) store."""
    metadata = {
        "key": "at/4_4_40",
        "size": list(SHAPE),
        "voxel_offset": list(OFFSET),
        "resolution": [4, 4.5, 40],
        "chunk_size": [16, 8, 5],
        "encoding": "raw",
        **scale,
    }
    if metadata["encoding"] == "compressed_segmentation":
        metadata["compressed_segmentation_block_size"] = [8, 4, 2]
    kind = "segmentation" if array.dtype.itemsize >= 4 and array.dtype.kind == "u" else "image"
    store = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "multiscale_metadata": {"type": kind, "data_type": array.dtype.name, "num_channels": array.shape[0]},
            "scale_metadata": metadata,
            "create": True,
            "open": True,
        }
    ).result()
    store.write(array.transpose(3, 2, 1, 0)).result()
    return store


def remote_at(folder: Path, *, writable: bool = False, **stated: VolumeOverrides) -> FilesRemote:
    """The adapter on a folder; `stated` are overrides by volume path."""
    return FilesRemote(RemoteConfig(uri=f"file://{folder}", writable=writable, volumes=stated))


def open_at(folder: Path, options: OpenOptions | None = None, *, writable: bool = False, **stated: Any) -> Volume:
    """Open the volume that a folder is; `stated` are the operator's statements about it."""
    overrides = {"": VolumeOverrides(**stated)} if stated else {}
    config = RemoteConfig(uri=f"file://{folder}", writable=writable, volumes=overrides)
    return FilesRemote(config).open((), options or OpenOptions())


def fill_rows(folder: Path, rows: Sequence[int]) -> None:
    """Write planes of x = OFFSET.x + row of a uint64 volume, each with the number row + 1, part of a granule each."""
    volume = open_at(folder, writable=True)
    writer = volume.capability(Writable)
    if writer is None:
        raise ValueError(folder)
    for row in rows:
        writer.write(Box.at(OFFSET + Vec3(row, 0, 0), Vec3(1, 8, 5)), np.full((1, 5, 8, 1), row + 1, np.uint64))
