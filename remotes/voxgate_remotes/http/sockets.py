"""Sockets that stop waiting when their caller has gone away.

The standard library can only be told how long to wait. Here every wait is cut into slices, and between them the
caller's stop event and deadline are looked at. To be able to do that within a TLS record too, the sockets never block
underneath: urllib3 and http.client see ordinary ones.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from voxgate.model.errors import StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.http.answers import HttpLimits
from voxgate_remotes.http.troubles import Trouble, lost, untrusted

_SLICE_S = 0.2
_READ = select.POLLIN
_WRITE = select.POLLOUT
_T = TypeVar("_T")


class Watch:
    """The patience of one call, and what has become of it.

    Attributes:
        context: the caller's.
        limits: the session's.
        was_sent: whether a byte of a request may have left this machine.
    """

    def __init__(self, context: CallContext, limits: HttpLimits) -> None:
        self.context = context
        self.limits = limits
        self.was_sent = False

    def wait(self, fileno: int, event: int, most_s: float, late: str) -> None:
        """Wait until a socket can be read or written.

        Args:
            fileno: the socket's.
            event: POLLIN or POLLOUT.
            most_s: seconds.
            late: what to say after them.

        Raises:
            Cancelled, DeadlineExceeded, Trouble.
        """
        poll = select.poll()
        poll.register(fileno, event)
        self.until(lambda slice_s: bool(poll.poll(slice_s * 1000)), most_s, late)

    def until(self, happened: Callable[[float], bool], most_s: float, late: str) -> None:
        """Wait for something that can be waited for in slices of some seconds; raises what `wait` does."""
        end = time.monotonic() + most_s
        while True:
            self.context.check()
            left = end - time.monotonic()
            if left <= 0:
                raise Trouble(StoreUnavailable(late, "try again later, or look at the store"), is_passing=False)
            patience = left if self.context.deadline is None else min(left, self.context.deadline - time.monotonic())
            if happened(max(0.0, min(_SLICE_S, patience))):
                return

    def wait_to_read(self, fileno: int) -> None:
        """Wait for bytes of the store's."""
        most_s = self.limits.read_s
        self.wait(fileno, _READ, most_s, f"the store sent nothing for {most_s:g} s")

    def wait_to_write(self, fileno: int) -> None:
        """Wait until the store takes more bytes."""
        most_s = self.limits.read_s
        self.wait(fileno, _WRITE, most_s, f"the store took nothing for {most_s:g} s")


class Watches(threading.local):
    """The watch of the call that each thread is in."""

    current: Watch


class WatchedSocket(socket.socket):
    """A TCP socket to a store; what http.client uses of it waits as the current watch says."""

    watches: Watches

    def settimeout(self, value: float | None) -> None:
        """Take no notice: the watch knows better."""

    def gettimeout(self) -> float | None:
        """None: to its users this socket blocks."""
        return None

    def connect_watched(self, address: Any) -> None:
        """Connect.

        Raises:
            OSError: as `connect` does.
            Trouble: when it takes too long.
        """
        super().setblocking(False)
        error = self.connect_ex(address)
        if error in (0, errno.EINPROGRESS):
            watch = self.watches.current
            most_s = watch.limits.connect_s
            watch.wait(self.fileno(), _WRITE, most_s, f"the store cannot be reached: no connection within {most_s:g} s")
            error = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As of every socket."""
        return _watched(self, self.watches, lambda: super(WatchedSocket, self).recv_into(buffer, nbytes, flags))

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """As of every socket."""
        return _watched(self, self.watches, lambda: super(WatchedSocket, self).recv(bufsize, flags))

    def send(self, data: Any, flags: int = 0) -> int:
        """As of every socket."""
        self.watches.current.was_sent = True
        return _watched(self, self.watches, lambda: super(WatchedSocket, self).send(data, flags), to_write=True)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As of every socket."""
        with memoryview(data) as view, view.cast("B") as left:
            start = 0
            while start < len(left):
                start += self.send(left[start:], flags)


class WatchedTls(ssl.SSLSocket):
    """The same under TLS. The module ssl makes these itself, so the watches come from the TlsContext."""

    @property
    def _watches(self) -> Watches:
        context = self.context
        if not isinstance(context, TlsContext):
            raise TypeError("a watched socket needs a TlsContext")
        return context.watches

    def settimeout(self, value: float | None) -> None:  # noqa: ARG002
        """Take no notice: the watch knows better; the socket below never blocks."""
        super().settimeout(0)

    def gettimeout(self) -> float | None:
        """None: to its users this socket blocks."""
        return None

    def do_handshake(self, block: bool = False) -> None:  # noqa: ARG002
        """As of every TLS socket.

        Raises:
            Trouble: for every kind of failure.
        """
        watch = self._watches.current
        late = f"the store did not agree on TLS within {watch.limits.connect_s:g} s"
        try:
            while True:
                try:
                    return super().do_handshake(False)
                except ssl.SSLWantReadError:
                    watch.wait(self.fileno(), _READ, watch.limits.connect_s, late)
                except ssl.SSLWantWriteError:
                    watch.wait(self.fileno(), _WRITE, watch.limits.connect_s, late)
        except OSError as error:
            self.close()
            raise untrusted(error) from None
        except BaseException:
            self.close()  # nobody else has it yet
            raise

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - its name in the module ssl
        """As of every TLS socket; `recv` and `recv_into` come here."""
        return _watched(self, self._watches, lambda: super(WatchedTls, self).read(len, buffer))

    def send(self, data: Any, flags: int = 0) -> int:
        """As of every TLS socket; `sendall` comes here."""
        self._watches.current.was_sent = True
        return _watched(self, self._watches, lambda: super(WatchedTls, self).send(data, flags), to_write=True)


class TlsContext(ssl.SSLContext):
    """What is trusted; makes watched sockets.

    Attributes:
        watches: of the session.
    """

    sslsocket_class = WatchedTls
    watches: Watches


def _watched(sock: socket.socket, watches: Watches, act: Callable[[], _T], *, to_write: bool = False) -> _T:
    """Act as soon as the socket lets us.

    Raises:
        Cancelled, DeadlineExceeded, Trouble.
    """
    watch = watches.current
    watch.context.check()
    try:
        while True:
            try:
                return act()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError) as error:
                # TLS may have to write in order to read, and the other way round.
                writes = isinstance(error, ssl.SSLWantWriteError) or (isinstance(error, BlockingIOError) and to_write)
                (watch.wait_to_write if writes else watch.wait_to_read)(sock.fileno())
    except OSError as error:
        raise lost(error) from None
