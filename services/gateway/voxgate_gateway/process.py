"""The gateway as a child process: it answers while the process that started it computes, and ends with it."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from voxgate.model.errors import Unavailable
from voxgate_gateway.server import bound, reachable

_READY = b"ready\n"
_END_S = 5.0
_LEFT_S = 3.0  # for the child of one that was killed to notice


class GatewayProcess:
    """An HTTP server over one gRPC backend, in a process of its own; as `Gateway` in every other respect.

    Two interpreters make chunks while one would: a chunk costs its server and its gateway about the same.

    Args:
        backend_address: "host:port" of the volume server.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.

    Raises:
        ConfigInvalid: when the address cannot be bound.
    """

    def __init__(self, backend_address: str, *, host: str = "127.0.0.1", port: int = 8080) -> None:
        self._socket = bound(host, port, patience_s=_LEFT_S)
        self._backend = backend_address
        self._process: subprocess.Popen[bytes] | None = None
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{reachable(host)}:{self.port}"

    def start(self) -> None:
        """Serve, and return once requests are accepted.

        Raises:
            Unavailable: when the server does not come up.
        """
        handle = self._socket.fileno()
        command = [sys.executable, "-m", "voxgate_gateway", "--backend", self._backend, "--socket", str(handle)]
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(handle,)
        )
        self._socket.close()
        said = self._process.stdout.readline() if self._process.stdout else b""
        if said != _READY:
            self.stop(0)
            raise Unavailable("the gateway did not start", "its log says why")

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept nothing new, finish what is under way for at most `grace_s` seconds, and end the process."""
        process, self._process = self._process, None
        self._socket.close()
        if process is None:
            return
        if process.stdin:
            # Its input ends: it stops by itself.
            with contextlib.suppress(OSError):
                process.stdin.write(f"{grace_s}\n".encode())
                process.stdin.close()
        try:
            process.wait(grace_s + _END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END_S)
        if process.stdout:
            process.stdout.close()
