"""A loopback TCP proxy that cuts connections after a number of bytes of the server's."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # linger on, for no time: closing sends a reset
_SMALL = 64 << 10


class CuttingProxy:
    """Passes bytes on between a client and a server.

    The first connections each live for one of `budgets`, in bytes from the server; connections after those live on.
    With `forever`, the last budget is that of every further connection. Buffers are small, so that what the server has
    sent is about what the client has got.
    """

    def __init__(self, port: int, budgets: Sequence[int], *, forever: bool = False) -> None:
        self._port = port
        self._budgets = list(budgets)
        self._forever = forever
        self._sockets: list[socket.socket] = []
        self.cut_count = 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
            server.connect(("127.0.0.1", self._port))
            self._sockets += [client, server]
            budget = None
            if self._budgets:
                last = self._forever and len(self._budgets) == 1
                budget = self._budgets[0] if last else self._budgets.pop(0)
            threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, budget), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, budget: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_SMALL):
                if budget is not None and len(data) > budget:
                    sink.sendall(data[:budget])
                    self.cut_count += 1
                    self._cut(source, sink)
                    return
                sink.sendall(data)
                budget = None if budget is None else budget - len(data)
        self._cut(source, sink)

    @staticmethod
    def _cut(*ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
        self._cut(*self._sockets)


@contextlib.contextmanager
def cutting_proxy(port: int, budgets: Sequence[int], *, forever: bool = False) -> Iterator[CuttingProxy]:
    """A proxy in front of a server on this machine."""
    proxy = CuttingProxy(port, budgets, forever=forever)
    try:
        yield proxy
    finally:
        proxy.close()
