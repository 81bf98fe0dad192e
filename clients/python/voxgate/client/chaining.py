"""Calls to another server for a caller of this one: what the adapter that chains servers needs of the client.

Every call carries the ids of the servers it came through, so that a loop is noticed, and the headers of its trace; it
waits no longer than its caller does, and ends when its caller goes away. The connection is one for all callers of a
process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from voxgate.client.around import AroundChannel
from voxgate.client.channels import OpenedChannels, Server, Stubs
from voxgate.client.connection import Client, ServerInfo
from voxgate.client.remote_volume import RemoteVolume
from voxgate.client.tls import Tls, TlsChoice
from voxgate.client.watching import Watcher
from voxgate.model.errors import Cancelled
from voxgate.model.volumes import CallContext, OpenOptions, Volume, VolumeFacts
from voxgate.wire.headers import VIA_KEY

__all__ = ["ChainedServer", "Client", "Server", "Tls", "TlsChoice", "opened_as"]

_NOT_ASKED = ServerInfo("", "", {}, {}, writes_enabled=False)


class ChainedServer:
    """Another server, asked on behalf of callers. Thread-safe; connects at the first call, and again after a fork."""

    def __init__(self, server: Server, *, token: Callable[[], str] = str) -> None:
        """Connect to nothing yet.

        Args:
            server: which, and how to reach it; no other address is asked, whatever it says of its services.
            token: answers what proves who asks, empty for nothing; asked for every call, so that it may be replaced.
        """
        # The token of this process's own user is no business of the other server: never looked for.
        self._shared = Stubs(server, token="")
        self._token = token
        self._watchers: dict[int, Watcher] = {}

    def for_caller(self, context: CallContext) -> Client:
        """A client of the server whose every call is this caller's. It has nothing to be closed."""
        return Client(_CallerStubs(self._shared, _Behalf(context, self._token, self._watcher)), _NOT_ASKED)

    def _watcher(self) -> Watcher:
        """This process's: a thread does not survive a fork, and a lock might be held in it for ever."""
        here = os.getpid()
        return self._watchers.get(here) or self._watchers.setdefault(here, Watcher())

    def close(self) -> None:
        """Close this process's connection for good; calls that run are cancelled."""
        self._shared.close()


def opened_as(client: Client, facts: VolumeFacts, options: OpenOptions) -> Volume:
    """A volume as it was described before, at the version of then; the server is not asked whether it is still so."""
    return RemoteVolume(client.stubs, facts, options)


@dataclass(frozen=True, slots=True)
class _Behalf:
    """For whom calls are made.

    Attributes:
        context: the caller's deadline, stop event and path through servers.
        token: proves to the other server who we are.
        watcher: ends calls whose caller went away.
    """

    context: CallContext
    token: Callable[[], str]
    watcher: Callable[[], Watcher]

    def options(self, timeout: float | None, metadata: Any) -> dict[str, Any]:
        """How a call is made.

        Raises:
            Cancelled, DeadlineExceeded: when there is nobody to make it for.
        """
        self.context.check()
        headers = list(metadata or ())
        token = self.token()
        if token:
            headers.append(("authorization", f"Bearer {token}"))
        if self.context.via:
            headers.append((VIA_KEY, ",".join(self.context.via)))
        headers.extend(self.context.trace.headers)
        if self.context.deadline is not None:
            left = max(0.0, self.context.deadline - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        return {"timeout": timeout, "metadata": headers}


class _CallerStubs(Stubs):
    """Stubs on a connection that others use too, for one caller."""

    def __init__(self, shared: Stubs, behalf: _Behalf) -> None:
        super().__init__(shared.server, token="")
        self._shared = shared
        self._behalf = behalf

    def __reduce__(self) -> Any:
        raise TypeError("what was opened for a caller of this process is never pickled")

    def _made(self) -> OpenedChannels:
        shared = self._shared._opened().channels
        return OpenedChannels(self.server, lambda where, own: _CallerChannel(shared[where], self._behalf))  # noqa: ARG005


class _CallerChannel(AroundChannel):
    """A channel whose calls are one caller's; it offers of grpc what this client uses."""

    def __init__(self, channel: grpc.Channel, behalf: _Behalf) -> None:
        super().__init__(channel)
        self._behalf = behalf

    def _awaited(self, method: Any) -> Any:
        return _Awaited(method, self._behalf)

    def _streamed(self, method: Any) -> Any:
        return _Streamed(method, self._behalf)

    def close(self) -> None:
        """Nothing: the connection is others' too."""


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A method with one answer, waited for no longer than the caller stays."""

    method: Any
    behalf: _Behalf

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        future = self.method.future(request, **self.behalf.options(timeout, metadata))
        watcher = self.behalf.watcher()
        watched = watcher.watch(self.behalf.context.stop, future)
        try:
            return future.result()
        except grpc.FutureCancelledError:
            self.behalf.context.check()
            raise Cancelled("the call to the other server was cancelled") from None
        finally:
            watcher.forget(watched)


@dataclass(frozen=True, slots=True)
class _Streamed:
    """A method with a stream of answers."""

    method: Any
    behalf: _Behalf

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        return _Stream(self.method(request, **self.behalf.options(timeout, metadata)), self.behalf)


class _Stream:
    """A stream that ends when its caller goes away, also while the other server says nothing."""

    def __init__(self, call: Any, behalf: _Behalf) -> None:
        self._call = call
        self._context = behalf.context
        self._watcher = behalf.watcher()
        self._watched = self._watcher.watch(self._context.stop, call)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except BaseException as error:
            self._watcher.forget(self._watched)
            if isinstance(error, grpc.RpcError):
                # Whatever the call ended with, it ended because of this.
                self._context.check()
            raise

    def cancel(self) -> None:
        """End the call."""
        self._watcher.forget(self._watched)
        self._call.cancel()
