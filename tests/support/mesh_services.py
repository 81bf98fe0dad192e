"""A server with the Volume and Mesh services over one registry, and a client of it."""

import contextlib

import numpy as np

from support.mesh_searches import sampled
from support.mesh_volumes import OFFSET, CountingVolume
from support.servers import OneVolume, settings
from voxgate.client.connection import connect
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_mesh.service import registrations as mesh_registrations
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.registry import Registry
from voxgate_serving.server import new_server_id, start_server
from voxgate_serving.workers import WorkerPool
from voxgate_volume.service import registrations as volume_registrations

BALL, ROD, DOT, ABSENT = 2**63 + 9, 2**53 + 1, 3, 2**64 - 2
SIZES = (VoxelSize(8.0, 6.0, 30.0), VoxelSize(16.0, 12.0, 30.0), VoxelSize(32.0, 24.0, 60.0))
"""Of a pyramid whose flat voxels are halved along x and y first."""


@contextlib.contextmanager
def serving_meshes(registry, **overrides):
    """Yields the server."""
    chosen = settings(**overrides)
    server_id = new_server_id()
    services = [
        *volume_registrations(registry, chosen, server_id=server_id, beside=frozenset({"voxgate.v1.MeshService"})),
        *mesh_registrations(registry, chosen, workers=WorkerPool(chosen.worker_processes)),
    ]
    server = start_server(services, chosen, server_id)
    try:
        yield server
    finally:
        server.stop(1.0)


@contextlib.contextmanager
def client_of(volume, **overrides):
    """Yields a client of a server on which every name of the remote "lab" is this volume."""
    with (
        serving_meshes(Registry({"lab": OneVolume(volume)}), **overrides) as server,
        connect(server.address) as client,
    ):
        yield client


def bodies():
    """A ball of 300 nm, a rod and one voxel; labels of shape (z, y, x)."""
    z, y, x = np.ogrid[:26, :108, :84]
    labels = np.zeros((26, 108, 84), np.uint64)
    labels[((z - 12.5) * 30) ** 2 + ((y - 53.5) * 6) ** 2 + ((x - 41.5) * 8) ** 2 <= 300**2] = BALL
    labels[2:4, 1:107, 2:5] = ROD
    labels[20, 9, 75] = DOT
    return labels


def pyramid(labels):
    """A volume of three scales, counting its reads."""
    boxes = [Box.at(OFFSET, Vec3.from_zyx(labels.shape))]
    voxels = [labels]
    for size in SIZES[1:]:
        coarse, bounds = sampled(labels, OFFSET, SIZES[0], size)
        boxes.append(bounds)
        voxels.append(coarse)
    chunk = Vec3(24, 20, 16)
    specs = tuple(ScaleSpec(box, size, chunk) for box, size in zip(boxes, SIZES, strict=True))
    volume = MemoryVolume.create(VolumeSpec(labels.dtype.newbyteorder("<"), VolumeKind.SEGMENTATION, specs))
    for scale, (box, each) in enumerate(zip(boxes, voxels, strict=True)):
        volume.write(box, each[np.newaxis], scale=scale)
    return CountingVolume(volume)
