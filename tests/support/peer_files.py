"""Volumes on disk, written by other people's writers: tensorstore, cloud-volume and zarr-python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume

from voxgate_remotes.testing import ScaleFacts

SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 1,
    "hash": "murmurhash3_x86_128",
    "minishard_bits": 1,
    "shard_bits": 1,
    "data_encoding": "gzip",
    "minishard_index_encoding": "gzip",
}


def precomputed_by_tensorstore(
    folder: Path, scales: Sequence[ScaleFacts], kind: str, encoding: str, **scale_metadata: Any
) -> None:
    """Write each scale; chunks that are all 0 are not stored."""
    for scale in scales:
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "multiscale_metadata": {
                "type": kind,
                "data_type": scale.voxels.dtype.name,
                "num_channels": scale.voxels.shape[0],
            },
            "scale_metadata": {
                "size": list(scale.bounds.shape),
                "voxel_offset": list(scale.start),
                "resolution": list(scale.voxel_size_nm),
                "chunk_size": list(scale.chunk_shape),
                "encoding": encoding,
                **scale_metadata,
            },
        }
        store = ts.open(spec, create=True).result()
        store[...] = scale.voxels.transpose(3, 2, 1, 0)


def precomputed_by_cloud_volume(
    folder: Path, scale: ScaleFacts, kind: str, encoding: str, compress: str | bool
) -> None:
    """Write one scale with cloud-volume, which names compressed chunks `NAME.gz`; chunks of zeros are left out."""
    info = CloudVolume.create_new_info(
        num_channels=scale.voxels.shape[0],
        layer_type=kind,
        data_type=scale.voxels.dtype.name,
        encoding=encoding,
        resolution=list(scale.voxel_size_nm),
        voxel_offset=list(scale.start),
        volume_size=list(scale.bounds.shape),
        chunk_size=list(scale.chunk_shape),
    )
    volume = CloudVolume(folder.as_uri(), info=info, compress=compress, delete_black_uploads=True, progress=False)
    volume.non_aligned_writes = True
    volume.commit_info()
    start, stop = scale.bounds.start, scale.bounds.stop
    region = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    volume[region] = np.asfortranarray(scale.voxels.transpose(3, 2, 1, 0))


def zarr_by_zarr_python(path: Path, voxels: np.ndarray, **options: Any) -> zarr.Array:
    """Write one array; chunks that are all fill value are not stored."""
    array = zarr.create_array(str(path), shape=voxels.shape, dtype=voxels.dtype, **options)
    array[...] = voxels
    return array
