"""A loopback TCP proxy that gives up on a connection over which nothing went for a while, as balancers do."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator

_PIECE = 64 << 10


class IdleProxy:
    """Passes bytes on.

    Attributes:
        cut_count: connections that were given up.
        longest_s: the longest silence of a connection, of those that were borne.
    """

    def __init__(self, port: int, patience_s: float) -> None:
        self._port, self._patience_s = port, patience_s
        self.cut_count = 0
        self.longest_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with client, server, contextlib.suppress(OSError):
            while True:
                began = time.monotonic()
                ready, _, _ = select.select([client, server], [], [], self._patience_s)
                if not ready:
                    self.cut_count += 1
                    return
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                for one in ready:
                    data = one.recv(_PIECE)
                    if not data:
                        return
                    other[one].sendall(data)

    def close(self) -> None:
        """Take no more."""
        self._listener.close()


@contextlib.contextmanager
def idle_proxy(port: int, patience_s: float) -> Iterator[IdleProxy]:
    """A proxy in front of a server on this machine."""
    proxy = IdleProxy(port, patience_s)
    try:
        yield proxy
    finally:
        proxy.close()
