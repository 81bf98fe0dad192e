"""What instances a new volume needs: POST /api/repo/{uuid}/instance takes names and strings (help of the server).

| dtype, kind               | instance                                                                           |
|---------------------------|------------------------------------------------------------------------------------|
| uint64 segmentation       | labelmap with MaxDownresLevel = scales - 1; DVID makes the coarser scales itself    |
| other segmentation        | none: a label in DVID has 64 bits, and nothing is cast                              |
| uint8 16 32 64, float32   | uint8blk …; coarser scales are instances `name_1` …                                 |
| others                    | none                                                                               |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from voxgate.model.errors import AlreadyExists, InvalidArgument, MalformedName, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import RAW, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.dvid.instances import BOUNDS_TAG, VOXEL_TYPES, Instance, bounds_tag
from voxgate_remotes.dvid.levels import halved

DEFAULT_BLOCK = Vec3(64, 64, 64)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_RESERVED = ("log", "branch", "note", "commit", "newversion", "status", "tag")
_LABEL_STEP = 16
_LIMIT = 1 << 31


@dataclass(frozen=True, slots=True)
class Planned:
    """An instance to be made."""

    name: str
    typename: str
    bounds: Box
    block: Vec3
    voxel_size_nm: VoxelSize | None
    max_level: int = 0

    def document(self) -> dict[str, str]:
        """What is posted. Where the size of voxels is unknown the unit says so: DVID would put 8 nm."""
        size = self.voxel_size_nm or VoxelSize(1.0, 1.0, 1.0)
        unit = "voxels" if self.voxel_size_nm is None else "nanometers"
        levels = {"MaxDownresLevel": str(self.max_level)} if self.typename == "labelmap" else {}
        return {
            "typename": self.typename,
            "dataname": self.name,
            "BlockSize": ",".join(map(str, self.block)),
            "VoxelSize": ",".join(map(repr, map(float, size))),
            "VoxelUnits": ",".join([unit] * 3),
            "Tags": f"{BOUNDS_TAG}={bounds_tag(self.bounds)}",
            **levels,
        }

    def extents(self) -> dict[str, list[int]]:
        """The bounds as other programs read them: inclusive."""
        low, high = self.bounds.start, self.bounds.stop - Vec3(1, 1, 1)
        return {"MinPoint": list(low), "MaxPoint": list(high)}

    def check_same(self, there: Instance) -> None:
        """Check that an instance of this name is the planned one.

        Raises:
            AlreadyExists.
        """
        # Voxels that other programs wrote beyond the bounds do not make it another volume.
        facts = (there.typename, there.block, there.stated or there.extent, there.max_level)
        if facts != (self.typename, self.block, self.bounds, self.max_level) or not _same(
            self.voxel_size_nm, there.voxel_size_nm
        ):
            raise AlreadyExists(f"there is another instance {self.name!r}", "choose another name")


def planned(name: str, spec: VolumeSpec) -> list[Planned]:
    """The instances of a volume, finest first.

    Raises:
        MalformedName: for a name that DVID's URLs or commands could not carry.
        UnsupportedFormat, InvalidArgument: for a spec that DVID cannot hold exactly.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise MalformedName(f"{name!r} cannot be the name of an instance", "use letters, digits and _ . + -")
    _check(spec)
    typename = _typename(spec)
    if typename == "labelmap":
        return [_labels(name, spec)]
    return [
        Planned(name if number == 0 else f"{name}_{number}", typename, scale.bounds, _block(scale), scale.voxel_size_nm)
        for number, scale in enumerate(spec.scales)
    ]


def _check(spec: VolumeSpec) -> None:
    if spec.format:
        raise UnsupportedFormat(f"DVID does not create {spec.format!r}", "leave the format out")
    if spec.channels:
        raise UnsupportedFormat("an instance of DVID has no channels", "create one volume for each")
    if spec.fill_value != 0:
        raise UnsupportedFormat("what was never written reads as 0 in DVID", "leave the fill value out")
    if not spec.scales:
        raise InvalidArgument("a volume needs a scale", "state at least one")
    for scale in spec.scales:
        if scale.bounds.is_empty or not all(-_LIMIT < end < _LIMIT for end in _ends(scale.bounds)):
            raise InvalidArgument("the bounds are empty or beyond 32 bits", "state bounds that DVID can address")
        if scale.encoding not in (None, RAW) or scale.shard_shape not in (None, _block(scale)):
            raise UnsupportedFormat("DVID chooses how it keeps blocks", "leave encoding and shard shape out")


def _typename(spec: VolumeSpec) -> str:
    dtype = spec.dtype.newbyteorder("<")
    if spec.kind is VolumeKind.SEGMENTATION:
        if dtype != VOXEL_TYPES["labelmap"]:
            raise UnsupportedFormat(f"labels in DVID are uint64, not {spec.dtype.name}", "convert the segmentation")
        return "labelmap"
    for name, known in VOXEL_TYPES.items():
        if name.endswith("blk") and known == dtype:
            return name
    raise UnsupportedFormat(
        f"DVID has no images of {spec.dtype.name}", "convert to uint8, uint16, uint32, uint64 or float32"
    )


def _labels(name: str, spec: VolumeSpec) -> Planned:
    """One labelmap for all scales, which must be those that DVID makes."""
    fine = spec.scales[0]
    block = _block(fine)
    levels = len(spec.scales) - 1
    if any(size % _LABEL_STEP for size in block):
        raise UnsupportedFormat(f"blocks of labels are multiples of {_LABEL_STEP}", "choose another chunk shape")
    for number, scale in enumerate(spec.scales):
        size = fine.voxel_size_nm
        wanted = None if size is None else VoxelSize(*(one * 2.0**number for one in size))
        is_made = scale.bounds == halved(fine.bounds, number) and _same(scale.voxel_size_nm, wanted)
        if not is_made or _block(scale) != block:
            raise UnsupportedFormat(
                f"scale {number} is not what DVID makes of labels",
                "halve bounds outward and double the voxel size from scale to scale, with one chunk shape",
            )
    if levels and (len(set(block)) > 1 or min(fine.bounds.start) < 0):
        raise UnsupportedFormat(
            "DVID makes coarser scales of labels in cubic blocks and above voxel 0 only", "create one scale"
        )
    return Planned(name, "labelmap", fine.bounds, block, fine.voxel_size_nm, levels)


def _block(scale: ScaleSpec) -> Vec3:
    block = scale.chunk_shape or DEFAULT_BLOCK
    if min(block) < 1:
        raise InvalidArgument("chunk shapes are positive", "leave them out for the defaults")
    return block


def _same(one: VoxelSize | None, other: VoxelSize | None) -> bool:
    """Whether two sizes are equal as DVID keeps them: in float32."""
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= 1e-6 * max(a, b) for a, b in zip(one, other, strict=True))


def _ends(box: Box) -> tuple[int, ...]:
    return (*box.start, *box.stop)
