"""What a TIFF file says of its pages: OME-XML, ImageJ's description, tifffile's, or nothing.

Sources: imagej.net and ij.io.TiffDecoder (keys images, channels, slices, frames, spacing, unit, yunit, zunit;
XResolution in pixels for each unit; channels are fastest, then slices, then frames); tifffile's documentation for the
JSON of arrays that it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import VoxelSize
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.images import ome_tiff
from voxgate_remotes.images.axes import Planes, along, arranged, named_axes, nanometres, unnamed, voxel_size
from voxgate_remotes.images.layout import Shape
from voxgate_remotes.images.pages import ParsedTiff

_RESOLUTION_NM = {2: 2.54e7, 3: 1e7}
"""TIFF's ResolutionUnit: inch, centimetre."""


def images_of(tiff: ParsedTiff, name: str, overrides: VolumeOverrides) -> list[Planes]:
    """The volumes of a file; more than one in an OME-TIFF only.

    Raises:
        MetadataInvalid: when pages differ, or are not those that the description says.
        UnsupportedFormat: for an axis that cannot be named; ChunkMissing: for a plane without a page.
    """
    if tiff.ome:
        images = ome_tiff.parse(tiff.ome, len(tiff.pages), name)
        for image in images:
            _check_ome(tiff, image, name)
        return [image.planes for image in images]
    shape = _common_shape(tiff, range(len(tiff.pages)), name)
    if tiff.imagej:
        return [_of_imagej(tiff, shape, name, overrides)]
    return [_of_shaped(tiff, shape, name, overrides) if tiff.shaped else unnamed(len(tiff.pages), shape[2], overrides)]


def _common_shape(tiff: ParsedTiff, pages: Any, name: str) -> Shape:
    """The shape and dtype that pages have in common.

    Raises:
        MetadataInvalid: when one differs; names it.
    """
    shape: Shape | None = None
    first = 0
    for index in map(int, pages):
        found = tiff.pages[index].layout.shape
        if shape is None:
            shape, first = found, index
        elif found != shape:
            raise MetadataInvalid(
                f"page {index} of `{name}` {difference(found, shape)} page {first}",
                "save pages that belong together in a file of their own",
            )
    if shape is None:
        raise MetadataInvalid(f"`{name}` has no pages", "restore it from its source")
    return shape


def difference(found: Shape, shape: Shape) -> str:
    """How one picture differs from another: "has 5 x 7 pixels of 1 uint8, unlike the 5 x 8 of 1 uint8 of"."""

    def text(of: Shape) -> str:
        return f"{of[1]} x {of[0]} pixels of {of[2]} {of[3].name}"

    return f"has {text(found)}, unlike the {text(shape)} of"


def _check_ome(tiff: ParsedTiff, image: ome_tiff.OmeImage, name: str) -> None:
    """Check that the pages of an image are what OME-XML says."""
    height, width, samples, dtype = _common_shape(tiff, image.planes.pages.reshape(-1), name)
    if (height, width, samples, dtype.name) != (image.height, image.width, image.samples, image.dtype):
        raise MetadataInvalid(
            f"the OME-XML of `{name}` says {image.width} x {image.height} pixels of {image.samples} {image.dtype}, "
            f"its pages have {width} x {height} of {samples} {dtype.name}",
            "save the file anew with its own program",
        )


