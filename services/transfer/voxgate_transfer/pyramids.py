"""Which levels a pyramid has, and starting one on a volume that exists. See `voxgate_transfer.coarsening` for its work.

Level n + 1 is made from level n as it is stored, as every reader of the volume could have made it: the mode of modes is
not the mode of all, and this is the one that the field's pyramids hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from voxgate.model.access import Role
from voxgate.model.downsampling import Downsampling
from voxgate.model.errors import (
    FailedPrecondition,
    InvalidArgument,
    LimitExceeded,
    MissingCapability,
    ReadOnly,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import Job, PyramidJobSpec, PyramidMethod, PyramidSpec
from voxgate.model.names import VolumeName
from voxgate.model.remotes import CoarserScale
from voxgate.model.volumes import (
    ArrayCodec,
    CallContext,
    OpenOptions,
    Scale,
    Volume,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
)
from voxgate_blocks.downsampling import MAX_FACTOR, Method, coarser
from voxgate_jobs.starting import Prepared, Starter
from voxgate_jobs.store import JobStore
from voxgate_jobs.work import Engine
from voxgate_transfer.origins import parameters, software

SMALLEST_EXTENT = 64
"""Where nobody states factors, levels are made until one has at most so many voxels on every axis."""
MAX_LEVELS = 64
METHOD = "voxgate pyramid"

_FIELD = {"field": "pyramid.factors"}


def method_of(pyramid: PyramidSpec, kind: VolumeKind) -> Method:
    """How voxels become one.

    Raises:
        InvalidArgument: where nobody says what the voxels mean; for means of segment ids.
    """
    if pyramid.method is PyramidMethod.MEAN and kind is VolumeKind.SEGMENTATION:
        raise InvalidArgument(
            "the mean of segment ids is the id of something else", "ask for the mode", details={"field": "method"}
        )
    if pyramid.method is not PyramidMethod.AUTO:
        return "mean" if pyramid.method is PyramidMethod.MEAN else "mode"
    if kind is VolumeKind.UNKNOWN:
        raise InvalidArgument(
            "it is unknown whether the voxels are an image or segment ids",
            "state the method: mean for an image, mode for segment ids",
            details={"field": "method"},
        )
    return "mode" if kind is VolumeKind.SEGMENTATION else "mean"


def levels_of(pyramid: PyramidSpec, bounds: Box, size: VoxelSize | None) -> tuple[CoarserScale, ...]:
    """The levels above a finest one.

    Args:
        pyramid: what is asked for; without factors 2 on every axis whose voxels are less than twice as long as the
            shortest, until a level has at most SMALLEST_EXTENT voxels on every axis: none where the finest one has.
        bounds: of the finest level.
        size: of its voxels; None, unknown, is taken for equal on all axes.

    Raises:
        InvalidArgument: for a factor that is none.
        LimitExceeded: for more than MAX_LEVELS levels.
    """
    if len(pyramid.factors) > MAX_LEVELS:
        raise LimitExceeded(
            f"{len(pyramid.factors)} levels are more than the {MAX_LEVELS} that a pyramid may have",
            "state fewer, larger factors",
            details={"limit": str(MAX_LEVELS), "asked": str(len(pyramid.factors))},
        )
    for factor in pyramid.factors:
        if not all(1 <= each <= MAX_FACTOR for each in factor) or max(factor) == 1:
            raise InvalidArgument(
                f"{tuple(factor)} is no factor", f"each number is from 1 to {MAX_FACTOR}, not all 1", details=_FIELD
            )
    levels: list[CoarserScale] = []
    sizes = (1.0, 1.0, 1.0) if size is None else tuple(size)
    while len(levels) < (len(pyramid.factors) or MAX_LEVELS):
        if not pyramid.factors and max(bounds.shape) <= SMALLEST_EXTENT:
            break
        factor = pyramid.factors[len(levels)] if pyramid.factors else _usual_factor(sizes)
        bounds = coarser(bounds, factor)
        sizes = tuple(a * f for a, f in zip(sizes, factor, strict=True))
        levels.append(CoarserScale(factor, bounds))
    return tuple(levels)


def _usual_factor(sizes: Sequence[float]) -> Vec3:
    return Vec3(*(2 if size < 2 * min(sizes) else 1 for size in sizes))


def with_levels(spec: VolumeSpec, pyramid: PyramidSpec) -> VolumeSpec:
    """A volume to be created, with a pyramid's levels in place of those that it has above its finest one.

    Raises:
        InvalidArgument, LimitExceeded: see `levels_of`.
    """
    scales = [spec.scales[0]]
    for level in levels_of(pyramid, scales[0].bounds, scales[0].voxel_size_nm):
        size = _larger(scales[-1].voxel_size_nm, level.factor)
        scales.append(replace(scales[0], bounds=level.bounds, voxel_size_nm=size))
    return replace(spec, scales=tuple(scales))


def resolved(pyramid: PyramidSpec, info: VolumeInfo) -> PyramidSpec:
    """The same pyramid of this volume, with nothing left to choose.

    Raises:
        InvalidArgument, LimitExceeded: see `levels_of` and `method_of`.
    """
    finest = info.scales[0]
    factors = tuple(level.factor for level in levels_of(pyramid, finest.bounds, finest.voxel_size_nm))
    return PyramidSpec(factors, PyramidMethod(method_of(pyramid, info.kind)))


def check_levels(info: VolumeInfo, levels: Sequence[CoarserScale]) -> int:
    """How many of a pyramid's levels a volume has already.

    Raises:
        FailedPrecondition: when it has other levels.
        UnsupportedFormat: when it keeps one with loss: what is read back would differ from what was made.
    """
    there = info.scales[1:]
    if len(there) > len(levels):
        raise _other_levels(f"{len(there)} coarser levels, the pyramid would have {len(levels)}")
    for index, (scale, level) in enumerate(zip(there, levels, strict=False), start=1):
        if scale.bounds != level.bounds:
            raise _other_levels(f"a scale {index} with {scale.bounds}, the pyramid's would have {level.bounds}")
        before = info.scales[index - 1]
        if not _same_size(scale.voxel_size_nm, _larger(before.voxel_size_nm, level.factor)):
            raise _other_levels(f"a scale {index} whose voxels are not {tuple(level.factor)} times those before")
        if any(each.array is ArrayCodec.JPEG for each in scale.stored_encodings):
            raise UnsupportedFormat(
                f"scale {index} is kept with loss, so it cannot be proved that its voxels arrived",
                "transfer the volume to a new one, with a pyramid",
            )
    return len(there)


def check_pyramid(pyramid: PyramidSpec, copied: VolumeInfo, kind: VolumeKind) -> None:
    """Refuse a pyramid that no volume like this one could have.

    Raises:
        InvalidArgument, LimitExceeded: see `levels_of` and `method_of`.
    """
    method_of(pyramid, kind)
    levels_of(pyramid, copied.scales[0].bounds, copied.scales[0].voxel_size_nm)


def check_whole(info: VolumeInfo, pyramid: PyramidSpec) -> None:
    """Refuse a volume that has not all levels of a pyramid, or others, or such as cannot be written.

    Raises:
        FailedPrecondition, UnsupportedFormat: see `check_levels`.
        ReadOnly: for levels that take no writes.
    """
    levels = levels_of(pyramid, info.scales[0].bounds, info.scales[0].voxel_size_nm)
    there = check_levels(info, levels)
    if there < len(levels):
        raise FailedPrecondition(
            f"the destination has {there} of the {len(levels)} coarser levels of this pyramid",
            "copy without it, and make the pyramid of the destination afterwards",
            details=_FIELD,
        )
    check_writable(info.scales[1:])


def _other_levels(what: str) -> FailedPrecondition:
    return FailedPrecondition(f"the volume has {what}", "state the factors of the levels that it has", details=_FIELD)


def _larger(size: VoxelSize | None, factor: Vec3) -> VoxelSize | None:
    return None if size is None else VoxelSize(*(a * f for a, f in zip(size, factor, strict=True)))


def _same_size(one: VoxelSize | None, other: VoxelSize | None) -> bool:
    """Whether two sizes are the same, or one is unknown."""
    if one is None or other is None:
        return True
    return all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(one, other, strict=True))


class LevelStores(Protocol):
    """What a pyramid needs of the registry of remotes."""

    def open(self, name: str, options: OpenOptions) -> Volume:
        """Open a volume by its name, "remote/path"."""
        ...

    def add_scales(self, name: str, first: int, coarser: Sequence[CoarserScale]) -> None:
        """Add empty levels to a volume; see `voxgate.model.remotes.TakesScales`."""
        ...


class CallersLevels(LevelStores, Protocol):
    """The same for any caller."""

    def for_caller(self, context: CallContext) -> LevelStores:
        """The volumes as one caller may use them."""
        ...


class Pyramids:
    """Creates the levels and the job of a pyramid. Thread-safe.

    Args:
        stores: opens volumes and adds levels to them.
        jobs: where the records go.
        engine: what runs them.
    """

    def __init__(self, stores: CallersLevels, jobs: JobStore, engine: Engine) -> None:
        self._stores = stores
        self._starter = Starter(jobs, engine)

    def start(self, owner: str, request_id: str, asked: PyramidJobSpec, context: CallContext) -> Job:
        """Add the levels that the volume lacks, record a job and let it run; a repeated request answers its first job.

        Levels that are there already, and lie where the pyramid's would, are made anew.

        Args:
            owner: the caller's name.
            request_id: the caller's id of this request.
            asked: the volume and its pyramid.
            context: the caller's patience, for looking at the store; the job does not end with the call.

        Raises:
            RequestIdReused: when the id was used for something else.
            InvalidArgument, LimitExceeded, FailedPrecondition, UnsupportedFormat: for a pyramid that the volume cannot
                have.
            MissingCapability: for a volume that takes no levels, and one whose store makes them by itself.
            ReadOnly: for a volume that takes no writes.
            ServerBusy: when too many jobs wait.
            VoxgateError: whatever opening the volume raises.
        """

        def prepare() -> Prepared:
            pyramid, form = self._with_its_levels(asked, context)
            spec = replace(asked, pyramid=pyramid)
            return spec, _origin(spec, form)

        return self._starter.start((owner, request_id), asked, VolumeName.parse(asked.volume), prepare, context)

    def _with_its_levels(self, asked: PyramidJobSpec, context: CallContext) -> tuple[PyramidSpec, str]:
        """The pyramid of a volume, which has its levels from now on, and the volume's format."""
        stores, options = self._stores.for_caller(context), OpenOptions(context=context, role=Role.WRITE)
        volume = stores.open(asked.volume, options)
        check_takes_pyramid(volume)
        pyramid = resolved(asked.pyramid, volume.info)
        if not pyramid.factors:
            raise InvalidArgument(
                f"the volume has at most {SMALLEST_EXTENT} voxels on every axis and needs no coarser level",
                "state factors, to have one all the same",
                details=_FIELD,
            )
        info = volume.info
        levels = levels_of(pyramid, info.scales[0].bounds, info.scales[0].voxel_size_nm)
        missing = levels[check_levels(info, levels) :]
        if missing:
            stores.add_scales(asked.volume, len(info.scales), missing)
            info = stores.open(asked.volume, options).info
        check_levels(info, levels)
        check_writable(info.scales[1:])
        return pyramid, info.format


