"""Errors by their reasons: what a reason that travelled stands for."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.model.errors import (
    IncompleteAnswer,
    JobFailed,
    PartialWriteError,
    ServerUnreachable,
    TlsFailed,
    VoxgateError,
)

_CLIENT_ONLY = (IncompleteAnswer, PartialWriteError, ServerUnreachable, TlsFailed, JobFailed)


def _subclasses(root: type[VoxgateError]) -> Iterator[type[VoxgateError]]:
    # Depth first and root last, so that a reason shared by a category and its leaf means the leaf.
    for child in root.__subclasses__():
        yield from _subclasses(child)
    yield root


def error_class(reason: str) -> type[VoxgateError] | None:
    """The class whose reason this is, or None for one of a newer contract."""
    return next((c for c in _subclasses(VoxgateError) if c.reason == reason and c not in _CLIENT_ONLY), None)
