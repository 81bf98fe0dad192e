"""Where the levels of an N5 volume lie: axes, voxel sizes and offsets, from the dialects of its attributes.

`dimensions` of an N5 dataset, and every list of numbers beside it, start with the fastest axis, which is x where
nobody names axes (github.com/saalfeldlab/n5, "File-system specification"). Dialects, in the order they are believed:

- COSEM (n5-universe, N5CosemMetadata): `transform {axes, scale, translate, units}` of a level, in C order unless
  `order` says "F": its last axis is the first of `dimensions`. Without `order`, axes that start with x are taken to be
  in the order of `dimensions`, as n5-ij wrote them, and reported as inferred. `translate` is the centre of the level's
  first voxel.
- BigDataViewer, n5-viewer, Paintera, neuroglancer: `downsamplingFactors` or `scales` of a group, or of each level;
  `pixelResolution {unit, dimensions}`, or `resolution` with `units`, of the factor 1; n5-viewer repeats it at each
  level, others state each level's own. `offset`, in the unit of `resolution`, is where the finest level starts. Levels
  of factors share their first corner.
- Only `axes` (tensorstore, neuroglancer) names the axes, in the order of `dimensions`.

A size without a unit stays unknown: BigDataViewer writes micrometres there, Paintera nanometres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.model.errors import ConfigContradictsStore, MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.n5_attributes import (
    Attributes,
    Numbers,
    are_close,
    are_ones,
    finite,
    lengths_by_axis,
    nanometres_of,
    numbers_by_axis,
    product,
    ratio,
    resolution_of,
)
from voxgate_remotes.ome import axes_from_names

_TOLERANCE = 1e-3
"""How far from a whole number of voxels an offset may be: decimal fractions cost some digits."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the levels lie.

    Attributes:
        axes: letters of t c z y x in the order of `dimensions`.
        sizes: nanometres of a voxel, by level; None where nobody says.
        offsets: global coordinates of the first voxel, by level, in voxels of the level.
        inferred: names of fields that were guessed.
    """

    axes: str
    sizes: tuple[VoxelSize | None, ...]
    offsets: tuple[Vec3, ...]
    inferred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Transform:
    """A level's `transform`: physical extent of a voxel and centre of the first one; nanometres of the units."""

    scale: Numbers
    translate: Numbers
    nanometres: Numbers | None


def geometry_of(
    group: Attributes, levels: Sequence[Attributes], transforms: Sequence[object], stated: VolumeOverrides
) -> Geometry:
    """The geometry of a volume.

    Args:
        group: the attributes of the group; those of the dataset itself where a volume is a bare one.
        levels: the attributes of each level's dataset, finest first.
        transforms: what states each level's `transform`; None where nothing does.
        stated: the operator's statements; `axes` in the order of `dimensions`.

    Raises:
        MetadataInvalid: for attributes that contradict themselves.
        UnsupportedFormat: for axes that nobody names, unknown units, levels that do not say how they relate, and
            offsets that are no whole number of voxels.
        ConfigContradictsStore: when the operator states other axes or another offset.
    """
    axes, guessed = _axes(group, levels, transforms, stated.axes)
    if any(transform is not None for transform in transforms):
        if any(transform is None for transform in transforms):
            raise MetadataInvalid("some levels have a `transform` and some have none", "add the missing ones")
        parsed = [_transform(transform, axes) for transform in transforms]
        offsets, unsure = _offsets_of_centres(parsed, stated)
        sizes = [_size(t.scale, t.nanometres) for t in parsed]
        ratios = [ratio(t.scale, parsed[0].scale) for t in parsed]
    else:
        factors = _factors(group, levels, axes)
        base, nanometres = _base_size(group, levels, factors, axes)
        offsets, unsure = _offsets_of_factors(_start(group, levels[0], base, axes), factors, stated)
        sizes = [_size(product(base, factor), nanometres) if base else None for factor in factors]
        ratios = [ratio(factor, factors[0]) for factor in factors]
    inferred = (("axes",) if guessed else ()) + (("voxel_offset",) if unsure else ())
    return Geometry(axes, _with_stated_size(sizes, ratios, stated), tuple(offsets), inferred)