def _origin(spec: PyramidJobSpec, form: str) -> dict[str, str]:
    """What the record of a job says of where its voxels come from: the volume's own finest level."""
    return {
        "method": METHOD,
        "volume": spec.volume,
        "format": form,
        "parameters": parameters(spec),
        "software": software(),
    }


def check_takes_pyramid(volume: Volume) -> None:
    """Refuse a volume whose levels are not made here.

    Raises:
        MissingCapability: when it has no voxels; when its store makes the levels by itself.
        UnsupportedFormat: when it has several time points.
    """
    if not volume.info.scales:
        raise MissingCapability("the volume has no voxels", "choose another one", details={"capability": "READ"})
    if volume.info.time_count > 1:
        raise UnsupportedFormat(
            f"the volume has {volume.info.time_count} time points", "pyramids are made of volumes without a time axis"
        )
    if volume.capability(Downsampling) is not None:
        raise MissingCapability(
            "the store of this volume makes its coarser levels by itself",
            "ask it to: StartDownsampling, in Python vol.start_downsampling()",
            details={"capability": "TakesScales"},
        )


def check_writable(levels: Sequence[Scale]) -> None:
    """Refuse levels that cannot be written.

    Raises:
        ReadOnly.
    """
    fixed = [index for index, scale in enumerate(levels, start=1) if not scale.writable]
    if fixed:
        raise ReadOnly(
            f"scale {fixed[0]} of the volume takes no writes",
            "the operator sets `writable = true` for its remote; sharded levels of precomputed cannot be written",
        )
