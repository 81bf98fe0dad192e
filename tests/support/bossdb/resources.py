"""Collections, experiments, channels and coordinate frames, and the JSON documents that tell them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .voxels import Voxels

Triple = tuple[float, float, float]
VOXEL_UNITS = ("nanometers", "micrometers", "millimeters", "centimeters")
TIME_UNITS = ("nanoseconds", "microseconds", "milliseconds", "seconds")
METHODS = ("anisotropic", "isotropic")
TYPES = ("image", "annotation")
DTYPES = ("uint8", "uint16", "uint32", "uint64")
CUBOID = (512, 512, 16)
"""Voxels of a cuboid, the unit of storage, x, y, z, at every resolution."""


@dataclass
class CoordinateFrame:
    """Where an experiment's voxels lie at native resolution; x, y, z, stop is exclusive."""

    name: str
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    voxel_size: Triple = (1.0, 1.0, 1.0)
    voxel_unit: str = "nanometers"
    description: str = ""
    creator: str = "owner"
    deleted: bool = False

    def document(self) -> dict[str, Any]:
        ranges: dict[str, Any] = {}
        for axis, start, stop in zip("xyz", self.start, self.stop, strict=True):
            ranges |= {f"{axis}_start": start, f"{axis}_stop": stop}
        sizes = {f"{axis}_voxel_size": float(size) for axis, size in zip("xyz", self.voxel_size, strict=True)}
        return {"name": self.name, "description": self.description, **ranges, **sizes, "voxel_unit": self.voxel_unit}


@dataclass
class Channel:
    """A channel, its voxels and its key-values."""

    name: str
    experiment: Experiment
    type: str
    datatype: str
    base_resolution: int = 0
    default_time_sample: int = 0
    description: str = ""
    public: bool = True
    sources: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    downsample_status: str = "NOT_DOWNSAMPLED"
    storage_type: str = "spdb"
    bucket: str | None = None
    cv_path: str | None = None
    creator: str = "owner"
    deleted: bool = False
    next_id: int = 1
    metadata: dict[str, str] = field(default_factory=dict)
    voxels: Voxels = field(init=False, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self.voxels = Voxels(np.dtype(self.datatype))

    def resolutions(self) -> range:
        """The resolutions that may be asked for."""
        return range(self.base_resolution, self.base_resolution + self.experiment.num_hierarchy_levels)

    def document(self) -> dict[str, Any]:
        names = ("name", "public", "description", "default_time_sample", "type", "base_resolution", "datatype")
        more = ("creator", "sources", "downsample_status", "related", "storage_type", "bucket", "cv_path")
        told = {name: getattr(self, name) for name in names + more}
        return {**told, "experiment": self.experiment.name}


@dataclass
class Experiment:
    """An experiment and its channels, by name; deleted ones stay, marked."""

    name: str
    collection: Collection
    coord_frame: CoordinateFrame
    num_hierarchy_levels: int = 1
    hierarchy_method: str = "anisotropic"
    num_time_samples: int = 1
    time_step: int | None = None
    time_step_unit: str = "seconds"  # never null: the published intern calls .lower() on it
    description: str = ""
    public: bool = True
    creator: str = "owner"
    deleted: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict, repr=False)

    def document(self) -> dict[str, Any]:
        names = ("name", "public", "description", "num_hierarchy_levels", "hierarchy_method", "num_time_samples")
        told = {name: getattr(self, name) for name in (*names, "time_step", "time_step_unit", "creator")}
        above = {"collection": self.collection.name, "coord_frame": self.coord_frame.name}
        return {"channels": [c.name for c in living(self.channels)], **told, **above}

    def isotropic_resolution(self) -> int:
        """The resolution whose voxels are closest to cubes.

        Raises:
            ValueError: anisotropic voxels whose x and y differ, which the service cannot tell about.
        """
        if self.hierarchy_method == "isotropic":
            return 0
        x, y, z = self.coord_frame.voxel_size
        if x != y:
            raise ValueError("X voxel size != Y voxel size")
        return min(range(30), key=lambda resolution: abs(z / (x * 2**resolution) - 1))

    def halves_z(self, resolution: int, iso: bool) -> bool:
        """Whether z is halved too on the way to a resolution."""
        if self.hierarchy_method == "isotropic":
            return True
        return iso and resolution > self.isotropic_resolution()


@dataclass
class Collection:
    """A collection and its experiments, by name; deleted ones stay, marked."""

    name: str
    description: str = ""
    public: bool = True
    creator: str = "owner"
    deleted: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict, repr=False)

    def document(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("name", "public", "description", "creator")}
        return {**told, "experiments": [e.name for e in living(self.experiments)]}


Resource = Collection | Experiment | Channel


def living(resources: dict[str, Any]) -> Iterator[Any]:
    """Those that are not marked for deletion."""
    return (resource for resource in list(resources.values()) if not resource.deleted)
