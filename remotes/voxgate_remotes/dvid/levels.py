"""The scales of a volume, and where in DVID each is.

Label types keep levels 0 to MaxDownresLevel in one instance, each half the one before on every axis: voxel i of a
level covers 2i and 2i + 1, so level n of bounds [a, b) has [floor(a / 2**n), ceil(b / 2**n)). DVID makes them from what
is written to level 0 (measured: a POST to raw ignores `scale`), so level 0 alone can be written.

Images have one level; pyramids of them are instances `name_1`, `name_2` … by convention
(github.com/janelia-flyem/dvid/issues/329). They count as scales of `name` where their type is the same and their voxels
are 1 to 2**n times as large on each axis, and larger on one. They are listed as volumes of their own, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import LabelView, Scale, VolumeInfo, VolumeKind
from voxgate_remotes.dvid.graph import Node
from voxgate_remotes.dvid.instances import ORIGIN, Instance


@dataclass(frozen=True, slots=True)
class Level:
    """One scale: the instance that has it, and its number there."""

    instance: Instance
    number: int
    scale: Scale


def labels_of(instance: Instance, bounds: Box, is_open: bool) -> tuple[Level, ...]:
    """The levels of an instance of labels."""
    return tuple(
        Level(instance, n, _scale(str(n), halved(bounds, n), instance, n, is_open and n == 0))
        for n in range(instance.max_level + 1)
    )


def images_of(
    instance: Instance, bounds: Box, is_open: bool, coarser: Callable[[int], Instance | None]
) -> tuple[Level, ...]:
    """The levels of an image: its own, and those of its coarser siblings as far as they go on.

    Args:
        instance: the finest.
        bounds: its bounds.
        is_open: whether voxels can be written.
        coarser: the sibling of a number, 1 and up; None where there is none.
    """
    levels = [Level(instance, 0, _scale("0", bounds, instance, 0, is_open))]
    number = 1
    while (sibling := coarser(number)) is not None and _continues(levels, sibling, number):
        if sibling.bounds is None:
            break
        levels.append(Level(sibling, 0, _scale(str(number), sibling.bounds, sibling, 0, is_open)))
        number += 1
    return tuple(levels)


def described(instance: Instance, levels: tuple[Level, ...], node: Node) -> VolumeInfo:
    """The description of a volume. Voxels that were never written read as 0, whatever `Background` says (measured)."""
    views = (LabelView.BODIES, LabelView.SUPERVOXELS) if instance.typename == "labelmap" else ()
    return VolumeInfo(
        name="",
        dtype=instance.dtype,
        kind=VolumeKind.SEGMENTATION if instance.is_labels else VolumeKind.IMAGE,
        scales=tuple(level.scale for level in levels),
        fill_value=0.0 if instance.dtype.kind == "f" else 0,
        resolved_version=node.uuid,
        immutable=node.is_locked and instance.is_versioned,
        label_views=views,
    )


def siblings(name: str, types: Mapping[str, str]) -> Iterator[str]:
    """The names that coarser levels of an image have, as far as there are instances of its type."""
    number = 1
    while types.get(f"{name}_{number}") == types.get(name):
        yield f"{name}_{number}"
        number += 1


def halved(bounds: Box, level: int) -> Box:
    """The bounds of a level below."""
    start, stop = ([value >> level for value in bounds.start], [-(-value >> level) for value in bounds.stop])
    return Box(Vec3(*start), Vec3(*stop))


def _scale(key: str, bounds: Box, instance: Instance, level: int, writable: bool) -> Scale:
    size = instance.voxel_size_nm
    factor = 2.0**level
    return Scale(
        key=key,
        bounds=bounds,
        stored_chunk_shape=instance.block,
        write_granule_shape=instance.block,
        grid_origin=ORIGIN,
        voxel_size_nm=None if size is None else VoxelSize(size.x * factor, size.y * factor, size.z * factor),
        writable=writable,
    )


def _continues(levels: list[Level], sibling: Instance, number: int) -> bool:
    """Whether an instance is the next coarser level, by the sizes of its voxels."""
    fine, before, now = (levels[0].instance.voxel_size_nm, levels[-1].instance.voxel_size_nm, sibling.voxel_size_nm)
    if fine is None or before is None or now is None or sibling.typename != levels[0].instance.typename:
        return False
    if sibling.bounds is None or sibling.bounds.voxel_count > levels[-1].scale.bounds.voxel_count:
        return False
    steps = [b / a for a, b in zip(fine, now, strict=True)]
    grows = any(b > a * 1.001 for a, b in zip(before, now, strict=True))
    return grows and all(0.999 <= step <= 2.0**number * 1.001 for step in steps)
