"""Calls to a DVID server: paths of names, answers checked, JSON exact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from voxgate.model.errors import StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.dvid.failures import refusal
from voxgate_remotes.http.answers import HttpLimits
from voxgate_remotes.http.session import StoreAnswer, StoreCall, StoreSession

Query = tuple[tuple[str, str], ...]

_APP = ("app", "voxgate")
_MOST_JSON_BYTES = 256 << 20
_MISSING = 404
_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to the server.

    Attributes:
        path: names below /api, not encoded.
        query: beside the name of this program.
        body: several of DVID's GETs take their argument here.
        most_bytes: how long an answer may be.
        is_repeatable: False for what must not happen twice.
    """

    path: tuple[str, ...]
    query: Query = ()
    body: bytes | None = None
    most_bytes: int = _MOST_JSON_BYTES
    is_repeatable: bool = True


class DvidClient:
    """One server. Thread-safe; connects at the first call."""

    def __init__(self, base_url: str, credentials: CredentialsConfig, *, connections: int = 0) -> None:
        """Take a server; `connections` is how many calls at a time there must be room for, at least."""
        limits = HttpLimits(connections=max(_CONNECTIONS, connections))
        self._session = StoreSession(base_url, credentials=credentials, limits=limits)

    def call(self, method: str, ask: Ask, context: CallContext) -> StoreAnswer:
        """The answer to a call, whatever its status.

        Raises:
            StoreUnavailable, ChunkCorrupt, PathRefused, Cancelled, DeadlineExceeded.
        """
        path = "/api/" + "/".join(quote(part, safe="") for part in ask.path)
        return self._session.request(
            StoreCall(
                method,
                path,
                query=(*ask.query, _APP),
                body=ask.body,
                is_repeatable=ask.is_repeatable,
                max_answer_bytes=ask.most_bytes,
            ),
            context,
        )

    def get(self, ask: Ask, context: CallContext) -> bytes:
        """The body of a GET that must succeed.

        Raises:
            Whatever DVID's refusal means (see `failures`), and what `call` raises.
        """
        return succeeded(self.call("GET", ask, context))

    def find(self, ask: Ask, context: CallContext) -> bytes | None:
        """The body of a GET; None where DVID answers that there is no such thing (404)."""
        answer = self.call("GET", ask, context)
        return None if answer.status == _MISSING else succeeded(answer)

    def exists(self, ask: Ask, context: CallContext) -> bool:
        """Whether a HEAD finds something."""
        answer = self.call("HEAD", ask, context)
        if answer.status == _MISSING:
            return False
        succeeded(answer)
        return True

    def post(self, ask: Ask, context: CallContext) -> bytes:
        """The body of the answer to a POST that must succeed; raises as `get` does."""
        return succeeded(self.call("POST", ask, context))

    def delete(self, ask: Ask, context: CallContext) -> None:
        """A DELETE that must succeed; raises as `get` does."""
        succeeded(self.call("DELETE", ask, context))

    def get_json(self, ask: Ask, context: CallContext) -> Any:
        """A GET's JSON; integers of any size are exact.

        Raises:
            StoreUnavailable: for what is no JSON; and what `get` raises.
        """
        return parsed(self.get(ask, context))


def parsed(body: bytes) -> Any:
    """A body as JSON.

    Raises:
        StoreUnavailable: when it is none; a proxy's page, or an answer that broke off.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise StoreUnavailable("the store's answer is no JSON", "check that a DVID server is there") from None


def json_body(value: object) -> bytes:
    """A value as a JSON body."""
    return json.dumps(value, separators=(",", ":")).encode()


def id_list(body: bytes, count: int | None = None) -> list[int]:
    """A JSON array of segment ids.

    Args:
        body: the answer.
        count: how many it must have; None for any number.

    Raises:
        StoreUnavailable: for anything else than so many numbers of 64 bits.
    """
    found = parsed(body)
    numbers: Sequence[Any] = found if isinstance(found, list) else [None]
    if not all(type(one) is int and 0 <= one < 1 << 64 for one in numbers) or count not in (None, len(numbers)):
        raise StoreUnavailable("the store's answer is not the list of segment ids asked for", "try again later")
    return list(numbers)


def succeeded(answer: StoreAnswer) -> bytes:
    """The body of an answer that must be a success; raises what the refusal means."""
    if not 200 <= answer.status < 300:
        raise refusal(answer)
    return answer.body
