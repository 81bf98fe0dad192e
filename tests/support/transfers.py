"""Volumes to transfer: three anisotropic scales at unequal offsets, ids above 2**63; and doors that misbehave."""

import threading
from collections import Counter
from dataclasses import replace

import numpy as np

from support.references import segmentation
from voxgate.model.errors import StoreUnavailable
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote
from voxgate_remotes.registry import Registry

BOXES = (
    Box.of(x=(-24, 47), y=(40, 83), z=(-7, 14)),
    Box.of(x=(-12, 24), y=(20, 42), z=(-7, 14)),
    Box.of(x=(-6, 12), y=(10, 21), z=(-7, 14)),
)
SIZES = (VoxelSize(4.0, 4.0, 40.0), VoxelSize(8.0, 8.0, 40.0), VoxelSize(16.0, 16.0, 40.0))
CHUNK = Vec3(13, 9, 5)


def voxels_of_scale(index: int) -> np.ndarray:
    """The uint64 voxels of one scale of the source, shape (1, z, y, x)."""
    return segmentation((1, *BOXES[index].shape.zyx), seed=index)


def source_spec(chunk: Vec3 | None = CHUNK, **changes) -> VolumeSpec:
    scales = tuple(ScaleSpec(box, size, chunk) for box, size in zip(BOXES, SIZES, strict=True))
    return replace(VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, scales), **changes)


def fill_source(registry, name: str, spec: VolumeSpec | None = None) -> None:
    """Create the source volume and write its voxels."""
    volume = registry.create(name, spec or source_spec())
    for index, box in enumerate(BOXES):
        volume.capability(Writable).write(box, voxels_of_scale(index), scale=index)


class Door:
    """A volume whose reads and writes a test can hold up, count, fail or falsify. Handles share one state."""

    def __init__(self, inner, state) -> None:
        self._inner = inner
        self._state = state

    @property
    def info(self):
        return self._inner.info

    def read(self, box, *, scale=0, channels=None, out=None):
        self._state.on_read(box, scale)
        voxels = self._inner.read(box, scale=scale, channels=channels, out=out)
        return self._state.falsify(box, voxels)

    def write(self, box, voxels, *, scale=0):
        self._state.on_write(box, scale)
        self._inner.capability(Writable).write(box, voxels, scale=scale)

    def capability(self, kind):
        return self if kind is Writable and self._inner.capability(kind) else self._inner.capability(kind)


class DoorState:
    """What a Door does. `gate` holds up every operation but the first `free`; `unavailable` fails so many."""

    def __init__(self) -> None:
        self.reads: Counter = Counter()
        self.writes: Counter = Counter()
        self.gate = threading.Event()
        self.gate.set()
        self.free = 0
        self.unavailable = 0
        self.corrupt = None
        self._lock = threading.Lock()

    def on_read(self, box, scale) -> None:
        with self._lock:
            self.reads[scale, box] += 1
            held = self.reads.total() > self.free
            fails, self.unavailable = self.unavailable > 0, max(0, self.unavailable - 1)
        if fails:
            raise StoreUnavailable("the store does not answer")
        if held and not self.gate.wait(60):
            raise AssertionError("the test forgot to open the gate")

    def on_write(self, box, scale) -> None:
        with self._lock:
            self.writes[scale, box] += 1

    def falsify(self, box, voxels):
        if self.corrupt is not None and box.contains_point(self.corrupt):
            voxels = voxels.copy()
            at = self.corrupt - box.start
            voxels[0, at.z, at.y, at.x] ^= np.uint64(1)
        return voxels


class DoorRemote:
    """A remote in memory behind doors."""

    def __init__(self) -> None:
        self.inner = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
        self.state = DoorState()

    def open(self, path, options: OpenOptions):
        return Door(self.inner.open(path, options), self.state)

    def create(self, path, spec):
        return Door(self.inner.create(path, spec), self.state)

    def list(self, parent):
        return self.inner.list(parent)

    def resolve(self, uri):
        return self.inner.resolve(uri)

    def capability(self, kind):
        return self.inner.capability(kind)


def memory_registry() -> tuple[Registry, DoorState, DoorState]:
    """Remotes "a" (filled with "a/seg") and "b" behind doors, and "fixed", which takes no writes."""
    one, other = DoorRemote(), DoorRemote()
    fixed = MemoryRemote(RemoteConfig(uri="memory://"))
    registry = Registry({"a": one, "b": other, "fixed": fixed})
    fill_source(registry, "a/seg")
    one.state.writes.clear()
    return registry, one.state, other.state
