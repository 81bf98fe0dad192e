"""How voxels are packed for the wire. None of these sets Content-Encoding but googlegzip."""

from __future__ import annotations

import gzip

import lz4.block
import numpy as np

from .blocks import Point, Voxels
from .wire import Refused, Reply


def packed(voxels: Voxels, compression: str) -> Reply:
    """A box of labels. lz4 is one raw block without the length before it; gzip is in the body, not in a header."""
    plain = memoryview(np.ascontiguousarray(voxels).data).cast("B")
    if compression in ("", "uncompressed"):
        return Reply(plain)
    if compression == "lz4":
        return Reply(lz4.block.compress(plain, store_size=False))
    if compression == "gzip":
        return Reply(gzip.compress(plain, 1))
    raise Refused(f'unknown compression type "{compression}"')


def unpacked(body: bytes, compression: str, size: Point) -> bytes:
    """What was posted. A block of lz4 that cannot be read is taken for zeros, without a word, as the original does."""
    if compression in ("", "uncompressed"):
        return body
    if compression == "lz4":
        needed = int(np.prod(size)) * 8
        try:
            return bytes(lz4.block.decompress(body, uncompressed_size=needed))
        except lz4.block.LZ4BlockError:
            return bytes(needed)
    if compression == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError) as fault:
            raise Refused(str(fault)) from None
    raise Refused(f'unknown compression type "{compression}"')
