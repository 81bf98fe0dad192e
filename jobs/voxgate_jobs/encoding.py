"""Values of the model as JSON and back, told by their types: what records and tasks are made of.

Objects are dataclasses by field, told from one another by the fields that they have where there may be several; points
and voxel sizes are lists of three, boxes of two points; enums are their values, number types their little-endian names
("<u8"), bytes hexadecimal, times ISO 8601. Whole numbers beyond 2**53 are decimal text, because many readers of JSON
would round them; so are the floats that JSON has not.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import math
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import SUPPORTED_DTYPES

_EXACT = 2**53
_LISTS = (Vec3, VoxelSize, Box)
"""Dataclasses that are written as the list of their fields."""


def encode(value: Any) -> Any:
    """The JSON of a value: only dicts, lists, text, numbers, booleans and None."""
    if value is None or isinstance(value, bool | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, int):
        return int(value) if abs(value) <= _EXACT else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return list(fields.values()) if isinstance(value, _LISTS) else fields
    return _encode_other(value)


def _encode_other(value: Any) -> Any:
    if isinstance(value, np.dtype):
        return value.newbyteorder("<").str
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no place in a record")


def decode(kind: Any, document: Any) -> Any:
    """The value of type `kind` that `document` was made of.

    Fields that are missing have their defaults, so that records of an older release can be read.

    Raises:
        UnsupportedFormat: when the document is none of that type, or has a key that this release does not know.
    """
    try:
        return _decode(kind, document)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _unreadable(f"it is not a {getattr(kind, '__name__', kind)}") from error


def _unreadable(why: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"a stored record cannot be read: {why}", "use the release of voxgate that wrote it")


def _decode(kind: Any, document: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, document)
    if origin is tuple:
        return _decode_tuple(arguments, document)
    if origin is Mapping:
        return {key: _decode(arguments[1], item) for key, item in _checked(document, dict).items()}
    return _decode_plain(np.dtype if origin is np.dtype else kind, document)


def _decode_plain(kind: Any, document: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_fields(typing.cast("type[Any]", kind), document)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(document)
    return _SIMPLE[kind](document)


def _decode_union(arguments: tuple[Any, ...], document: Any) -> Any:
    kinds = [kind for kind in arguments if kind is not type(None)]
    if document is None and len(kinds) < len(arguments):
        return None
    if kinds == [int, float]:
        return _decode_number(document)
    (kind,) = (kind for kind in kinds if len(kinds) == 1 or _has_fields_of(kind, document))
    return _decode(kind, document)


def _has_fields_of(kind: Any, document: Any) -> bool:
    """Whether a document has every field that dataclass `kind` wants, and no other: what tells one from another."""
    fields = dataclasses.fields(kind)
    wanted = {field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING}
    said: set[str] = set(_checked(document, dict))
    return wanted <= said <= {field.name for field in fields}


def _decode_tuple(arguments: tuple[Any, ...], document: Any) -> tuple[Any, ...]:
    items = _checked(document, list)
    kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
    return tuple(_decode(kind, item) for kind, item in zip(kinds, items, strict=True))


def _decode_fields(kind: type[Any], document: Any) -> Any:
    hints = _hints(typing.cast("Hashable", kind))
    if kind in _LISTS:
        items = _checked(document, list)
        return kind(*(_decode(hint, item) for hint, item in zip(hints.values(), items, strict=True)))
    unknown = sorted(_checked(document, dict).keys() - hints.keys())
    if unknown:
        raise _unreadable(f"this release knows no {unknown[0]!r} of a {kind.__name__}")
    return kind(**{name: _decode(hints[name], item) for name, item in document.items()})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _decode_dtype(document: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(_checked(document, str))
    if dtype not in SUPPORTED_DTYPES:
        raise _unreadable(f"{document!r} is no type of voxels")
    return dtype


def _decode_number(document: Any) -> int | float:
    if isinstance(document, str):
        return int(document) if document.lstrip("-").isdecimal() else _decode_float(document)
    if isinstance(document, bool) or not isinstance(document, int | float):
        raise TypeError
    return document


def _decode_int(document: Any) -> int:
    number = _decode_number(document)
    if not isinstance(number, int):
        raise TypeError
    return number


def _decode_float(document: Any) -> float:
    if isinstance(document, str) and document not in ("nan", "inf", "-inf"):
        raise ValueError
    if isinstance(document, bool):
        raise TypeError
    return float(document)


def _checked(document: Any, kind: type[Any]) -> Any:
    if not isinstance(document, kind):
        raise TypeError
    return document


def _decode_time(document: Any) -> datetime.datetime:
    time = datetime.datetime.fromisoformat(document)
    if time.tzinfo is None:
        raise ValueError
    return time


_SIMPLE: Mapping[Any, Callable[[Any], Any]] = {
    int: _decode_int,
    float: _decode_float,
    str: lambda document: _checked(document, str),
    bool: lambda document: _checked(document, bool),
    bytes: bytes.fromhex,
    np.dtype: _decode_dtype,
    datetime.datetime: _decode_time,
}
