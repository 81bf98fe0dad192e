"""The filters of HDF5 chunks, undone here rather than by the HDF5 library.

The library trusts a chunk to decode to as many bytes as it should: of a shorter one it hands out whatever lay in this
process's memory, of a longer one it first makes room for all of it (measured with HDF5 2.0: voxels of other callers,
and 860 MB for a chunk that declares 128 bytes). So chunks are decoded here, to exactly the declared size. What only
the library can decode (LZF, szip) is measured first.

Formats: "HDF5 File Format Specification", IV.A.2.l (filter pipeline); docs.hdfgroup.org, H5Z: filters 1 deflate
(zlib stream), 2 shuffle, 3 Fletcher-32, 4 szip (its size before it, 4 bytes, little-endian); 32000 is h5py's LZF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import UnsupportedFormat

DEFLATE, SHUFFLE, FLETCHER32, SZIP, LZF = 1, 2, 3, 4, 32000
_NAMES = {5: "nbit", 6: "scaleoffset", 307: "bzip2", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd"}
_BY_LIBRARY = (SZIP, LZF)
_OURS = (DEFLATE, SHUFFLE, FLETCHER32)
_CHECKSUM_BYTES = 4
_FLETCHER_MODULUS = 65535
_LZF_LITERAL, _LZF_LONG = 32, 7


class Undecodable(Exception):
    """The bytes of a chunk do not decode to what it declares; the text says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a pipeline, in the order in which a writer applied them.

    Attributes:
        id: the registered number.
        values: its client data.
    """

    id: int
    values: tuple[int, ...] = ()


def pipeline_of(creation: Any) -> tuple[Filter, ...]:
    """The filters of a dataset, from its creation property list.

    Raises:
        UnsupportedFormat: for a filter that is not known here, or not in the HDF5 library; names it and its id.
    """
    found = []
    for index in range(creation.get_nfilters()):
        number, _, values, name = creation.get_filter(index)
        if number not in (*_OURS, *_BY_LIBRARY):
            known = _NAMES.get(number) or bytes(name)[:40].decode(errors="replace") or "unknown"
            raise UnsupportedFormat(
                f"chunks are encoded with the HDF5 filter {number} ({known}), which is not supported",
                "repack the file, e.g. `h5repack -f GZIP=4 OLD NEW`",
                details={"filter": str(number)},
            )
        found.append(Filter(int(number), tuple(int(value) for value in values)))
    _check_library(found)
    return tuple(found)


def _check_library(found: Sequence[Filter]) -> None:
    """Refuse what the library would have to decode and cannot, or what could not be measured before it does.

    Raises:
        UnsupportedFormat.
    """
    from h5py import h5z  # noqa: PLC0415  (a property list was at hand, so h5py is loaded)

    for place, each in enumerate(found):
        if each.id not in _BY_LIBRARY:
            continue
        if not h5z.filter_avail(each.id):
            raise UnsupportedFormat(
                f"chunks are encoded with the HDF5 filter {each.id}, which this server's HDF5 library does not have",
                "repack the file, e.g. `h5repack -f GZIP=4 OLD NEW`",
                details={"filter": str(each.id)},
            )
        if any(later.id != FLETCHER32 for later in found[place + 1 :]):
            raise UnsupportedFormat(f"chunks are encoded again after the HDF5 filter {each.id}", "repack the file")


def needs_library(pipeline: Sequence[Filter]) -> bool:
    """Whether only the HDF5 library can decode chunks of this pipeline."""
    return any(each.id in _BY_LIBRARY for each in pipeline)


def decoded(data: bytes | memoryview, applied: Sequence[Filter], size: int) -> bytes | memoryview:
    """The voxels of a stored chunk.

    Args:
        data: the stored bytes.
        applied: filters of `_OURS` that the chunk went through, in that order.
        size: how many bytes it declares.

    Returns:
        Exactly `size` bytes.

    Raises:
        Undecodable.
    """
    limits = [size]  # what each filter was given: a checksum adds to it
    for each in applied:
        limits.append(limits[-1] + (_CHECKSUM_BYTES if each.id == FLETCHER32 else 0))
    for each, limit in zip(reversed(applied), reversed(limits[:-1]), strict=True):
        if each.id == DEFLATE:
            data = _inflated(data, limit)
        elif each.id == FLETCHER32:
            data = without_checksum(data)
        else:
            data = _unshuffled(data, each.values[0] if each.values else 1)
    if len(data) != size:
        raise Undecodable(f"it decodes to {len(data)} bytes, should be {size}")
    return data


def measured(data: bytes | memoryview, applied: Sequence[Filter], size: int) -> None:
    """Make sure that a chunk which the library is to decode has as many bytes as it declares.

    Args:
        data: the stored bytes.
        applied: the filters that it went through, one of which only the library can undo.
        size: how many bytes it declares.

    Raises:
        Undecodable.
    """
    numbers = [each.id for each in applied]
    coder = next(number for number in numbers if number in _BY_LIBRARY)
    if numbers[-1] == FLETCHER32 and numbers[0] != FLETCHER32:
        data = without_checksum(data)
    extra = _CHECKSUM_BYTES * (FLETCHER32 in numbers[: numbers.index(coder)])
    found = lzf_size(bytes(data)) if coder == LZF else _szip_size(data)
    if found != size + extra:
        raise Undecodable(f"it decodes to {found} bytes, should be {size + extra}")


def _szip_size(data: bytes | memoryview) -> int:
    """How many bytes a szip stream says that it decodes to; -1 where it is too short to say."""
    return int(struct.unpack_from("<I", data)[0]) if len(data) >= 4 else -1


def _inflated(data: bytes | memoryview, limit: int) -> bytes:
    """One zlib stream of at most `limit` bytes."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, limit + 1)
        # Exactly `limit` bytes may still have their end mark and checksum before them.
        if len(found) == limit and not stream.eof:
            found += stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise Undecodable(f"its zlib stream is damaged ({error})") from None
    if len(found) > limit:
        raise Undecodable(f"it decodes to more than the {limit} bytes that it declares")
    if not stream.eof:
        raise Undecodable("its zlib stream is cut off")
    return found


