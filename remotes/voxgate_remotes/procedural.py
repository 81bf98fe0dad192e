"""Volumes computed from coordinates and a seed: a million voxels a side, any dtype, nothing stored.

What scale tests run on. A remote `procedural://` has two volumes, `em` (uint8 image) and `seg` (uint64 segmentation);
`em-float32`, `seg-uint32` and so on open the same worlds in another dtype. Their options are in
`voxgate_remotes.procedural_options`.

How voxels follow from coordinates is in `voxgate_remotes.patterns`. Scale k is scale 0 sampled with strides
SCALE_FACTORS[k]: its voxel p is scale 0's voxel p * factor, and exists exactly where that one does.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ConfigInvalid, ReadOnly, StoreUnavailable, UnknownVolume
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.remotes import ListEntry, ResolvedUri
from voxgate.model.volumes import (
    RAW,
    SUPPORTED_DTYPES,
    C,
    CallContext,
    Channel,
    OpenOptions,
    Scale,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Voxels,
)
from voxgate_remotes.checks import checked_box, checked_channels, checked_out, path_under, refuse_version_and_time
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.patterns import cells, noise, smooth, splitmix64
from voxgate_remotes.procedural_options import ProceduralOptions

SCALE_FACTORS = (Vec3(1, 1, 1), Vec3(2, 2, 1), Vec3(4, 4, 1), Vec3(8, 8, 2))
"""The strides at which each scale samples scale 0: z is thinned later, as its voxels are ten times as long."""

_BLOCK = Vec3(256, 256, 16)
"""Voxels computed at once: bounds the memory of intermediates and the time between looks at the caller's patience."""


