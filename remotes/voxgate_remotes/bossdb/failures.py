"""BossDB's refusals: `{"status": 404, "code": 4005, "message": "…"}`, the code telling more than the status.

The codes are those of BossDB's own table (bosscore/error.py of jhuapl-boss/boss); Django's own refusals come as
`{"detail": …}`, a throttled caller's as `detail` with numbers in it, those of a proxy in front as pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from voxgate.model.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    InternalError,
    OutOfBounds,
    SegmentNotFound,
    ServerBusy,
    StoreRefused,
    StoreUnavailable,
    Unauthenticated,
    Unavailable,
    VoxgateError,
)
from voxgate.model.hops import REASON_HEADER
from voxgate.model.reasons import error_class
from voxgate_remotes.http.answers import StoreAnswer
from voxgate_remotes.http.failures import failure, words_of

OUT_OF_FRAME = 1001
WRONG_TYPE = 1002
BAD_ARGUMENT = 1003
"""Of metadata: there is no such key, or there is one already."""
KEPT = 4003
SEGMENT_UNKNOWN = 4004
DELETED = 4005
SYSTEM_ERROR = 9001
_READ_FAILED = 5000
_BAD_REQUEST = (2004, 5001, 5002, 5003)
"""404 that is not about something missing: an invalid request, a body that cannot be read or made."""
_TAKEN = (6001, 6002)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What BossDB says to a request that it does not do.

    Attributes:
        code: BossDB's own; None where somebody else answered.
        words: its message, fit to be shown.
    """

    code: int | None
    words: str


def refusal(answer: StoreAnswer) -> Refusal:
    """What an answer that is no success says."""
    text = answer.body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        return Refusal(None, words_of(text))
    if not isinstance(document, dict):
        return Refusal(None, words_of(text))
    code = document.get("code")
    message = document.get("message", document.get("detail", ""))
    words = message if isinstance(message, str) else json.dumps(message)
    return Refusal(code if isinstance(code, int) else None, words_of(words))


def refused(answer: StoreAnswer) -> VoxgateError:
    """The typed error that an answer means, with BossDB's own message."""
    said = refusal(answer)
    error = _by_reason(answer, said) or _by_code(said)
    if error is None:
        error = failure(answer, said.words)
    error.details["status"] = str(answer.status)
    if said.code is not None:
        error.details["code"] = str(said.code)
    return error


_MEANINGS: dict[int, tuple[type[VoxgateError], str, str]] = {
    OUT_OF_FRAME: (OutOfBounds, "the store has no such voxels", "open the volume again and look at its bounds"),
    KEPT: (StoreRefused, "the store keeps this", "remove first what was made from it"),
    SEGMENT_UNKNOWN: (SegmentNotFound, "the store knows no such segment", "list the segments of a box"),
    **dict.fromkeys(_BAD_REQUEST, (StoreRefused, "the store refuses this", "")),
    _READ_FAILED: (StoreUnavailable, "the store cannot read its own data", "try again later"),
    **dict.fromkeys(_TAKEN, (AlreadyExists, "the store has this already", "choose another name")),
}
"""Of the codes whose status says something else, or less."""


_ON_THE_WAY = (Unavailable, ServerBusy, Unauthenticated, DeadlineExceeded, Cancelled, InternalError)
"""What another voxgate fails with that is to our caller, who knows nothing of it, a store's failure."""


def _by_reason(answer: StoreAnswer, said: Refusal) -> VoxgateError | None:
    """The error that another voxgate means, which says so beside BossDB's code."""
    kind = error_class(answer.headers.get(REASON_HEADER, ""))
    return None if kind is None or issubclass(kind, _ON_THE_WAY) else kind(said.words)


def _by_code(said: Refusal) -> VoxgateError | None:
    if said.code not in _MEANINGS:
        return None
    kind, what, remedy = _MEANINGS[said.code]
    return kind(f"{what}: {said.words}" if said.words else what, remedy)