def _unshuffled(data: bytes | memoryview, size: int) -> bytes | memoryview:
    """Bytes in the order of numbers again, of which shuffling put all first bytes first, then all second ones …."""
    count = len(data) // size if size > 1 else 0
    if count < 2:
        return data
    found = np.empty(len(data), np.uint8)
    stored = np.frombuffer(data, np.uint8)
    found[: count * size].reshape(count, size).T[...] = stored[: count * size].reshape(size, count)
    found[count * size :] = stored[count * size :]
    return found.data


def without_checksum(data: bytes | memoryview) -> memoryview:
    """What stands before the Fletcher-32 sum that a chunk ends with, once the sum is known to be right.

    Files of HDF5 before 1.6.3 have the bytes of each half the other way round; both are taken, as the library does.
    """
    view = memoryview(data)
    if len(view) < _CHECKSUM_BYTES:
        raise Undecodable("it is shorter than its checksum")
    view, stored = view[:-_CHECKSUM_BYTES], bytes(view[-_CHECKSUM_BYTES:])
    low, high = fletcher32(view)
    if stored not in (struct.pack("<HH", low, high), struct.pack(">HH", low, high)):
        raise Undecodable("its checksum (Fletcher-32) is wrong")
    return view


def fletcher32(data: bytes | memoryview) -> tuple[int, int]:
    """Both sums of big-endian 16-bit words; an odd last byte is the high half of a word. 65535 stands for 0 mod it."""
    even = len(data) // 2 * 2
    words: npt.NDArray[Any] = np.frombuffer(data, ">u2", even // 2).astype(np.uint64)
    if len(data) > even:
        words = np.append(words, np.uint64(data[-1] << 8))
    if not words.any():
        return 0, 0
    weights = np.arange(len(words), 0, -1, dtype=np.uint64) % _FLETCHER_MODULUS
    first = int(words.sum()) % _FLETCHER_MODULUS
    second = int((words * weights).sum()) % _FLETCHER_MODULUS
    return first or _FLETCHER_MODULUS, second or _FLETCHER_MODULUS


def lzf_size(data: bytes) -> int:
    """How many bytes an LZF stream decodes to. 20 MB/s where its repeats are as short as can be.

    Raises:
        Undecodable: when it is cut off, or refers to what was before its start.
    """
    place, size, end = 0, 0, len(data)
    try:
        while place < end:
            control = data[place]
            if control < _LZF_LITERAL:
                place, size = place + control + 2, size + control + 1
                continue
            length = control >> 5
            if length == _LZF_LONG:
                place += 1
                length += data[place]
            if size <= (control & 31) << 8 | data[place + 1]:
                raise Undecodable("its LZF stream is damaged")
            place, size = place + 2, size + length + 2
    except IndexError:
        place = end + 1
    if place != end:
        raise Undecodable("its LZF stream is cut off")
    return size
