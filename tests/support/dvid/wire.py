"""What a request brings and what an answer takes, and the one way most requests are refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Request:
    """One request: `path` is decoded and without its query, `parts` are the pieces of `path` between slashes.

    `admin` may write to locked versions too, and `may_create` repositories. `range` is the header of that name.
    """

    method: str
    path: str
    parts: tuple[str, ...]
    query: dict[str, str]
    body: bytes
    admin: bool = False
    may_create: bool = True
    range: str = ""

    def flag(self, name: str) -> bool:
        """Only the word "true" is true; DVID reads anything else as false, without a word."""
        return self.query.get(name) == "true"

    def json(self) -> Any:
        """The body as JSON, on GET too: several reads of DVID's carry their argument there."""
        try:
            return json.loads(self.body)
        except ValueError as fault:
            raise Refused(f"Malformed JSON request in body: {fault}") from None


@dataclass(frozen=True)
class Reply:
    """One answer."""

    body: bytes | memoryview = b""
    content_type: str | None = BYTES
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The request is answered with plain text, and with 400 for nearly everything."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def json_reply(value: Any, content_type: str = JSON) -> Reply:
    return Reply(json.dumps(value, separators=(",", ":")).encode(), content_type)


def not_found() -> Reply:
    """A label or a key that is not there: 404 without a word."""
    return Reply(b"", None, 404)


def point(text: str) -> tuple[int, int, int]:
    """Three numbers joined by underscores, x first."""
    pieces = text.split("_")
    try:
        x, y, z = (int(piece) for piece in pieces)
    except ValueError:
        raise Refused(f'String "{text}" cannot be converted to a 3d point') from None
    return x, y, z


def label_of(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise Refused(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)
