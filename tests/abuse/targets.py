"""Everything that takes bytes, by name."""

from __future__ import annotations

import os
import time

from abuse import decoders, documents
from abuse.fuzzing import Target


def names() -> list[str]:
    """Of every target, in order."""
    return [*decoders.targets(), *documents.targets()]


def target_of(name: str) -> Target:
    """A target, made now; or one of those that are broken on purpose."""
    if name in _KNOWN:
        return Target(_KNOWN[name], [b""], vary=lambda *_: b"wound")
    return {**decoders.targets(), **documents.targets()}[name]()


def _crash(data: bytes) -> None:
    if data:
        os.abort()


def _hang(data: bytes) -> None:
    if data:
        time.sleep(3600)


def _fault(data: bytes) -> float:
    return 1 / (not data)


_KNOWN = {
    "crash, to see that it is found": _crash,
    "hang, to see that it is found": _hang,
    "fault, to see that it is found": _fault,
}
