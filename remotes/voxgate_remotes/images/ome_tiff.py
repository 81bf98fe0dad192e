"""OME-XML in the description of an OME-TIFF: which page is which plane of which image.

Format: ome-model.readthedocs.io, "OME-TIFF specification" and the schema 2016-06: Pixels have SizeX..SizeT, a
DimensionOrder (fastest first), PhysicalSizeX..Z with a unit (micrometres where none is said), Channels with names and
SamplesPerPixel, and TiffData that say from which IFD which planes follow one another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np

from voxgate.model.errors import ChunkMissing, MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import VoxelSize
from voxgate_remotes.images.axes import Planes, nanometres, voxel_size

_MOST_XML = 64 << 20
_MOST_PLANES = 1 << 24
_TYPES = {"float": "float32", "double": "float64"}
_DEFAULT_UNIT = "µm"


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One Image of an OME-TIFF.

    Attributes:
        planes: which page is which plane.
        height: of its planes.
        width: of its planes.
        samples: of a pixel; more than 1 where a plane is an RGB picture.
        dtype: the name of its numpy dtype.
    """

    planes: Planes
    height: int
    width: int
    samples: int
    dtype: str


def parse(xml: str, page_count: int, file_name: str) -> list[OmeImage]:
    """The images that OME-XML describes.

    Raises:
        MetadataInvalid: when it is no OME-XML, or contradicts itself or the number of pages.
        ChunkMissing: when a plane has no page.
        UnsupportedFormat: when planes are in other files.
    """
    root = _root(xml, file_name)
    try:
        images = [_image(pixels, page_count, file_name) for pixels in _elements(root, "Image", "Pixels")]
    except (KeyError, ValueError, TypeError):
        raise _invalid(file_name) from None
    if not images:
        raise UnsupportedFormat(f"the OME-XML of `{file_name}` has no image", "open the file that has it")
    return images


def image_count(xml: str, file_name: str) -> int:
    """How many images OME-XML describes.

    Raises:
        MetadataInvalid: when it is no OME-XML.
    """
    return sum(1 for _ in _elements(_root(xml, file_name), "Image", "Pixels"))


def _root(xml: str, file_name: str) -> Any:
    # A document without declarations of entities cannot make expat expand any.
    if len(xml) > _MOST_XML or "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise _invalid(file_name)
    try:
        return ElementTree.fromstring(xml)  # noqa: S314  (no entities, bounded)
    except (ElementTree.ParseError, ValueError, RecursionError):
        raise _invalid(file_name) from None


def _invalid(file_name: str) -> MetadataInvalid:
    return MetadataInvalid(f"the OME-XML of `{file_name}` cannot be used", "save the file anew with its own program")


def _image(pixels: Any, page_count: int, file_name: str) -> OmeImage:
    size = {letter: int(pixels.attrib[f"Size{letter}"]) for letter in "XYZCT"}
    order = pixels.attrib["DimensionOrder"]
    if sorted(order) != sorted("XYZCT") or not order.startswith("XY") or min(size.values()) < 1:
        raise ValueError("the dimensions are none")
    channels = list(_elements(pixels, "Channel"))
    samples = {int(channel.get("SamplesPerPixel", 1)) for channel in channels} or {1}
    if len(samples) > 1 or size["C"] % min(samples):
        raise UnsupportedFormat(
            f"the channels of `{file_name}` have different numbers of samples", "save them as separate images"
        )
    of_pixel = samples.pop()
    extents = {"Z": size["Z"], "C": size["C"] // of_pixel, "T": size["T"]}
    if of_pixel > 1 and extents["C"] > 1:
        raise UnsupportedFormat(f"`{file_name}` has several channels of RGB pictures", "save each channel in its file")
    names = tuple(channel.get("Name", "") for channel in channels) if of_pixel == 1 else ("",)
    kind = str(pixels.attrib["Type"])
    axes = "".join(letter.lower() for letter in "TC" if extents[letter] > 1) + "z"
    count = extents["C"]
    planes = Planes(
        pages=_pages(pixels, order[2:], extents, page_count, file_name),
        axes=axes,
        names=names if len(names) == count else ("",) * count,
        voxel_size_nm=_voxel_size(pixels),
    )
    return OmeImage(planes, size["Y"], size["X"], of_pixel, _TYPES.get(kind, kind))


def _pages(pixels: Any, order: str, extents: dict[str, int], page_count: int, file_name: str) -> Any:
    """The page of each plane: int array of shape (t, c, z)."""
    if math.prod(extents.values()) > _MOST_PLANES:
        raise ValueError("too many planes")
    slowest_first = order[::-1]
    shape = tuple(extents[letter] for letter in slowest_first)
    pages = np.full(math.prod(shape), -1, np.int64)
    for data in list(_elements(pixels, "TiffData")) or [ElementTree.Element("TiffData")]:
        _check_own(data, file_name)
        first = [int(data.get(f"First{letter}", 0)) for letter in slowest_first]
        start = int(np.ravel_multi_index(first, shape))
        ifd = int(data.get("IFD", 0))
        count = int(data.get("PlaneCount", 1 if "IFD" in data.attrib else len(pages) - start))
        if count < 0 or ifd < 0 or start + count > len(pages):
            raise ValueError("TiffData beside the image")
        pages[start : start + count] = np.arange(ifd, ifd + count)
    missing = (pages < 0) | (pages >= page_count)
    if missing.any():
        at = dict(zip(slowest_first, np.unravel_index(int(missing.argmax()), shape), strict=True))
        which = " ".join(f"{letter.lower()}={at[letter]}" for letter in "TCZ")
        raise ChunkMissing(
            f"`{file_name}` has no page for the plane {which} and {int(missing.sum()) - 1} others",
            "restore it from its source",
        )
    return pages.reshape(shape).transpose([slowest_first.index(letter) for letter in "TCZ"])


def _check_own(data: Any, file_name: str) -> None:
    for uuid in _elements(data, "UUID"):
        if uuid.get("FileName", file_name) != file_name:
            raise UnsupportedFormat(
                f"`{file_name}` is one of several files of an OME-TIFF: planes are in others", "save it as one file"
            )


def _voxel_size(pixels: Any) -> VoxelSize | None:
    lengths = []
    for letter in "XYZ":
        number = pixels.get(f"PhysicalSize{letter}")
        unit = pixels.get(f"PhysicalSize{letter}Unit", _DEFAULT_UNIT)
        lengths.append(None if number is None else nanometres(float(number), unit))
    return voxel_size(*lengths)


def _elements(root: Any, *path: str) -> Iterator[Any]:
    """The elements at a path of names, in any namespace."""
    for element in root:
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == path[0]:
            if len(path) == 1:
                yield element
            else:
                yield from _elements(element, *path[1:])
