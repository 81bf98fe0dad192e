"""From a store's refusal to voxgate's typed errors, with the store's own words."""

from __future__ import annotations

import html
import re

from voxgate.model.errors import (
    LimitExceeded,
    StoreAccessDenied,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.secrets import without_secrets
from voxgate_remotes.http.answers import StoreAnswer
from voxgate_remotes.http.retries import retry_after_s

_MOST_CHARACTERS = 300
_LOOKED_AT = 8 << 10  # characters of a page that are looked at at all
_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")


def failure(answer: StoreAnswer, words: str) -> VoxgateError:
    """The error that an answer means where the adapter knows nothing better.

    Args:
        answer: one whose status is no success.
        words: what the store said, as `words_of` cleans it; may be empty.
    """
    said = f": {words}" if words else ""
    status = answer.status
    details = {"status": str(status)}
    wait = retry_after_s(answer.headers)
    if status in (401, 403):
        remedy = "check the remote's credentials and their rights at the store"
        return StoreAccessDenied(f"the store does not let us in ({status}){said}", remedy, details=details)
    if status == 404:
        return UnknownVolume(f"the store has no such thing{said}", "list the level above", details=details)
    if status == 413:
        return LimitExceeded(f"that is more than the store takes at once{said}", "ask for less", details=details)
    if status == 429:
        return StoreBusy(
            f"the store asks for fewer requests{said}",
            "try again later",
            details=details,
            retry_after_s=1.0 if wait is None else wait,
        )
    if status >= 500:
        return StoreUnavailable(
            f"the store failed ({status}){said}", "try again later", details=details, retry_after_s=wait
        )
    return StoreRefused(f"the store refuses this ({status}){said}", "", details=details)


def words_of(text: str) -> str:
    """A store's message made fit to be shown: one line of at most 300 characters, no markup, no secrets."""
    text = text[:_LOOKED_AT]
    if text.lstrip()[:1] == "<":
        title = _TITLE.search(text)
        text = _TAG.sub(" ", _INVISIBLE.sub(" ", text))
        text = html.unescape(text if text.strip() or title is None else title.group(1))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = without_secrets(line)
    return line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"
