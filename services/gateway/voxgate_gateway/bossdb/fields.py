"""What may stand in the JSON of a project request.

Fields and bounds: the serializers of jhuapl-boss/boss (django/bosscore). Unknown fields are passed over, as they are
there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from voxgate.model.errors import InvalidArgument
from voxgate_gateway.bossdb.bodies import body_of
from voxgate_gateway.bossdb.call import Call
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.projects import Document

Field = Callable[[Any], Any]
"""Reads a value; raises TypeError or ValueError."""
VOXEL_UNITS = {"nanometers": 1.0, "micrometers": 1e3, "millimeters": 1e6, "centimeters": 1e7}
"""Nanometres of each."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_BODY_BYTES = 1 << 20
_FAR = 10**15


async def read_document(call: Call, fields: Mapping[str, Field], required: tuple[str, ...] = ()) -> Document:
    """The fields of a body's JSON object that are known; an empty body is an empty object.

    Raises:
        BossError: 400/1006 for what is no JSON object, 400/1003 for a field that is missing or cannot be read.
    """
    body = await body_of(call.request, _BODY_BYTES)
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BossError(Code.BAD_REQUEST, "JSON parse error: the body is no JSON object")
    missing = [name for name in required if document.get(name) is None]
    if missing:
        raise BossError(Code.INVALID_POST_ARGUMENT, f"This field is required: {', '.join(missing)}")
    found: Document = {}
    for name, field in fields.items():
        if document.get(name) is not None:
            try:
                found[name] = field(document[name])
            except (TypeError, ValueError, OverflowError, InvalidArgument):
                raise BossError(Code.INVALID_POST_ARGUMENT, f"{name}: not valid") from None
    return found


def checked_name(text: str) -> str:
    """A resource's name.

    Raises:
        BossError: 400/1003 for what can be none.
    """
    if not _NAME.fullmatch(text):
        raise BossError(Code.INVALID_POST_ARGUMENT, f"{text[:100]!r} is no name: 1 to 255 of A-Z a-z 0-9 _ -")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError
    return value


def _truth(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _whole(least: int, most: int) -> Field:
    def read(value: Any) -> int:
        number = int(value)
        if number != float(value) or not least <= number <= most:
            raise ValueError
        return number

    return read


def _size(value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError
    return number


def _one_of(*choices: str) -> Field:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return read


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and _NAME.fullmatch(each) for each in value):
        raise ValueError
    return value


COLLECTION: Mapping[str, Field] = {"description": _text, "public": _truth}
FRAME: Mapping[str, Field] = {
    "description": _text,
    **{f"{axis}_{end}": _whole(-_FAR, _FAR) for axis in "xyz" for end in ("start", "stop")},
    **{f"{axis}_voxel_size": _size for axis in "xyz"},
    "voxel_unit": _one_of(*VOXEL_UNITS),
}
FRAME_NEEDS = tuple(name for name in FRAME if name != "description")
EXPERIMENT: Mapping[str, Field] = {
    **COLLECTION,
    "coord_frame": _text,
    "num_hierarchy_levels": _whole(1, 1000),
    "hierarchy_method": _one_of("anisotropic", "isotropic"),
    "num_time_samples": _whole(1, 10**9),
    "time_step": _whole(0, _FAR),
    "time_step_unit": _one_of("nanoseconds", "microseconds", "milliseconds", "seconds"),
}
CHANNEL: Mapping[str, Field] = {
    **COLLECTION,
    "type": _one_of("image", "annotation"),
    "datatype": _one_of("uint8", "uint16", "uint32", "uint64"),
    "base_resolution": _whole(0, 100),
    "default_time_sample": _whole(0, 10**9),
    "sources": _names,
    "related": _names,
    "storage_type": _one_of("spdb", "cloudvol"),
}