class ProceduralVolume:
    """A computed volume: read-only, immutable, complete. Thread-safe; memory does not grow with the volume."""

    def __init__(
        self, info: VolumeInfo, options: ProceduralOptions, context: CallContext, read_numbers: Iterator[int]
    ) -> None:
        """Bind a computed volume.

        Args:
            info: what `ProceduralRemote.open` says about it.
            options: the world it is part of.
            context: the caller's patience.
            read_numbers: numbers the reads of all handles: with the seed, that says which of them fail.
        """
        self._info = info
        self._options = options
        self._context = context
        self._read_numbers = read_numbers

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Compute a box; see `voxgate.model.volumes.Volume.read`."""
        checked_box(self._info, box, scale)
        wanted = checked_channels(self._info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self._info.dtype, out)
        self._be_a_store()
        factor = SCALE_FACTORS[scale]
        for block in grid_cells(box, _BLOCK, box.start):
            z, y, x = (
                np.arange(start, stop, dtype=np.int64) * step
                for start, stop, step in zip(block.start.zyx, block.stop.zyx, factor.zyx, strict=True)
            )
            for index, channel in enumerate(wanted):
                self._context.check()
                out[index, *block.slices_zyx(box.start)] = self._compute(channel, z, y, x)
        return out

    def _compute(
        self, channel: int, z: npt.NDArray[np.int64], y: npt.NDArray[np.int64], x: npt.NDArray[np.int64]
    ) -> Voxels:
        """The voxels at scale 0's coordinates z * y * x: array of shape (len(z), len(y), len(x))."""
        seed, dtype = self._options.seed, self._info.dtype
        if self._info.kind is VolumeKind.SEGMENTATION:
            return cells(seed, z, y, x, dtype)
        pattern = smooth if self._options.pattern == "smooth" else noise
        return pattern(splitmix64(seed + channel + 1), z, y, x, dtype)

    def _be_a_store(self) -> None:
        """Wait and fail as the options say.

        Raises:
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        context, options = self._context, self._options
        context.check()
        if options.latency_ms:
            patience = math.inf if context.deadline is None else context.deadline - time.monotonic()
            context.stop.wait(min(options.latency_ms / 1000, max(patience, 0) + 0.001))
            context.check()
        luck = splitmix64(splitmix64(options.seed) ^ next(self._read_numbers))
        if luck < options.failure_rate * 2**64:
            raise StoreUnavailable("the procedural store failed, as its `failure_rate` asks it to", "try again")

    def capability(self, kind: type[C]) -> C | None:  # noqa: ARG002  (the Protocol's)
        """None: everything is computed, nothing can be written, absent or indexed."""
        return None


class ProceduralRemote:
    """The computed volumes of one world. Thread-safe."""

    def __init__(self, config: RemoteConfig) -> None:
        """Check the options.

        Raises:
            ConfigInvalid: for a bad option, one stated twice, or a format.
        """
        if config.format:
            raise ConfigInvalid(f"a procedural remote has no format {config.format!r}", "remove it")
        self._uri = config.uri
        self._options = ProceduralOptions.of(config)
        self._read_numbers = itertools.count()  # its `next` is atomic

    def open(self, path: tuple[str, ...], options: OpenOptions) -> ProceduralVolume:
        """Open `em`, `seg`, `em-<dtype>` or `seg-<unsigned dtype>`.

        Raises:
            UnknownVolume, UnknownVersion, OutOfBounds.
        """
        name = path[0] if len(path) == 1 else ""
        world, dash, dtype_name = name.partition("-")
        if not dash:
            dtype_name = "uint64" if world == "seg" else "uint8"
        dtype = {d.name: d for d in SUPPORTED_DTYPES if world == "em" or d.kind == "u"}.get(dtype_name)
        if world not in ("em", "seg") or dtype is None:
            raise UnknownVolume(
                f"there is no volume {'/'.join(path)!r}", "open em, seg, em-<dtype> or seg-<unsigned dtype>"
            )
        refuse_version_and_time(options)
        return ProceduralVolume(self._info(world, dtype), self._options, options.context, self._read_numbers)

    def _info(self, world: str, dtype: np.dtype[Any]) -> VolumeInfo:
        channel_count = self._options.channels if world == "em" else 0
        return VolumeInfo(
            name="",
            dtype=dtype,
            kind=VolumeKind.IMAGE if world == "em" else VolumeKind.SEGMENTATION,
            # A world so small that a stride jumps over it has fewer scales.
            scales=tuple(
                itertools.takewhile(
                    lambda scale: not scale.bounds.is_empty,
                    (_scale(self._options, factor) for factor in SCALE_FACTORS),
                )
            ),
            axes="czyx" if channel_count else "zyx",
            channels=tuple(Channel() for _ in range(channel_count)),
            immutable=True,
        )

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """`em` and `seg`; their other dtypes open too, but are not listed."""
        if parent:
            raise UnknownVolume(f"there is no group {'/'.join(parent)!r}", "list the remote itself")
        return [ListEntry("em", is_volume=True), ListEntry("seg", is_volume=True)]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> ProceduralVolume:  # noqa: ARG002  (the Protocol's)
        """Refuse: nothing is stored here.

        Raises:
            ReadOnly: always.
        """
        raise ReadOnly("a procedural remote computes its volumes and takes none", "create it in another remote")

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote."""
        return path_under(self._uri, uri)

    def capability(self, kind: type[C]) -> C | None:  # noqa: ARG002  (there is none)
        """None: see `Remote.capability`."""
        return None


def _scale(options: ProceduralOptions, factor: Vec3) -> Scale:
    """The level that samples scale 0 at multiples of `factor`."""
    stop = options.offset + options.size
    bounds = Box(
        Vec3(*(-(-a // f) for a, f in zip(options.offset, factor, strict=True))),
        Vec3(*(-(-b // f) for b, f in zip(stop, factor, strict=True))),
    )
    return Scale(
        key="_".join(map(str, factor)),
        bounds=bounds,
        stored_chunk_shape=options.chunk,
        write_granule_shape=options.chunk,
        grid_origin=bounds.start,
        voxel_size_nm=VoxelSize(*(size * f for size, f in zip(options.voxel_size, factor, strict=True))),
        stored_encodings=(RAW,),
    )
