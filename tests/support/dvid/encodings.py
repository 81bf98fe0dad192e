"""How voxels are packed for the wire. None of these sets Content-Encoding but googlegzip."""

from __future__ import annotations

import gzip

import compressed_segmentation
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
    if compression in ("google", "googlegzip"):
        return _google(voxels, compression == "googlegzip")
    raise Refused(f'unknown compression type "{compression}"')


def _google(voxels: Voxels, zipped: bool) -> Reply:
    """Neuroglancer's compressed segmentation in blocks of 8, one channel."""
    if any(length % 8 for length in voxels.shape):
        raise Refused("volume must be a multiple of the block size")
    labels = np.asfortranarray(voxels.T[..., None])
    body = bytes(compressed_segmentation.compress(labels, (8, 8, 8), order="F"))
    return Reply(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"}) if zipped else Reply(body)


def unpacked(body: bytes, compression: str, size: Point) -> bytes:
    """What was posted. A block of lz4 that ends early is filled up with zeros, without a word, as by the original."""
    if compression in ("", "uncompressed"):
        return body
    if compression == "lz4":
        needed = int(np.prod(size)) * 8
        try:
            return bytes(lz4.block.decompress(body, uncompressed_size=needed).ljust(needed, b"\0"))
        except lz4.block.LZ4BlockError:
            raise Refused("Malformed compression stream") from None
    if compression == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError) as fault:
            raise Refused(str(fault)) from None
    raise Refused(f'unknown compression type "{compression}"')
