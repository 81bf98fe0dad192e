"""What goes between the HTTP layer and the views."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class User(Enum):
    """Who asks: nobody, the shared read-only account, or one who may do everything."""

    ANONYMOUS = "anonymous"
    PUBLIC = "public"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has arrived whole; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: User

    def flag(self, name: str) -> bool:
        """Whether a query parameter says true, in any case."""
        return self.query.get(name, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to send."""

    status: int
    body: bytes = b""
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One request that was answered, in the order in which replies were decided."""

    method: str
    path: str
    """The path without the query."""
    query: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Of the request; names are lower case."""
    request_bytes: int
    reply_bytes: int
    """Of the body, before a fault cuts it."""


def json_reply(status: int, document: Any, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """A reply with a JSON document."""
    return Reply(status, json.dumps(document).encode(), "application/json", headers)
