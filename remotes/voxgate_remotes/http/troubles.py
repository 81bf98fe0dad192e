"""What goes wrong on the way to a store, told apart where it happens.

urllib3 and requests wrap errors in errors, so what happened is said here by the sockets themselves. `Trouble` is no
OSError on purpose: both let it pass, after throwing the connection away.
"""

from __future__ import annotations

import os
import socket
import ssl
from http.client import IncompleteRead, RemoteDisconnected

import urllib3.exceptions

from voxgate.model.errors import StoreUnavailable

_LATER = "try again later, or look at the store"
_MOST_CAUSES = 8


class Trouble(Exception):
    """A call that got no answer.

    Attributes:
        error: what the caller is told in the end.
        is_passing: whether trying again may help at once.
    """

    def __init__(self, error: StoreUnavailable, *, is_passing: bool = True) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_passing = is_passing


def unresolved(error: OSError) -> Trouble:
    """The name of the host has no address."""
    is_passing = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    told = StoreUnavailable("the store's host name cannot be resolved", "check the remote's uri, and the DNS")
    return Trouble(told, is_passing=is_passing)


def unreached(error: OSError) -> Trouble:
    """No connection: refused, no route and the like."""
    if isinstance(error, ConnectionRefusedError):
        return Trouble(StoreUnavailable("the store refuses the connection", "is it running, and is the port right?"))
    why = os.strerror(error.errno) if error.errno else "unknown"
    return Trouble(StoreUnavailable(f"the store cannot be reached: {why}", _LATER))


def untrusted(error: OSError) -> Trouble:
    """No TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = StoreUnavailable(
            f"the store's certificate is not to be trusted: {error.verify_message}",
            "check the host, or name its certificate authority's file in REQUESTS_CA_BUNDLE",
        )
        return Trouble(told, is_passing=False)
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        why = (error.reason or "unknown").replace("_", " ").lower()
        told = StoreUnavailable(f"TLS with the store fails: {why}", "does it speak https at this port?")
        return Trouble(told, is_passing=False)
    return Trouble(StoreUnavailable("TLS with the store fails: it hung up during the handshake", _LATER))


def lost(error: Exception) -> Trouble:
    """The connection ended before its time."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Trouble(StoreUnavailable("TLS with the store failed amid the answer", _LATER))
    return Trouble(StoreUnavailable("the connection to the store was lost", _LATER))


def cut_short(got: int, announced: int) -> Trouble:
    """The answer is shorter than it said."""
    return Trouble(StoreUnavailable(f"the store's answer ended after {got} of {announced} bytes", _LATER))


def from_library(error: BaseException) -> Trouble:
    """What http.client, urllib3 or requests found wrong with what they read; sockets tell their troubles themselves."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if isinstance(cause, RemoteDisconnected):
            return Trouble(StoreUnavailable("the store hung up without an answer", _LATER))
        if isinstance(cause, IncompleteRead):
            return Trouble(StoreUnavailable("the store's answer ended before its last piece", _LATER))
        if isinstance(cause, urllib3.exceptions.ProxyError):
            told = StoreUnavailable("the proxy does not let us through", "check the proxy that the environment names")
            return Trouble(told, is_passing=False)
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    told = StoreUnavailable("the store's answer is broken", "is it an HTTP server, and is the port right?")
    return Trouble(told, is_passing=False)
