"""What may stand in the JSON of a project request, and how the service reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import BossError, Code, FrameworkError
from .messages import Request
from .resources import DTYPES, METHODS, TIME_UNITS, TYPES, VOXEL_UNITS

Field = Callable[[Any], Any]
_NAME = re.compile(r"[a-zA-Z0-9_-]*")


def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request; an empty body is an empty object.

    Raises:
        FrameworkError: 400 for what is no JSON object.
    """
    try:
        document = json.loads(request.body or b"{}")
    except ValueError as error:
        raise FrameworkError(400, "JSON parse error") from error
    if not isinstance(document, dict):
        raise FrameworkError(400, "JSON parse error")
    return document


def read_fields(document: Mapping[str, Any], fields: Mapping[str, Field], required: tuple[str, ...] = ()) -> Any:
    """The fields of a document that are known, each as its reader has it; unknown ones are passed over.

    Raises:
        BossError: 1003 for a field that is missing or does not read.
    """
    missing = [name for name in required if document.get(name) is None]
    if missing:
        raise BossError(Code.INVALID_POST_ARGUMENT, f"This field is required: {', '.join(missing)}")
    found = {}
    for name, field in fields.items():
        if name in document:
            try:
                found[name] = field(document[name])
            except (TypeError, ValueError) as error:
                raise BossError(Code.INVALID_POST_ARGUMENT, f"{name}: not valid") from error
    return found


def refuse_others(document: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    """Refuse what may not be changed.

    Raises:
        BossError: 1003 for any field but these.
    """
    others = sorted(set(document) - set(fields))
    if others:
        raise BossError(Code.INVALID_POST_ARGUMENT, f"Cannot update the following readonly fields:{others}.")


def name(value: Any) -> str:
    """A resource's name."""
    if not isinstance(value, str) or not value or len(value) > 255 or not _NAME.fullmatch(value):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError
    return value


def _truth(value: Any) -> bool:
    known = {True: True, False: False, "true": True, "false": False, "True": True, "False": False}
    if value not in known:
        raise ValueError
    return known[value]


def _names(value: Any) -> list[str]:
    return [name(one) for one in value]


def _optional(field: Field) -> Field:
    return lambda value: None if value is None else field(value)


def _one_of(*choices: str) -> Field:
    def field(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return field


def _time_unit(value: Any) -> str:
    return str(_one_of(*TIME_UNITS)(value)) if value else "seconds"


COMMON: dict[str, Field] = {"name": name, "description": _text, "public": _truth}
COORD: dict[str, Field] = {
    "name": name,
    "description": _text,
    **{f"{axis}_{end}": int for axis in "xyz" for end in ("start", "stop")},
    **{f"{axis}_voxel_size": float for axis in "xyz"},
    "voxel_unit": _one_of(*VOXEL_UNITS),
}
EXPERIMENT: dict[str, Field] = {
    **COMMON,
    "num_hierarchy_levels": int,
    "hierarchy_method": _one_of(*METHODS),
    "num_time_samples": int,
    "time_step": _optional(int),
    "time_step_unit": _time_unit,
}
CHANNEL_CHANGES: dict[str, Field] = {
    **COMMON,
    "default_time_sample": int,
    "base_resolution": int,
    "sources": _names,
    "related": _names,
    "bucket": _optional(_text),
    "cv_path": _optional(_text),
    "storage_type": _one_of("spdb", "cloudvol"),
}
CHANNEL: dict[str, Field] = {**CHANNEL_CHANGES, "type": _one_of(*TYPES), "datatype": _one_of(*DTYPES)}
