"""The chunks of an unsharded precomputed scale as files: which are there, and those that carry a compression suffix.

cloud-volume stores the chunk NAME as `NAME.gz` when it writes to file:// with its default compression, and with
others under other suffixes; tensorstore looks for NAME only and would answer the fill value, so every read looks for
suffixes first. Where a chunk is there under several names, cloud-volume takes the one whose suffix it saw last
(cloud-files, interfaces.py, EXT_TEST_SEQUENCE) and tensorstore the plain one: readers disagree, so that is an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box
from voxgate.model.volumes import ByteCodec, CallContext, EncodedChunk, Encoding, Voxels
from voxgate_remotes.chunk_layout import ChunkLayout
from voxgate_remotes.file_access import (
    has_file,
    open_chunk,
    opened_folder,
    read_whole,
    size_of,
    too_large,
    unreadable,
)
from voxgate_remotes.parallel import share
from voxgate_remotes.raw_chunks import Part, RawReader
from voxgate_remotes.suffixes import SUFFIXES, Suffix, suffix_of

_SAMPLED_FILES = 64
_DECODERS = 4
_COPIERS = 2
_WORTH_A_THREAD_BYTES = 2**23

Found = tuple[int, Suffix | None]
"""A chunk's file, opened for the caller to close, and its suffix."""


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """The files of one unsharded scale.

    Attributes:
        folder: where they are.
        layout: what they are.
        usual: the suffix that some files carried when the volume was opened; None for none.
    """

    folder: Path
    layout: ChunkLayout
    usual: Suffix | None

    @property
    def is_raw(self) -> bool:
        """Whether chunks are voxels as they are, but for a compression suffix."""
        return self.layout.is_raw

    @property
    def looks_compressed(self) -> bool:
        """Whether some files carried a compression suffix when the volume was opened."""
        return self.usual is not None

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`."""
        with opened_folder(self.folder) as folder:
            names = (part.name for part in self.layout.parts(box))
            return any(has_file(folder, name) or bool(_suffixes(folder, name)) for name in names)

    def compressed_in(self, box: Box) -> bool:
        """Whether a chunk that overlaps `box` is stored with a suffix."""
        with opened_folder(self.folder) as folder:
            return any(_suffixes(folder, part.name) for part in self.layout.parts(box))

    def check(self, box: Box, context: CallContext) -> None:
        """Make sure that no chunk which overlaps `box` has a file that is larger than any encoding makes it.

        For whoever lets tensorstore read them, which reads files whole.

        Raises:
            ChunkCorrupt: names the chunk; StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        with opened_folder(self.folder) as folder:
            for part in self.layout.parts(box):
                context.check()
                size = size_of(folder, part.name, part)
                if size is not None and size > self.layout.stored_limit(part.cell):
                    raise too_large(part)

    def fill(self, box: Box, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` into `out` chunk by chunk, with or without suffix; `channels` None means all in order.

        Raises:
            ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """

        def worker() -> Callable[[Part], None]:
            copy = self._copier(channels, context)

            def work(part: Part) -> None:
                context.check()
                target = part.of(out, box)
                found = _find(folder, part.name, part)
                if found is None:
                    target[...] = 0
                    return
                try:
                    copy(found, part, target)
                except OSError as error:
                    raise unreadable(f"the chunk {part}", error) from None
                finally:
                    os.close(found[0])

            return work

        parts = self.layout.parts(box)
        with opened_folder(self.folder) as folder:
            share(parts, worker, min(len(parts), self._threads(out.nbytes)))

    def read_encoded(self, cells: Sequence[Box], encoding: Encoding, context: CallContext) -> list[EncodedChunk | None]:
        """The stored chunks of grid cells as they are, in order; None where one is absent.

        Those with a suffix that the contract has no name for come without its compression. One after the other: where
        files are in the page cache, threads cost more than they gain (measured).

        Args:
            cells: whole cells, clipped to the bounds.
            encoding: of a chunk without a compression suffix.
            context: the caller's patience.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        with opened_folder(self.folder) as folder:
            return [self._encoded(folder, cell, encoding, context) for cell in cells]

    def _encoded(self, folder: int | None, cell: Box, encoding: Encoding, context: CallContext) -> EncodedChunk | None:
        context.check()
        found = _find(folder, chunk_name(cell), cell)
        if found is None:
            return None
        file, suffix = found
        try:
            data = read_whole(file, self.layout.stored_limit(cell), cell)
        except OSError as error:
            raise unreadable(f"the chunk {cell}", error) from None
        finally:
            os.close(file)
        if suffix is not None and suffix.codec is None:
            return EncodedChunk(self.layout.undone(data, suffix, cell), encoding, cell)
        return EncodedChunk(data, replace(encoding, bytes=passed_as(suffix)), cell)

    def _threads(self, size: int) -> int:
        """How many threads pay for a read of `size` bytes: copying is bound by memory, decoding is not."""
        if self.looks_compressed or not self.is_raw:
            return _DECODERS
        return _COPIERS if size >= _WORTH_A_THREAD_BYTES else 1

    def _copier(self, channels: list[int] | None, context: CallContext) -> Callable[[Found, Part, Voxels], None]:
        """What puts the part of a chunk that lies in a file into the part's voxels; for one thread."""
        layout = self.layout
        wanted = range(layout.channel_count) if channels is None else channels
        reader = RawReader(layout.dtype, layout.channel_count)
        decode = layout.decoder(channels, context)

        def copy(found: Found, part: Part, target: Voxels) -> None:
            file, suffix = found
            if suffix is None and layout.is_raw:
                reader.from_file(file, part, wanted, target)
                return
            data = read_whole(file, layout.stored_limit(part.cell), part)
            decode(data if suffix is None else layout.undone(data, suffix, part.cell), part, target)

        return copy


def _find(folder: int | None, name: str, where: object) -> Found | None:
    """A chunk's file and its suffix; None where it is absent.

    Args:
        folder: as `opened_folder` answered.
        name: the chunk's, without suffix.
        where: the chunk's voxels, for messages.

    Raises:
        ChunkCorrupt: when it is there under several names.
        StoreUnavailable: when it cannot be opened.
    """
    file = open_chunk(folder, name, where)
    suffixes = _suffixes(folder, name)
    if len(suffixes) + (file is not None) > 1:
        if file is not None:
            os.close(file)
        names = " and ".join(["without suffix"] * (file is not None) + [suffix.ending for suffix in suffixes])
        raise ChunkCorrupt(f"the stored chunk with the voxels {where} is there twice: {names}", "remove the older file")
    if not suffixes:
        return None if file is None else (file, None)
    file = open_chunk(folder, f"{name}{suffixes[0].ending}", where)
    return None if file is None else (file, suffixes[0])


def _suffixes(folder: int | None, name: str) -> list[Suffix]:
    """The suffixes that a chunk is there with."""
    return [suffix for suffix in SUFFIXES if has_file(folder, f"{name}{suffix.ending}")]


def usual_suffix(folder: Path) -> Suffix | None:
    """The suffix that the first of the first files of a scale's folder has, of those that have one."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_SAMPLED_FILES), strict=False)]
    except OSError:
        return None
    return next((suffix for suffix in map(suffix_of, names) if suffix is not None), None)


def passed_as(suffix: Suffix | None) -> ByteCodec:
    """What is left of a suffix's compression when a chunk is handed out as it is stored."""
    return (suffix and suffix.codec) or ByteCodec.NONE


def chunk_name(cell: Box) -> str:
    """The name of a cell's file."""
    return "_".join(f"{a}-{b}" for a, b in zip(cell.start, cell.stop, strict=True))
