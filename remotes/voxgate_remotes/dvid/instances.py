"""An instance of voxels, from /api/node/{uuid}/{instance}/info.

`MinPoint` and `MaxPoint` are inclusive, null while nothing was written, and grow to whole blocks with every write
(measured). So the bounds a volume was created with are kept in a tag of the instance: `voxgate-bounds`, six numbers
joined by "_": x, y, z of the first voxel, then of one past the last. Tags are not versioned. Where other programs
wrote beyond the blocks of the tagged bounds, the bounds are the box around both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import MetadataInvalid, UnknownVolume, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize, aligned_outward

BOUNDS_TAG = "voxgate-bounds"
ORIGIN = Vec3(0, 0, 0)
LABEL_TYPES = ("labelmap", "labelarray", "labelblk")
KEY_VALUES = "keyvalue"
VOXEL_TYPES: dict[str, np.dtype[Any]] = {
    "uint8blk": np.dtype("<u1"),
    "uint16blk": np.dtype("<u2"),
    "uint32blk": np.dtype("<u4"),
    "uint64blk": np.dtype("<u8"),
    "float32blk": np.dtype("<f4"),
    **{name: np.dtype("<u8") for name in LABEL_TYPES},
}
"""Types of instances that are volumes, and their voxels."""

_NM = {
    **dict.fromkeys(("nanometers", "nanometer", "nm"), 1.0),
    **dict.fromkeys(("micrometers", "micrometer", "microns", "micron", "um", "µm"), 1e3),
    **dict.fromkeys(("millimeters", "millimeter", "mm"), 1e6),
    **dict.fromkeys(("angstroms", "angstrom"), 0.1),
}
_MOST_LEVELS = 32


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of voxels at one version.

    Attributes:
        name: its name in the repository.
        typename: one of VOXEL_TYPES.
        block: the shape of its blocks; the grid of blocks starts at voxel 0.
        voxel_size_nm: None where the unit is none of length.
        extent: the voxels that DVID knows of; None while there are none.
        stated: the bounds that the tag states.
        max_level: how many levels DVID keeps below the finest.
        is_versioned: whether it differs from version to version.
        is_indexed: whether DVID keeps an index of labels.
    """

    name: str
    typename: str
    block: Vec3
    voxel_size_nm: VoxelSize | None
    extent: Box | None
    stated: Box | None
    max_level: int = 0
    is_versioned: bool = True
    is_indexed: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its voxels."""
        return VOXEL_TYPES[self.typename]

    @property
    def is_labels(self) -> bool:
        """Whether its voxels are segment ids."""
        return self.typename in LABEL_TYPES

    @property
    def bounds(self) -> Box | None:
        """The voxels that a reader may ask for; None while nobody says."""
        if self.stated is None or self.extent is None:
            return self.stated or self.extent
        if aligned_outward(self.stated, self.block, ORIGIN).contains(self.extent):
            return self.stated
        both = (self.stated, self.extent)
        return Box(Vec3.minimum(*(one.start for one in both)), Vec3.maximum(*(one.stop for one in both)))

    @property
    def has_negative(self) -> bool:
        """Whether voxels lie below 0 on some axis."""
        boxes = [box for box in (self.stated, self.extent) if box is not None]
        return any(min(box.start) < 0 for box in boxes)


def parse_instance(document: Any) -> Instance:
    """The instance that a document of DVID's describes.

    Raises:
        UnknownVolume: for key-values, which have no voxels.
        UnsupportedFormat: for other types that are no volumes here, and for voxels that are kept elsewhere.
        MetadataInvalid: when it describes none.
    """
    try:
        base, more = document["Base"], document["Extended"]
        name, typename = str(base["Name"]), str(base["TypeName"])
        _check_type(name, typename, more)
        return Instance(
            name=name,
            typename=typename,
            block=_block(more["BlockSize"]),
            voxel_size_nm=_voxel_size(more.get("VoxelSize"), more.get("VoxelUnits")),
            extent=_extent(document.get("Extents") or {}) or _extent(more),
            stated=_stated(base.get("Tags") or {}),
            max_level=min(_MOST_LEVELS, int(more.get("MaxDownresLevel") or 0)),
            is_versioned=bool(base.get("Versioned", True)),
            is_indexed=bool(more.get("IndexedLabels", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise MetadataInvalid("the store's description of an instance cannot be used", "look at it in DVID") from None


def bounds_tag(bounds: Box) -> str:
    """Bounds as the value of the tag."""
    return "_".join(str(number) for number in (*bounds.start, *bounds.stop))


def _check_type(name: str, typename: str, more: Any) -> None:
    if typename == KEY_VALUES:
        raise UnknownVolume(f"{name!r} holds key-values and no voxels", "ask for its metadata")
    if typename not in VOXEL_TYPES:
        known = ", ".join(VOXEL_TYPES)
        raise UnsupportedFormat(f"{name!r} is of type {typename}", f"these are volumes: {known}")
    if more.get("GridStore"):
        # Help of imageblk: data with a GridStore is proxied; /raw refuses it.
        raise UnsupportedFormat(f"the voxels of {name!r} are kept outside of DVID", "open the store that has them")


def _block(numbers: Any) -> Vec3:
    x, y, z = (int(number) for number in numbers)
    if min(x, y, z) < 1:
        raise ValueError(numbers)
    return Vec3(x, y, z)


def _voxel_size(sizes: Any, units: Any) -> VoxelSize | None:
    named = [str(unit).strip().lower() for unit in units or ()]
    named = named * 3 if len(named) == 1 else named
    if sizes is None or len(sizes) != 3 or len(named) != 3 or not all(unit in _NM for unit in named):
        return None
    x, y, z = (float(size) * _NM[unit] for size, unit in zip(sizes, named, strict=True))
    return VoxelSize(x, y, z) if all(0 < size < float("inf") for size in (x, y, z)) else None


def _extent(document: Any) -> Box | None:
    low, high = document.get("MinPoint"), document.get("MaxPoint")
    if low is None or high is None:
        return None
    x0, y0, z0 = (int(number) for number in low)
    x1, y1, z1 = (int(number) for number in high)
    box = Box(Vec3(x0, y0, z0), Vec3(x1 + 1, y1 + 1, z1 + 1))
    if box.is_empty:
        raise ValueError(document)
    return box


def _stated(tags: Any) -> Box | None:
    text = tags.get(BOUNDS_TAG)
    if text is None:
        return None
    x0, y0, z0, x1, y1, z1 = (int(number) for number in str(text).split("_"))
    box = Box(Vec3(x0, y0, z0), Vec3(x1, y1, z1))
    if box.is_empty:
        raise ValueError(text)
    return box
