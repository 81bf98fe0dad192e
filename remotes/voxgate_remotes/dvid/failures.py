"""DVID's refusals as typed errors. Nearly all of them are 400 with a sentence, so the sentence decides (measured)."""

from __future__ import annotations

import re
from collections.abc import Callable

from voxgate.model.errors import (
    AlreadyExists,
    LimitExceeded,
    MissingCapability,
    ReadOnly,
    StoreAccessDenied,
    UnknownVersion,
    UnknownVolume,
    VersionLocked,
    VoxgateError,
)
from voxgate_remotes.http.failures import failure, words_of
from voxgate_remotes.http.session import StoreAnswer

_OWN_PATH = re.compile(r" \(/api/\S*\)\.?$")

_MEANINGS: tuple[tuple[str, Callable[[str], VoxgateError]], ...] = (
    ("locked node", lambda said: VersionLocked(f"this version is committed: {said}", "open a new version of it")),
    ("invalid data instance name", lambda said: UnknownVolume(f"no such instance: {said}", "list its repository")),
    ("could not find UUID", lambda said: UnknownVersion(f"no such version: {said}", "list the versions")),
    ("more than one UUID", lambda said: UnknownVersion(f"which version is meant? {said}", "write more of the UUID")),
    ("UUID is not present", lambda said: UnknownVersion(f"no such version: {said}", "list the versions")),
    ("already exists in repo", lambda said: AlreadyExists(f"the name is taken: {said}", "choose another name")),
    ("read-only mode", lambda said: ReadOnly(f"the store takes no writes: {said}", "ask who runs it")),
    (
        "requires admin privileges",
        lambda said: StoreAccessDenied(f"the store does not let us do this: {said}", "ask who runs it"),
    ),
    ("set limit", lambda said: LimitExceeded(f"more than the store takes at once: {said}", "ask for less")),
    (
        "not label indexed",
        lambda said: MissingCapability(f"no label index is kept: {said}", "read the voxels instead"),
    ),
)


def said(answer: StoreAnswer) -> str:
    """DVID's own sentence, without the path of the request that it adds to each."""
    return words_of(_OWN_PATH.sub("", answer.body.decode("utf-8", "replace").strip()))


def refusal(answer: StoreAnswer) -> VoxgateError:
    """The error that an answer without success means."""
    words = said(answer)
    if answer.status == 400:
        for fragment, make in _MEANINGS:
            if fragment in words:
                return make(words)
    return failure(answer, words)
