"""What callers say in their own way, as the contract says it: ids of requests, choices, points."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Sequence
from typing import TypeVar

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Vec3
from voxgate.model.volumes import ArrayCodec, ByteCodec, Encoding

E = TypeVar("E", bound=enum.Enum)

Extent = Vec3 | Sequence[int]
"""A point or an extent in voxels: x, y, z."""

REQUESTS = uuid.UUID("5c1f5f0e-0a3e-5d0b-9a55-0b0e6b4c7e11")
"""The namespace of request ids that are made of a caller's own words; never changes."""


def request_uuid(request_id: str | None) -> str:
    """A UUID as the contract spells it: the one given, one that stands for other words, or a new one."""
    if request_id is None:
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(request_id))
    except ValueError:
        return str(uuid.uuid5(REQUESTS, request_id))


def choice(kind: type[E], value: E | str, field: str) -> E:
    """A value of an enumeration, or the one of a text.

    Raises:
        InvalidArgument: naming those there are.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind)
        raise InvalidArgument(f"{field} cannot be {value!r}", f"use one of {known}", details={"field": field}) from None


def vec3(numbers: Extent, field: str) -> Vec3:
    """Three whole numbers as x, y, z.

    Raises:
        InvalidArgument: for anything else.
    """
    try:
        x, y, z = (int(number) for number in numbers if number == int(number))
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"{field} cannot be {numbers!r}", "give three whole numbers: x, y, z", details={"field": field}
        ) from None
    return Vec3(x, y, z)


def encoding_of(codec: str) -> Encoding:
    """How chunks are kept, by one word: "none", "gzip", "zstd", "blosc"; or "jpeg", "png", "compressed_segmentation".

    Raises:
        InvalidArgument: for another word.
    """
    known = {each.value: Encoding(bytes=each) for each in ByteCodec}
    known |= {each.value: Encoding(each) for each in ArrayCodec if each not in (ArrayCodec.RAW, ArrayCodec.FILL)}
    if codec not in known:
        raise InvalidArgument(
            f"codec cannot be {codec!r}", f"use one of {', '.join(known)}", details={"field": "codec"}
        )
    return known[codec]
