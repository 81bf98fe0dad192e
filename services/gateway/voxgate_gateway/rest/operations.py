"""What an operation is: one value from which requests are checked, the document is written and the page is made.

An area (volumes, slices, segments, …) is a module of its own with an `AREA`; `routes.AREAS` lists them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import InvalidArgument
from voxgate_gateway.backend import Backend, VolumeRef
from voxgate_gateway.paths import backend_of

Schema = Mapping[str, Any]
"""A JSON Schema (draft 2020-12), as OpenAPI 3.1 has them."""

PREFIX = "api/v1"
VOLUME = "/volumes/{volume}/-"
"""How the paths of operations on a volume begin; `{volume}` is the only parameter that may have slashes in it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a parameter is written.

    Attributes:
        schema: what its text is, as JSON Schema; what this refuses is refused by `parse`.
        parse: makes a value of its text; ValueError says that it cannot, for people.
    """

    schema: Schema
    parse: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation.

    Attributes:
        name: as in the address.
        kind: how it is written.
        text: what it means, for people; Markdown.
        where: "query" or "path".
        required: whether there must be one; those of the path always are.
        example: of its text.
    """

    name: str
    kind: Kind
    text: str
    where: str = "query"
    required: bool = False
    example: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of answer to an operation.

    Attributes:
        text: what it is, for people; Markdown.
        media: the schema of each media type that it may have; empty for an answer without a body.
        headers: names, and what they say.
    """

    text: str
    media: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for one operation, checked against it.

    Attributes:
        request: as it came.
        values: the parsed parameters that were given, those of the path but the volume included.
        volume: which volume; None where the path has none.
    """

    request: Request
    values: Mapping[str, Any]
    volume: VolumeRef | None = None

    @property
    def backend(self) -> Backend:
        """The backend, its calls carrying this request's identity."""
        return backend_of(self.request)

    @property
    def ref(self) -> VolumeRef:
        """The volume of an operation that is on one."""
        if self.volume is None:
            raise InvalidArgument("the address names no volume")
        return self.volume


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked.

    Attributes:
        name: unique, camelCase; what generated clients call it.
        path: below `/api/v1`, with `{parameters}`.
        summary: one line, for people.
        answers: what a success may be, by status.
        handler: answers a request that was checked; typed errors become problem+json.
        text: more for people; Markdown.
        parameters: without `{volume}`, which every path that has it brings along.
        problems: the statuses that it refuses or fails with, besides those that every operation may.
        method: of HTTP. GET brings HEAD along.
        body: the schema of each media type that the request's body may have; empty for none.
    """

    name: str
    path: str
    summary: str
    answers: Mapping[int, Answer]
    handler: Callable[[Asked], Awaitable[Response]]
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    method: str = "GET"
    body: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of HTTP that it answers."""
        return (self.method, "HEAD") if self.method == "GET" else (self.method,)


@dataclass(frozen=True, slots=True)
class Area:
    """Operations that belong together.

    Attributes:
        name: heads them in the document and on the page.
        text: one line, for people.
        operations: in the order in which people read of them.
        schemas: what their schemas refer to, by name: `ref("Name")`.
    """

    name: str
    text: str
    operations: tuple[Operation, ...]
    schemas: Mapping[str, Schema] = field(default_factory=dict)


def ref(name: str) -> Schema:
    """A reference to one of the schemas of some area."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """The schema of a JSON object with exactly these properties, of which some may be absent."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def list_of(item: Schema) -> Schema:
    """The schema of a JSON array."""
    return {"type": "array", "items": item}


def text(description: str = "") -> Schema:
    """The schema of a string."""
    return {"type": "string", **({"description": description} if description else {})}


BINARY: Schema = {"type": "string", "format": "binary"}
"""The schema of bytes."""
SEGMENT_ID: Schema = {
    "type": "string",
    "pattern": "^(0|[1-9][0-9]{0,19})$",
    "description": "An unsigned 64-bit number in decimal. A string, because JSON's readers in JavaScript, R and MATLAB "
    "make doubles of numbers, which silently change ids above 2^53.",
    "examples": ["9223372036854775813"],
}