def _of_imagej(tiff: ParsedTiff, shape: Shape, name: str, overrides: VolumeOverrides) -> Planes:
    said, count = tiff.imagej, len(tiff.pages)
    extents = [_extent(said, key) for key in ("frames", "slices", "channels")]
    if all(extent is None for extent in extents):
        planes = along("z", count)
    else:
        sizes = [extent or 1 for extent in extents]
        if _extent(said, "slices") is None and sizes[0] * sizes[2] != count and count % (sizes[0] * sizes[2]) == 0:
            sizes[1] = count // (sizes[0] * sizes[2])
        if sizes[0] * sizes[1] * sizes[2] != count:
            raise MetadataInvalid(
                f"ImageJ's description of `{name}` says {sizes[2]} channels, {sizes[1]} slices and {sizes[0]} frames, "
                f"and there are {count} pages",
                "save the file anew with ImageJ",
            )
        _refuse_two_channels(sizes[2], shape, name)
        axes = ("t" if sizes[0] > 1 else "") + ("c" if sizes[2] > 1 else "") + "z"
        planes = Planes(arranged("tzc", sizes), axes, ("",) * sizes[2])
    if overrides.axes is not None and planes.axes == "z" and not said.get("hyperstack"):
        planes = unnamed(count, shape[2], overrides)  # plain stacks of ImageJ may be anything
    return replace(planes, voxel_size_nm=imagej_voxel_size(tiff))


def _extent(said: Mapping[str, Any], key: str) -> int | None:
    found = said.get(key)
    return int(found) if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _refuse_two_channels(planes: int, shape: Shape, name: str) -> None:
    if planes > 1 and shape[2] > 1:
        raise UnsupportedFormat(f"`{name}` has several channels of RGB pictures", "save each channel in its file")


def _of_shaped(tiff: ParsedTiff, shape: Shape, name: str, overrides: VolumeOverrides) -> Planes:
    """Arrays that tifffile wrote: their leading axes are those of the pages."""
    count, whole, letters = len(tiff.pages), tiff.shaped.get("shape"), tiff.shaped.get("axes")
    size = replace(unnamed(count, shape[2], overrides), voxel_size_nm=shaped_voxel_size(tiff))
    if not isinstance(whole, (list, tuple)) or not isinstance(letters, str) or len(letters) != len(whole):
        leading = [extent for extent in _leading(whole, shape) if extent != 1]
        if len(leading) > 1:
            raise UnsupportedFormat(
                f"`{name}` has {len(leading)} axes of pages without names", "save it with the axes T, C, Z, Y and X"
            )
        return size
    pairs = [(letter, extent) for letter, extent in zip(letters, whole, strict=True) if letter not in "YXS"]
    if len([extent for _, extent in pairs if extent != 1]) == 1 and any(letter in "QI" for letter, _ in pairs):
        return size
    kept, extents = named_axes("".join(letter for letter, _ in pairs), [extent for _, extent in pairs], f"`{name}`")
    pages = arranged(kept, extents)
    if pages.size != count:
        raise MetadataInvalid(f"the description of `{name}` says {pages.size} pages, there are {count}", "save it anew")
    _refuse_two_channels(pages.shape[1], shape, name)
    axes = "".join(letter for letter in "tc" if letter in kept) + "z"
    return Planes(pages, axes, ("",) * pages.shape[1], size.voxel_size_nm)


def _leading(whole: Any, shape: Shape) -> list[int]:
    """The extents of an array before those of its pictures."""
    if not isinstance(whole, (list, tuple)):
        return []
    own = 2 + (shape[2] > 1)
    return [int(extent) for extent in whole[: max(0, len(whole) - own)]]


def imagej_voxel_size(tiff: ParsedTiff) -> VoxelSize | None:
    """The voxel size that ImageJ wrote: only where it names a unit of length and a spacing."""
    said = tiff.imagej
    if tiff.resolution is None:
        return None
    unit = said.get("unit")
    x = nanometres(1 / tiff.resolution[0], unit)
    y = nanometres(1 / tiff.resolution[1], said.get("yunit", unit))
    return voxel_size(x, y, nanometres(said.get("spacing"), said.get("zunit", unit)))


def shaped_voxel_size(tiff: ParsedTiff) -> VoxelSize | None:
    """The voxel size beside tifffile's axes: pixels for each inch or centimetre, and a spacing with its unit."""
    factor = _RESOLUTION_NM.get(tiff.resolution_unit)
    z = nanometres(tiff.shaped.get("spacing"), tiff.shaped.get("unit"))
    if factor is None or tiff.resolution is None or z is None:
        return None
    return VoxelSize(factor / tiff.resolution[0], factor / tiff.resolution[1], z)
