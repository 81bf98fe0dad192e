"""Finding the operation that a request is for, and checking the request against it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

from voxgate.model.errors import InvalidArgument, NotFound
from voxgate_gateway.backend import VolumeRef
from voxgate_gateway.paths import parse_volume, segments_after, split_address
from voxgate_gateway.rest.operations import PREFIX, VOLUME, Asked, Operation, Parameter

_PLACE = re.compile(r"\{(\w+)\}")
_ENCODED = re.compile("%2f|%40", re.IGNORECASE)


class NoSuchAddress(NotFound):
    """Nothing is at this address."""

    reason = "HTTP"  # as every dialect says it: no value of the contract's, for no server was asked


@dataclass(frozen=True, slots=True)
class Found:
    """What an address is.

    Attributes:
        operations: those at this address, by method.
        path_values: the texts of the parameters in the path, decoded.
        volume: the segments of the volume's name, encoded; empty where it names none.
    """

    operations: Mapping[str, Operation]
    path_values: Mapping[str, str]
    volume: tuple[str, ...] = ()


class Table:
    """The operations by their addresses."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._plain: dict[str, dict[str, Operation]] = {}
        self._of_volumes: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            of_volume = operation.path.startswith(f"{VOLUME}/")
            where = self._of_volumes if of_volume else self._plain
            path = operation.path.removeprefix(VOLUME) if of_volume else operation.path
            for method in operation.methods:
                where.setdefault(path, {})[method] = operation
        self._patterns = {path: _pattern(path) for path in (*self._plain, *self._of_volumes)}

    def find(self, request: Request) -> Found:
        """What a request's address is.

        Raises:
            NoSuchAddress: when it is nothing.
            NotFound: when it does not say where a volume's name ends.
        """
        segments = segments_after(request, PREFIX)
        if segments[0] == "volumes" and len(segments) > 1:
            name, rest = split_address(segments[1:])
            return self._matched(self._of_volumes, rest, tuple(name))
        return self._matched(self._plain, segments, ())

    def _matched(
        self, table: Mapping[str, dict[str, Operation]], segments: list[str], volume: tuple[str, ...]
    ) -> Found:
        asked = "/" + "/".join(segments)
        for path, operations in table.items():
            match = self._patterns[path].fullmatch(asked)
            if match:
                return Found(operations, {key: unquote(text) for key, text in match.groupdict().items()}, volume)
        close = difflib.get_close_matches(asked, table, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise NoSuchAddress(f"there is nothing at {asked[:200]}", f"{hint}{PREFIX}/openapi.json lists what there is")


def asked_of(request: Request, operation: Operation, found: Found) -> Asked:
    """The request, its parameters parsed.

    Raises:
        InvalidArgument: for a parameter that is unknown, absent, given twice or not what it should be.
        MalformedName: for what can be no volume.
    """
    texts = dict(found.path_values)
    known = [each.name for each in operation.parameters if each.where == "query"]
    for name, text in request.query_params.multi_items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known) or 'none'}"
            raise InvalidArgument(f"there is no parameter {name[:100]!r}", remedy, details={"field": name[:100]})
        if name in texts:
            raise InvalidArgument(f"{name} is given twice", "give it once", details={"field": name})
        texts[name] = text
    values = {each.name: _parsed(each, texts) for each in operation.parameters if _is_given(each, texts)}
    return Asked(request, values, _volume(found.volume) if found.volume else None)


def _is_given(parameter: Parameter, texts: Mapping[str, str]) -> bool:
    if parameter.name in texts:
        return True
    if parameter.required:
        raise InvalidArgument(f"{parameter.name} is missing", f"add it, as in {parameter.name}={parameter.example}")
    return False


def _parsed(parameter: Parameter, texts: Mapping[str, str]) -> Any:
    try:
        return parameter.kind.parse(texts[parameter.name])
    except ValueError as error:
        raise InvalidArgument(
            f"{parameter.name}={texts[parameter.name][:100]} cannot be read",
            str(error),
            details={"field": parameter.name},
        ) from None


def _volume(segments: tuple[str, ...]) -> VolumeRef:
    """Generated clients encode the whole name once, its slashes and its @ too; whoever writes by hand encodes neither.

    No name has an encoded slash of its own; a version may.
    """
    if len(segments) == 1 and "@" not in segments[0] and _ENCODED.search(segments[0]):
        return parse_volume(unquote(segments[0]).split("/"))
    return parse_volume(list(segments))


def _pattern(path: str) -> re.Pattern[str]:
    parts = _PLACE.split(path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))
