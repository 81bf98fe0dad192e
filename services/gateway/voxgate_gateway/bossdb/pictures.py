"""Planes as pictures: which voxels can be in one, and what becomes of them.

The service shows uint8 as they are, divides uint16 by 256, paints annotations in false colours and fails on the rest.
Here no value is changed: uint16 are a PNG of 16 bits, and a JPEG, which has 8, is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate_gateway.bossdb.codecs import JPEG, JPEG_QUALITY
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.pictures import id_colours, jpeg_of, png_of

PNG = "image/png"
OFFERED = (PNG, JPEG)
"""In the service's order of preference."""


def check_picture(dtype: np.dtype[Any], media: str, *, ids: bool) -> None:
    """Check that voxels of a type can be in a picture, before any is read.

    Args:
        dtype: of the voxels.
        media: PNG or JPEG.
        ids: whether they are segment ids.

    Raises:
        BossError: 2001 for a JPEG of what is not 8 bits, 2003 for voxels that are in no picture.
    """
    if not ids and dtype not in (np.dtype("uint8"), np.dtype("uint16")):
        raise BossError(
            Code.DATATYPE_NOT_SUPPORTED, f"Pictures hold uint8, uint16 and annotations, not {dtype.name}; ask a cutout"
        )
    if media == JPEG and (ids or dtype.itemsize > 1):
        what = "the colours of annotations" if ids else f"{dtype.name} without scaling"
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, f"A JPEG cannot hold {what}; accept {PNG}")


def picture(plane: npt.NDArray[Any], media: str, *, ids: bool) -> bytes:
    """A plane of voxels, shape (rows, columns), as a picture; segment ids as colours.

    Raises:
        UnsupportedEncoding: where the library is not installed.
    """
    rows = id_colours(plane) if ids else np.ascontiguousarray(plane)[..., np.newaxis]
    return jpeg_of(rows, JPEG_QUALITY) if media == JPEG else png_of(rows)
