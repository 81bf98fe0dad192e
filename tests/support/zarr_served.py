"""Volumes in stores of several kinds behind a real Volume server and a gateway, and the voxels that are in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorstore as ts

from support.servers import SAMPLES, volume_server
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Channel, ScaleSpec, VolumeKind, VolumeSpec, Voxels, Writable
from voxgate_gateway.server import Gateway
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

LEVELS = (
    # Factors of 2, 2, 1 and then of 3, 1, 2; nothing is aligned, x begins below zero.
    ScaleSpec(Box.at(Vec3(-7, 1000, 21), Vec3(45, 38, 29)), VoxelSize(8, 8, 33), Vec3(16, 20, 8)),
    ScaleSpec(Box.at(Vec3(-4, 500, 21), Vec3(23, 19, 29)), VoxelSize(16, 16, 33), Vec3(16, 20, 8)),
    ScaleSpec(Box.at(Vec3(-2, 500, 10), Vec3(9, 19, 15)), VoxelSize(48, 16, 66), Vec3(7, 5, 4)),
)
CHANNELS = (Channel("DAPI", (3, 1200), (0, 65535), "0000FF"), Channel("GFP"), Channel("", (0.5, 7), None, "FF0000"))
ABSENT = 2**64 - 3
"""The fill value of the segmentation of which most is absent."""


@dataclass(frozen=True)
class Served:
    """A gateway in front of stores.

    Attributes:
        url: the gateway's.
        folder: where the volumes "made/…" are.
        voxels: (c, z, y, x) arrays of each volume, finest scale first.
        address: the Volume server's, "host:port".
    """

    url: str
    folder: Path
    voxels: dict[str, list[Voxels]]
    address: str

    def array(self, name: str, level: int) -> Voxels:
        """A level as Zarr has it: without a channel axis where there is one channel."""
        found = self.voxels[name][level]
        return found if found.shape[0] > 1 else found[0]


@contextlib.contextmanager
def served_stores(folder: Path) -> Iterator[Served]:
    """Serve precomputed files of a sample, and volumes made in `folder` as Zarr v2, Zarr v3 and precomputed."""
    remotes = {
        "made": RemoteConfig(uri=folder.as_uri(), writable=True),
        "aniso": RemoteConfig(uri=(SAMPLES / "aniso").as_uri()),
    }
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    voxels = {
        "made/em": _make(registry, "made/em", VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, LEVELS, format="zarr3")),
        "made/three": _make(
            registry, "made/three", VolumeSpec(np.dtype("<f4"), VolumeKind.IMAGE, LEVELS[:2], CHANNELS, format="zarr2")
        ),
        "made/ng": _make(
            registry, "made/ng", VolumeSpec(np.dtype("<i2"), VolumeKind.IMAGE, LEVELS, format="precomputed")
        ),
        "made/sparse": _make_sparse(registry, "made/sparse"),
        "aniso/seg": [_sample(level) for level in range(3)],
    }
    with volume_server(registry) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        try:
            yield Served(gateway.url, folder, voxels, server.address)
        finally:
            gateway.stop(1)


def _make(registry: Registry, name: str, spec: VolumeSpec) -> list[Voxels]:
    """Create a volume full of numbers that differ along every axis."""
    writable = registry.create(name, spec).capability(Writable)
    assert writable is not None
    arrays = []
    for index, level in enumerate(spec.scales):
        shape = (len(spec.channels) or 1, *level.bounds.shape.zyx)
        voxels = (np.arange(int(np.prod(shape))) * 7 + index).reshape(shape).astype(spec.dtype)
        writable.write(level.bounds, voxels, scale=index)
        arrays.append(voxels)
    return arrays


def _make_sparse(registry: Registry, name: str) -> list[Voxels]:
    """Create a segmentation of huge ids, one corner of which was ever written."""
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, LEVELS[:1], fill_value=ABSENT, format="zarr3")
    writable = registry.create(name, spec).capability(Writable)
    assert writable is not None
    bounds = LEVELS[0].bounds
    part = Box.at(bounds.start + Vec3(16, 20, 8), Vec3(16, 18, 8))
    voxels = np.full((1, *bounds.shape.zyx), ABSENT, np.uint64)
    inside = (slice(None), *part.slices_zyx(bounds.start))
    voxels[inside] = np.uint64(2**63 + 5) + np.arange(part.voxel_count, dtype=np.uint64).reshape(1, *part.shape.zyx)
    writable.write(part, voxels[inside])
    return [voxels]


def _sample(level: int) -> Voxels:
    """The voxels of the anisotropic sample, as tensorstore reads its files."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{SAMPLES}/aniso/seg/", "scale_index": level}
    return np.ascontiguousarray(ts.open(spec, open=True, read=True).result().read().result().transpose(3, 2, 1, 0))