def _axes(
    group: Attributes, levels: Sequence[Attributes], transforms: Sequence[object], stated: str | None
) -> tuple[str, bool]:
    """The axes in the order of `dimensions`, and whether they are guessed."""
    rank = len(levels[0]["dimensions"])
    named = {(axes_from_names(a["axes"]), False) for a in (group, *levels) if isinstance(a.get("axes"), list)}
    named = named or {_transform_axes(t) for t in transforms if isinstance(t, dict) and isinstance(t.get("axes"), list)}
    if len({axes for axes, _ in named}) > 1:
        raise MetadataInvalid("the attributes name the axes in different orders", "correct them")
    axes, guessed = min(named, default=(stated or "", not stated))
    if stated not in (None, axes) and not guessed:
        raise ConfigContradictsStore(
            f"the configuration states axes {stated}, the store says {axes}", "remove the key, or correct the store"
        )
    axes = stated or axes
    if not axes and rank != 3:
        raise UnsupportedFormat(
            f"the dataset has {rank} axes without names",
            'state `axes` for it in the configuration, in the order of its `dimensions`, e.g. "xyzc"',
        )
    if axes and len(axes) != rank:
        raise UnsupportedFormat(
            f"the dataset has {rank} axes, {len(axes)} are named ({axes})",
            "name each of them in `axes`, in the order of `dimensions`",
        )
    return axes or "xyz", guessed and not stated


def _transform_axes(transform: dict[str, object]) -> tuple[str, bool]:
    """The axes of a level's `transform` in the order of `dimensions`, and whether that order is guessed."""
    names = transform["axes"]
    letters = axes_from_names(names if isinstance(names, list) else [])
    order = transform.get("order")
    if order not in ("C", "F", None):
        raise MetadataInvalid("a level's `transform` has an order that is neither C nor F", "correct `attributes.json`")
    guessed = order is None and letters.startswith("x")
    return (letters if guessed or order == "F" else letters[::-1]), guessed


def _transform(found: object, axes: str) -> _Transform:
    """A level's `transform` by axis.

    Raises:
        MetadataInvalid, UnsupportedFormat.
    """
    try:
        if not isinstance(found, dict):
            raise TypeError
        listed = found.get("axes")
        names = axes_from_names(listed) if isinstance(listed, list) else axes[:: 1 if found.get("order") == "F" else -1]
        scale = dict(zip(names, map(finite, found["scale"]), strict=True))
        translate = dict(zip(names, map(finite, found.get("translate") or [0] * len(names)), strict=True))
        units = None if found.get("units") is None else dict(zip(names, found["units"], strict=True))
        if min(scale.values()) <= 0 or set(names) != set(axes):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise MetadataInvalid(
            "a level's `transform` does not give a scale and a translation for each axis", "correct `attributes.json`"
        ) from None
    spatial = [axis for axis in "xyz" if axis in axes]
    return _Transform(
        scale={axis: scale[axis] for axis in spatial},
        translate={axis: translate[axis] for axis in spatial},
        nanometres=nanometres_of([units[axis] for axis in spatial], spatial) if units else None,
    )


def _offsets_of_centres(levels: Sequence[_Transform], stated: VolumeOverrides) -> tuple[list[Vec3], bool]:
    """Each level's offset from the centres of first voxels, and whether the convention is guessed.

    Three readings are tried, of which at most one makes all levels whole, as they differ by fractions of a voxel: the
    frame starts in the centre of the finest level's voxel 0 (COSEM), or at its corner; or corners were written instead
    of centres, which is reported as inferred. The first one moves the frame by half a finest voxel, as everywhere here
    voxel 0 spans 0 to its size. Of a level alone only the first two differ.

    Raises:
        UnsupportedFormat: when no reading makes all of them whole.
        ConfigContradictsStore: when the operator states an offset that is a voxel or more away.
    """
    finest = levels[0]
    found = {a: finest.translate[a] / finest.scale[a] for a in finest.scale}
    moved = dict.fromkeys(finest.scale, 0.0)
    if stated.voxel_offset is not None:
        wanted = dict(zip("xyz", stated.voxel_offset, strict=True))
        moved = {a: wanted[a] - found[a] for a in found}
        if any(abs(by) >= 1 for by in moved.values()):
            raise ConfigContradictsStore(
                f"the configuration states voxel_offset {list(stated.voxel_offset)}, the store says "
                f"{list(found.values())}",
                "remove the key, or correct the store",
            )

    def read(frame: float, centre: float) -> list[Vec3] | None:
        return _whole(
            [
                {a: (t.translate[a] + (moved[a] + frame) * finest.scale[a]) / t.scale[a] - centre for a in t.scale}
                for t in levels
            ]
        )

    for frame, centre in ((0.5, 0.5), (0.0, 0.5), (0.0, 0.0)):
        whole = read(frame, centre)
        if whole is not None:
            return whole, centre == 0
    raise UnsupportedFormat(
        "the levels' translations are no whole numbers of voxels, neither as centres nor as corners",
        "open a single level by its own name and state its `voxel_offset`, or correct the translations",
    )


