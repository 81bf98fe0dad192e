"""A DNS server on loopback for one name, as a cluster has one for a headless Service: an A record for each replica."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_A, _IN = 1, 1
_ANSWER = 0x8180
_NAME = b"\xc0\x0c"  # the name in the question


class NameServer:
    """Answers every question for an address with those of `replicas`, and any other with nothing.

    Attributes:
        replicas: IPv4 addresses.
        asked: how many questions came.
    """

    def __init__(self, replicas: list[str]) -> None:
        self.replicas = replicas
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        """Of this server."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                question, asker = self._socket.recvfrom(512)
                self.asked += 1
                self._socket.sendto(self._answer(question), asker)

    def _answer(self, packet: bytes) -> bytes:
        end = packet.index(0, 12) + 5
        question = packet[12:end]
        (kind,) = struct.unpack(">H", question[-4:-2])
        found = list(self.replicas) if kind == _A else []
        records = b"".join(_NAME + struct.pack(">HHIH", _A, _IN, 1, 4) + socket.inet_aton(each) for each in found)
        return packet[:2] + struct.pack(">HHHHH", _ANSWER, 1, len(found), 0, 0) + question + records

    def close(self) -> None:
        """End it."""
        self._socket.close()


@contextlib.contextmanager
def name_server(*replicas: str) -> Iterator[NameServer]:
    """A name server until the block ends."""
    server = NameServer(list(replicas))
    try:
        yield server
    finally:
        server.close()
