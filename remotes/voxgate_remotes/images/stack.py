"""A folder whose files are the slices of a volume: TIFF, PNG or JPEG, numbered. Read only.

Slices are in the order of their number (img2 before img10). The headers of a few hundred are looked at when the volume
is opened, those of all others when they are read; a slice that is missing or unlike the first one is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voxgate.model.errors import ChunkCorrupt, MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import Vec3
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.folders import Folder
from voxgate_remotes.images import naming
from voxgate_remotes.images.axes import Planes, unnamed
from voxgate_remotes.images.chains import has_several_pages
from voxgate_remotes.images.described import difference, images_of
from voxgate_remotes.images.layout import NONE, Shape
from voxgate_remotes.images.pages import ParsedTiff, parse_tiff
from voxgate_remotes.images.pictures import header_of, pixels_of
from voxgate_remotes.images.reading import OpenFile, opened
from voxgate_remotes.images.volume import Described, OpenedPictures, ReadPicture, opened_pictures
from voxgate_remotes.images.windows import Targets, Window, read_window
from voxgate_remotes.tensorstores import Tuning

_LOOKED_AT = 256


@dataclass(frozen=True, slots=True)
class SliceFiles:
    """The slices of a stack, each opened when it is read.

    Attributes:
        paths: of the slices, in order.
        kind: their format.
        shape: of the first slice, and so of all others.
        decoded_bytes: what decoding a window of one holds in memory at most.
    """

    paths: tuple[Path, ...]
    kind: str
    shape: Shape
    decoded_bytes: int

    @contextmanager
    def reading(self) -> Iterator[ReadPicture]:
        """Nothing is open but what is read."""
        yield self._read

    def _read(self, index: int, window: Window, targets: Targets) -> None:
        with opened(self.paths[index]) as file:
            self._read_file(file, window, targets)
            file.check_unchanged()

    def _read_file(self, file: OpenFile, window: Window, targets: Targets) -> None:
        if self.kind == naming.TIFF:
            tiff = _one_page(file)
            self._check(tiff.pages[0].layout.shape, file.name)
            read_window(file, tiff.pages[0], window, targets, f"`{file.name}`")
            return
        picture = header_of(file, self.kind)
        self._check(picture.shape, file.name)
        pixels = pixels_of(file, self.kind, picture)[window.y0 : window.y1, window.x0 : window.x1]
        for sample, target in targets:
            target[...] = pixels[:, :, sample]

    def _check(self, shape: Shape, name: str) -> None:
        if shape != self.shape:
            raise ChunkCorrupt(
                f"the slice `{name}` {difference(shape, self.shape)} the first slice `{self.paths[0].name}`",
                "restore it from its source",
            )

    def check_headers(self) -> None:
        """Look at the headers of all slices, or of some hundred evenly chosen ones.

        Raises:
            ChunkCorrupt, UnsupportedFormat, MetadataInvalid: naming the slice that is unlike the first one.
        """
        count = len(self.paths)
        looked_at = range(1, count) if count <= _LOOKED_AT else (i * count // _LOOKED_AT for i in range(1, _LOOKED_AT))
        for index in looked_at:
            with opened(self.paths[index]) as file:
                if self.kind == naming.TIFF:
                    self._check(_one_page(file).pages[0].layout.shape, file.name)
                else:
                    self._check(header_of(file, self.kind).shape, file.name)


class ImageStackFormat:
    """Folders of slices; satisfies FolderFormat."""

    name = "image stack"

    def claims(self, folder: Folder) -> bool:
        """Whether at least two pictures, of one page, are named alike but for a number, and no other volume is there.

        Raises:
            StoreUnavailable: when the folder cannot be read.
        """
        if folder.path is None:  # slices elsewhere cannot be listed
            return False
        first = naming.first_slice(naming.picture_names(folder.path))
        if first is None:
            return False
        return naming.kind_of(first) != naming.TIFF or not has_several_pages(folder.path / first)

    def metadata_files(self, folder: Path) -> list[Path]:
        """The folder itself: it changes with the slices that are in it."""
        return [folder]

    def open(self, folder: Folder, tuning: Tuning, overrides: VolumeOverrides) -> OpenedPictures:  # noqa: ARG002  (nothing is written or cached)
        """Open and describe a stack.

        Raises:
            UnsupportedFormat, ChunkMissing, ChunkCorrupt, MetadataInvalid, PathRefused, StoreUnavailable.
        """
        if folder.path is None:
            raise UnsupportedFormat("image stacks are read from local folders only", "mount or copy the folder")
        names = naming.in_order(naming.picture_names(folder.path))
        paths = tuple(_guarded(folder, folder.path, name) for name in names)
        kind = naming.kind_of(names[0]) or ""
        with opened(paths[0]) as file:
            planes, described, decoded_bytes = _first_slice(file, kind, len(paths), overrides)
        files = SliceFiles(paths, kind, described.shape, decoded_bytes)
        files.check_headers()
        return opened_pictures(planes, described, files, overrides)


def _guarded(folder: Folder, path: Path, name: str) -> Path:
    """The real path of a slice: links are followed as far as they stay in the remote."""
    if not os.path.islink(path / name):
        return path / name
    real = folder.within(name).path
    if real is None:
        raise UnsupportedFormat("image stacks are read from local folders only", "mount or copy the folder")
    return real


def _first_slice(file: OpenFile, kind: str, count: int, overrides: VolumeOverrides) -> tuple[Planes, Described, int]:
    """What the first slice says of all of them, and what decoding one holds in memory."""
    if kind != naming.TIFF:
        picture = header_of(file, kind)
        height, width, samples, _ = picture.shape
        described = Described(picture.shape, picture.names, Vec3(width, height, 1))
        return unnamed(count, samples, overrides), described, picture.decoded_bytes
    tiff = _one_page(file)
    layout = tiff.pages[0].layout
    (first, *others) = images_of(tiff, file.name, VolumeOverrides())
    if others or first.pages.size != 1:
        raise _several(file.name)
    planes = unnamed(count, layout.samples, overrides)
    size = 0 if layout.compression == NONE else layout.row_bytes * layout.segment_height
    named = Planes(planes.pages, planes.axes, planes.names, first.voxel_size_nm, planes.inferred)
    return named, Described(layout.shape, layout.names, layout.chunk_shape), size


def _one_page(file: OpenFile) -> ParsedTiff:
    tiff = parse_tiff(file)
    if len(tiff.pages) != 1:
        raise _several(file.name)
    return tiff


def _several(name: str) -> MetadataInvalid:
    return MetadataInvalid(
        f"the slice `{name}` has several pictures", "keep one picture in each slice, or the file in a folder of its own"
    )
