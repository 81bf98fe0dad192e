"""The compression suffixes of files, and undoing them within a stated size.

cloud-files, which cloud-volume and igneous write through, stores the compressed NAME in a local folder as `NAME.gz`,
`NAME.br`, `NAME.zstd`, `NAME.xz` or `NAME.bz2` (cloudfiles/interfaces.py, EXT_TEST_SEQUENCE), and in object stores
under its own name with a Content-Encoding.

What is compressed comes from elsewhere and may declare or become anything: no decoder here yields more than a stated
number of bytes, nor takes much more memory while it finds out (brotli's writes blocks of up to 352 KiB, xz may have a
dictionary of 64 MiB).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli
import zstandard

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.volumes import ByteCodec
from voxgate_remotes.file_access import REMEDY

_GZIP_WINDOW = 31  # zlib: the largest window, with gzip's header
_BROTLI_PIECE = 2**18
_XZ_MEMORY = 2**27
_ERRORS = (zlib.error, brotli.error, zstandard.ZstdError, lzma.LZMAError, OSError, ValueError, EOFError)


class _NotWhole(ValueError):
    """Cut short, larger than allowed, or followed by something else."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """What one suffix means.

    Attributes:
        ending: of file names, with its dot.
        name: of the compression, for people.
        codec: as which such bytes can be passed on as they are; None where the contract has no name for them.
        magic: what such bytes begin with; empty where nothing tells them.
        undo: from compressed bytes and the most that may come out to what comes out.
    """

    ending: str
    name: str
    codec: ByteCodec | None
    magic: bytes
    undo: Callable[[bytes, int], bytes]


def undone(data: bytes, suffix: Suffix, limit: int, what: str, remedy: str = REMEDY) -> bytes:
    """Decompress.

    Args:
        data: all bytes of a file.
        suffix: of its name.
        limit: the most bytes that may come out; at least 1.
        what: it is, for the message: "the stored chunk with the voxels x[0:64] …".
        remedy: for the message.

    Raises:
        ChunkCorrupt: when it is cut short, becomes more, has something behind it, or was not compressed so.
    """
    try:
        return suffix.undo(data, limit)
    except _ERRORS:
        raise ChunkCorrupt(f"{what} is not valid {suffix.name} of at most {limit} bytes", remedy) from None


def suffix_of(name: str) -> Suffix | None:
    """What the end of a file's name means; None where it means nothing."""
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix.ending)), None)


def _gunzip(data: bytes, limit: int) -> bytes:
    """Members of gzip, one after the other and padded with zeros (RFC 1952, 2.2)."""
    found = b""
    while data or not found:
        member = zlib.decompressobj(_GZIP_WINDOW)
        part = member.decompress(data, limit + 1 - len(found))
        found = found + part if found else part
        if not member.eof or len(found) > limit:
            raise _NotWhole
        data = member.unused_data.lstrip(b"\0")
        if not found and not data:
            break
    return found


def _unbrotli(data: bytes, limit: int) -> bytes:
    """One stream of RFC 7932. Its decoder takes a limit for where to stop growing, so it is asked for pieces."""
    stream = brotli.Decompressor()
    pieces = [stream.process(data, output_buffer_limit=_BROTLI_PIECE)]
    size = len(pieces[0])
    while size <= limit and not stream.can_accept_more_data() and not stream.is_finished():
        pieces.append(stream.process(b"", output_buffer_limit=_BROTLI_PIECE))
        size += len(pieces[-1])
    if size > limit or not stream.is_finished():
        raise _NotWhole
    return b"".join(pieces)


def _unzstd(data: bytes, limit: int) -> bytes:
    """One frame of RFC 8878, straight into its own size: a window that a header declares is not allocated."""
    if zstandard.frame_content_size(data) > limit:  # -1 for one that does not say
        raise _NotWhole
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=False)


def _unxz(data: bytes, limit: int) -> bytes:
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    found = stream.decompress(data, limit + 1)
    return _whole(found, limit, is_end=stream.eof and not stream.unused_data)


def _unbzip2(data: bytes, limit: int) -> bytes:
    stream = bz2.BZ2Decompressor()
    found = stream.decompress(data, limit + 1)
    return _whole(found, limit, is_end=stream.eof and not stream.unused_data)


def _whole(found: bytes, limit: int, *, is_end: bool) -> bytes:
    if len(found) > limit or not is_end:
        raise _NotWhole
    return found


GZIP = Suffix(".gz", "gzip", ByteCodec.GZIP, b"\x1f\x8b", _gunzip)
SUFFIXES = (
    GZIP,
    Suffix(".br", "brotli", None, b"", _unbrotli),
    Suffix(".zstd", "Zstandard", ByteCodec.ZSTD, b"\x28\xb5\x2f\xfd", _unzstd),
    Suffix(".xz", "xz", None, b"\xfd7zXZ\0", _unxz),
    Suffix(".bz2", "bzip2", None, b"BZh", _unbzip2),
)
"""All of them; a name that is there with more than one is ambiguous."""
