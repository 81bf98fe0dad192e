"""Requests to one BossDB, and its answers as documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.bossdb.failures import refused
from voxgate_remotes.http.answers import StoreAnswer, StoreCall
from voxgate_remotes.http.session import StoreSession

_MOST_DOCUMENT_BYTES = 256 << 20
"""Lists of ids are the longest documents: 10 million of them are about 200 MB."""

Document = dict[str, Any]


class BossClient:
    """One BossDB, for as many threads as there are. Connects when it is first asked something."""

    def __init__(self, session: StoreSession) -> None:
        self._session = session

    def answer(self, call: StoreCall, context: CallContext) -> StoreAnswer:
        """The answer to a call, whatever its status; raises what `StoreSession.request` does."""
        return self._session.request(call, context)

    def done(self, call: StoreCall, context: CallContext, *statuses: int) -> StoreAnswer:
        """The answer to a call that has one of these statuses.

        Raises:
            VoxgateError: what any other status means, with the store's own message.
        """
        answer = self.answer(call, context)
        if answer.status not in statuses:
            raise refused(answer)
        return answer

    def document(
        self, path: str, context: CallContext, query: tuple[tuple[str, str], ...] = (), *, is_repeatable: bool = True
    ) -> Document:
        """The JSON object at an address.

        Raises:
            StoreUnavailable: when the answer is none; else as `done`.
        """
        call = StoreCall("GET", path, query, is_repeatable=is_repeatable, max_answer_bytes=_MOST_DOCUMENT_BYTES)
        return document_of(self.done(call, context, 200))


@dataclass(frozen=True, slots=True)
class Asking:
    """One BossDB, asked for one caller; everything raises as in BossClient.

    Attributes:
        client: the BossDB.
        context: the caller's patience and way through servers.
    """

    client: BossClient
    context: CallContext

    @property
    def patiently(self) -> Asking:
        """The same, for what must not be left half done."""
        return Asking(self.client, self.context.patient())

    def answer(self, call: StoreCall) -> StoreAnswer:
        """The answer to a call, whatever its status."""
        return self.client.answer(call, self.context)

    def done(self, call: StoreCall, *statuses: int) -> StoreAnswer:
        """The answer to a call that has one of these statuses."""
        return self.client.done(call, self.context, *statuses)

    def document(self, path: str) -> Document:
        """The JSON object at an address."""
        return self.client.document(path, self.context)

    def send(self, method: str, path: str, document: Document) -> StoreAnswer:
        """Send a JSON object; answers whatever the status."""
        body = json.dumps(document).encode()
        return self.answer(StoreCall(method, path, (), (("Content-Type", "application/json"),), body))


def document_of(answer: StoreAnswer) -> Document:
    """The JSON object of an answer.

    Raises:
        StoreUnavailable: when it is none: something else than BossDB answers there, such as a page to log in.
    """
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise StoreUnavailable("the store's answer is no JSON object", "check that the remote's uri names a BossDB")
    return document
