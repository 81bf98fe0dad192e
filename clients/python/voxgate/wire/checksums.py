"""CRC-32C of payloads, where the library for it is installed."""

from __future__ import annotations

import numpy as np

from voxgate.wire.byte_codecs import Data, has_module


def can_checksum() -> bool:
    """Whether this installation can compute a CRC-32C fast."""
    return has_module("google_crc32c")


def crc32c(data: Data) -> int:
    """The CRC-32C (Castagnoli) of some bytes."""
    import google_crc32c  # noqa: PLC0415  (an extra)

    # The library takes bytes or arrays, no memoryviews.
    return int(google_crc32c.value(data if isinstance(data, bytes) else np.frombuffer(data, np.uint8)))
