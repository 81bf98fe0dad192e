"""Volumes of pictures: folders of numbered TIFF, PNG or JPEG slices, and TIFF files of many pages. Read only."""

from voxgate_remotes.images.stack import ImageStackFormat
from voxgate_remotes.images.tiff import TiffFormat

__all__ = ["ImageStackFormat", "TiffFormat"]
