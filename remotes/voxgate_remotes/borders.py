"""Where what the client says of another server becomes what a store says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from voxgate.model.errors import (
    Cancelled,
    IncompleteAnswer,
    MissingCapability,
    PartialWriteError,
    ServerUnreachable,
    StoreAccessDenied,
    StoreUnavailable,
    TlsFailed,
    Unauthenticated,
    Unimplemented,
    VoxgateError,
)
from voxgate.model.volumes import CallContext

T = TypeVar("T")


def _nothing() -> None:
    """Nobody has to know of a failure."""


class Border:
    """The way to another server, for one caller.

    An error that the other server sent stays as it is. One that the client itself made is about the way there: to our
    caller, who knows nothing of the other server, the store is what does not answer.
    """

    def __init__(self, address: str, context: CallContext, failed: Callable[[], None] = _nothing) -> None:
        self._address = address
        self._context = context
        self._failed = failed

    def __call__(self, work: Callable[[], T]) -> T:
        """The answer of a call to the other server."""
        try:
            return work()
        except VoxgateError as error:
            raise self._told(error) from None

    def iterated(self, answers: Iterator[T]) -> Iterator[T]:
        """The answers of a stream from the other server."""
        try:
            yield from answers
        except VoxgateError as error:
            raise self._told(error) from None

    def _told(self, error: VoxgateError) -> VoxgateError:
        if isinstance(error, Cancelled) and self._context.stop.is_set():
            return error
        self._failed()
        who = f"the voxgate server {self._address}"
        return next((made(who, error) for kind, made in _ON_THE_WAY if isinstance(error, kind)), error)


def _not_written(who: str, error: VoxgateError) -> VoxgateError:
    cause = error.__cause__
    return cause if isinstance(cause, VoxgateError) else StoreUnavailable(f"{who}: {error.message}", error.remedy)


_ON_THE_WAY: tuple[tuple[type[VoxgateError], Callable[[str, VoxgateError], VoxgateError]], ...] = (
    (TlsFailed, lambda who, _: StoreUnavailable(f"{who} and this one do not agree on TLS", "check options.tls")),
    # gRPC does not always say that TLS was why.
    (
        ServerUnreachable,
        lambda who, _: StoreUnavailable(f"{who} does not answer", "is it running, and does it speak TLS as stated?"),
    ),
    (IncompleteAnswer, lambda who, error: StoreUnavailable(f"{who} broke off: {error.message}", "ask again")),
    (Cancelled, lambda who, _: StoreUnavailable(f"{who} stopped in the middle", "ask again")),
    (PartialWriteError, _not_written),
    (
        Unimplemented,
        lambda who, _: MissingCapability(
            f"{who} has no such call", "upgrade it; or if its Mesh service is elsewhere, state options.mesh"
        ),
    ),
    (
        Unauthenticated,
        lambda _, error: StoreAccessDenied(error.message, "check the remote's credentials", details=error.details),
    ),
)
"""What the client itself says, or a proxy, and what becomes of it."""