def _factors(group: Attributes, levels: Sequence[Attributes], axes: str) -> list[Numbers]:
    """Each level's factors along x, y and z.

    Raises:
        UnsupportedFormat: for a level that does not say them.
        MetadataInvalid.
    """
    ones = [1] * len(axes)
    if group is levels[0]:
        return [dict.fromkeys("xyz", 1.0)]
    listed = group.get("downsamplingFactors") or group.get("scales")
    if listed is not None and (not isinstance(listed, list) or len(listed) != len(levels)):
        raise MetadataInvalid("the group's factors are not one list for each level", "correct `attributes.json`")
    found = []
    for index, level in enumerate(levels):
        own = listed[index] if listed is not None else level.get("downsamplingFactors", None if index else ones)
        if own is None:
            raise UnsupportedFormat(
                f"the level s{index} does not say by what factors it is coarser",
                "add `downsamplingFactors` to its attributes, or open single levels by their own names",
            )
        found.append(lengths_by_axis(own, axes, "downsamplingFactors"))
    return found


def _base_size(
    group: Attributes, levels: Sequence[Attributes], factors: Sequence[Numbers], axes: str
) -> tuple[Numbers | None, Numbers | None]:
    """The size of the factor 1 in its unit, and the nanometres of the unit; None where nobody says.

    Raises:
        MetadataInvalid: when levels contradict it.
    """
    if group is levels[0] and not are_ones(group.get("downsamplingFactors")):
        return None, None  # of a coarser level by itself nobody knows whether its factors are in its resolution
    base, unit = resolution_of(group, axes)
    if base is None:
        base, unit = resolution_of(levels[0], axes)
    for level, factor in zip(levels, factors, strict=True):
        own, _ = resolution_of(level, axes)
        if base and own and not (are_close(own, base) or are_close(own, product(base, factor))):
            raise MetadataInvalid("the levels' resolutions contradict their factors", "correct `attributes.json`")
    return base, unit


def _start(group: Attributes, finest: Attributes, base: Numbers | None, axes: str) -> Numbers | None:
    """Where the volume starts, in voxels of the factor 1; None where nobody says, and of a coarser level by itself."""
    offset = next((a["offset"] for a in (group, finest) if a.get("offset") is not None), None)
    if offset is None or (group is finest and not are_ones(group.get("downsamplingFactors"))):
        return None
    return ratio(numbers_by_axis(offset, axes, "offset", missing=0.0), base or dict.fromkeys("xyz", 1.0))


def _offsets_of_factors(
    start: Numbers | None, factors: Sequence[Numbers], stated: VolumeOverrides
) -> tuple[list[Vec3], bool]:
    """Each level's offset where all share their first corner, and whether nobody says it.

    Raises:
        UnsupportedFormat: when it is no whole number of voxels of each level.
    """
    unsaid = start is None and stated.voxel_offset is None
    if start is None:
        start = product(dict(zip("xyz", map(float, stated.voxel_offset or (0, 0, 0)), strict=True)), factors[0])
    whole = _whole([ratio(start, factor) for factor in factors])
    if whole is None:
        raise UnsupportedFormat(
            f"the offset ({', '.join(f'{number:g}' for number in start.values())} voxels) is no whole number of voxels "
            "of each level",
            "open a single level by its own name and state its `voxel_offset`",
        )
    return whole, unsaid


def _with_stated_size(
    sizes: Sequence[VoxelSize | None], ratios: Sequence[Numbers], stated: VolumeOverrides
) -> tuple[VoxelSize | None, ...]:
    """The sizes; where nobody says them, the operator's for the finest level and by the ratios for the others."""
    if stated.voxel_size_nm is None or any(size is not None for size in sizes):
        return tuple(sizes)
    finest = dict(zip("xyz", stated.voxel_size_nm, strict=True))
    return tuple(VoxelSize(*(finest[a] * factor.get(a, 1.0) for a in "xyz")) for factor in ratios)


def _size(lengths: Numbers, nanometres: Numbers | None) -> VoxelSize | None:
    """A voxel's size; None without a unit for each of x, y and z."""
    if nanometres is None or len(nanometres) != 3:
        return None
    return VoxelSize(*(lengths[axis] * nanometres[axis] for axis in "xyz"))


def _whole(offsets: Sequence[Numbers]) -> list[Vec3] | None:
    """The offsets, if all of them are whole; 0 along an axis that is not there."""
    if any(abs(number - round(number)) > _TOLERANCE for offset in offsets for number in offset.values()):
        return None
    return [Vec3(*(round(offset.get(axis, 0.0)) for axis in "xyz")) for offset in offsets]
