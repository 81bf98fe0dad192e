"""The state of the server, in memory: tests may look at it and seed it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import BossError, Code
from .resources import Channel, Collection, CoordinateFrame, Experiment, Triple
from .voxels import Level

Kind = TypeVar("Kind", Collection, Experiment, Channel)


class Store:
    """Collections and coordinate frames by name; deleted ones stay, marked, as the service keeps them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.collections: dict[str, Collection] = {}
        self.frames: dict[str, CoordinateFrame] = {}

    def collection(self, name: str) -> Collection:
        """A collection that is not deleted."""
        return _living(self.collections.get(name), name)

    def experiment(self, collection: str, name: str) -> Experiment:
        """An experiment that is not deleted, nor what it is in."""
        return _living(self.collection(collection).experiments.get(name), name)

    def channel(self, collection: str, experiment: str, name: str) -> Channel:
        """A channel that is not deleted, nor what it is in."""
        return _living(self.experiment(collection, experiment).channels.get(name), name)

    def add_frame(
        self,
        name: str,
        start: tuple[int, int, int],
        stop: tuple[int, int, int],
        voxel_size: Triple = (1.0, 1.0, 1.0),
        voxel_unit: str = "nanometers",
    ) -> CoordinateFrame:
        """Add or replace a coordinate frame; x, y, z, stop is exclusive."""
        with self.lock:
            self.frames[name] = CoordinateFrame(name, start, stop, voxel_size, voxel_unit)
            return self.frames[name]

    def add_channel(
        self,
        collection: str,
        experiment: str,
        channel: str,
        voxels: npt.NDArray[Any] | None = None,
        *,
        dtype: str | None = None,
        type: str | None = None,  # noqa: A002 - the dialect's word
        start: tuple[int, int, int] = (0, 0, 0),
        stop: tuple[int, int, int] | None = None,
        voxel_size: Triple = (1.0, 1.0, 1.0),
        voxel_unit: str = "nanometers",
        hierarchy_method: str = "anisotropic",
        num_hierarchy_levels: int | None = None,
        num_time_samples: int = 1,
        default_time_sample: int = 0,
        base_resolution: int = 0,
        downsample_status: str | None = None,
        levels: Sequence[npt.NDArray[Any]] = (),
        public: bool = True,
        storage_type: str = "spdb",
    ) -> Channel:
        """Add a channel with what it needs around it; an experiment that is there stays as it is.

        `voxels` (z, y, x) or (t, z, y, x) lie at the frame's start, at `base_resolution`; `levels` are those of the
        resolutions above it, and make the channel DOWNSAMPLED unless told otherwise. `start` and `stop` are the
        coordinate frame's, x, y, z at resolution 0; without `stop` the frame ends where the voxels end. `type` is
        "image" for uint8 and uint16 unless told otherwise. `num_hierarchy_levels` is as many as there are arrays.
        """
        kind = dtype or (str(voxels.dtype) if voxels is not None else "uint8")
        if stop is None:
            if voxels is None:
                raise ValueError("without voxels the frame's stop must be told")
            x, y, z = (first + size for first, size in zip(start, voxels.shape[:-4:-1], strict=True))
            stop = (x, y, z)
        with self.lock:
            inside = self.collections.setdefault(collection, Collection(collection, public=public))
            if experiment not in inside.experiments:
                frame = self.add_frame(f"CF_{collection}_{experiment}", start, stop, voxel_size, voxel_unit)
                inside.experiments[experiment] = Experiment(
                    experiment,
                    inside,
                    frame,
                    num_hierarchy_levels or 1 + len(levels),
                    hierarchy_method,
                    num_time_samples,
                    public=public,
                )
            around = inside.experiments[experiment]
            made = Channel(
                channel,
                around,
                type or ("image" if kind in ("uint8", "uint16") else "annotation"),
                kind,
                base_resolution,
                default_time_sample,
                public=public,
                downsample_status=downsample_status or ("DOWNSAMPLED" if levels else "NOT_DOWNSAMPLED"),
                storage_type=storage_type,
            )
            arrays = [] if voxels is None else [voxels, *levels]
            for resolution, array in enumerate(arrays, start=base_resolution):
                timed = array if array.ndim == 4 else array[None]
                made.voxels.replace(Level(resolution), level_start(around, resolution), np.asarray(timed, kind))
            around.channels[channel] = made
        return made


def level_start(experiment: Experiment, resolution: int) -> tuple[int, int, int]:
    """The first voxel (z, y, x) of the frame at a resolution: start divided by two, downwards, once a level."""
    x, y, z = experiment.coord_frame.start
    depth = resolution if experiment.hierarchy_method == "isotropic" else 0
    return z >> depth, y >> resolution, x >> resolution


def _living(resource: Kind | None, name: str) -> Kind:
    if resource is None:
        raise BossError(Code.RESOURCE_NOT_FOUND, f"{name} does not exist.")
    if resource.deleted:
        raise BossError(Code.MARKED_FOR_DELETION, f"{name} has been marked for deletion")
    return resource
