"""One TIFF file that is a volume: multipage, BigTIFF, OME-TIFF, ImageJ hyperstack. Read only.

Of an OME-TIFF with several images each is a volume of its own, named by its number: `cells.ome.tif/0`. Of a pyramid the
full resolution is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voxgate.model.errors import UnknownVolume, VoxgateError
from voxgate.model.remotes import ListEntry
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.images.axes import Planes
from voxgate_remotes.images.described import images_of
from voxgate_remotes.images.layout import NONE
from voxgate_remotes.images.naming import TIFF, kind_of
from voxgate_remotes.images.ome_tiff import image_count
from voxgate_remotes.images.pages import ome_xml, parse_tiff
from voxgate_remotes.images.reading import Stamp, opened
from voxgate_remotes.images.volume import Described, OpenedPictures, ReadPicture, opened_pictures
from voxgate_remotes.images.windows import Page, Targets, Window, read_window

_ENDINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class TiffPages:
    """The pages of one file, which is opened for each read and must not have changed since it was parsed."""

    path: Path
    stamp: Stamp
    pages: tuple[Page, ...]

    @property
    def decoded_bytes(self) -> int:
        """The largest compressed strip or tile; uncompressed ones are read in bands."""
        layouts = {id(page.layout): page.layout for page in self.pages}.values()
        sizes = [each.row_bytes * each.segment_height for each in layouts if each.compression != NONE]
        return max(sizes, default=0)

    @contextmanager
    def reading(self) -> Iterator[ReadPicture]:
        """The file, open for one read.

        Raises:
            ChunkMissing, StoreUnavailable: when it is gone, or was changed.
        """
        with opened(self.path, self.stamp) as file:

            def read_picture(index: int, window: Window, targets: Targets) -> None:
                read_window(file, self.pages[index], window, targets, f"page {index} of `{file.name}`")

            try:
                yield read_picture
            except VoxgateError:
                file.check_unchanged()  # a file that is being rewritten is not a damaged one
                raise
            file.check_unchanged()


class TiffFormat:
    """TIFF files; satisfies FileFormat."""

    name = "TIFF"

    def claims(self, file: Path) -> bool:
        """By the ending and the first bytes."""
        if kind_of(file.name) != TIFF:
            return False
        try:
            with file.open("rb") as opened_file:
                return opened_file.read(4) in _ENDINGS
        except OSError:
            return False

    def is_volume(self, file: Path, inner: tuple[str, ...]) -> bool:
        """Whether a file is a volume, or has an image of that number; a broken file is one, and says so when opened."""
        try:
            return _index(inner, _image_count(file)) is not None
        except VoxgateError:
            return not inner

    def list(self, file: Path, inner: tuple[str, ...]) -> list[ListEntry]:
        """The images of an OME-TIFF that has several; nothing in a file that is a volume.

        Raises:
            UnknownVolume: when there is no such thing; and what opening raises.
        """
        count = _image_count(file)
        if _index(inner, count) is not None:
            return []
        if inner:
            raise _unknown(inner)
        return [ListEntry(str(index), is_volume=True) for index in range(count)]

    def open(self, file: Path, inner: tuple[str, ...], overrides: VolumeOverrides) -> OpenedPictures:
        """Open and describe a file, or one image of it.

        Raises:
            UnknownVolume, MetadataInvalid, UnsupportedFormat, ChunkMissing, ConfigInvalid, StoreUnavailable.
        """
        source, images = _parsed(file, overrides)
        index = _index(inner, len(images))
        if index is None:
            raise _unknown(inner)
        layout = source.pages[int(images[index].pages.flat[0])].layout
        described = Described(layout.shape, layout.names, layout.chunk_shape)
        return opened_pictures(images[index], described, source, overrides)


def _parsed(path: Path, overrides: VolumeOverrides) -> tuple[TiffPages, list[Planes]]:
    with opened(path) as file:
        tiff = parse_tiff(file)
        images = images_of(tiff, file.name, overrides)
        file.check_unchanged()
    return TiffPages(path, file.stamp, tiff.pages), images


def _image_count(path: Path) -> int:
    """How many volumes a file has; looks at its first page only."""
    with opened(path) as file:
        xml = ome_xml(file)
    return max(1, image_count(xml, path.name)) if xml else 1


def _index(inner: tuple[str, ...], count: int) -> int | None:
    """Which image of a file a path names: the only one has no path, of several each has its number."""
    if count == 1:
        return None if inner else 0
    return next((index for index in range(count) if inner == (str(index),)), None)


def _unknown(inner: tuple[str, ...]) -> UnknownVolume:
    return UnknownVolume(f"there is no volume {'/'.join(inner)!r} in this file", "list the file")
