"""The gateway as a child process: it answers while the process that started it computes, and ends with it.

A child that ends unasked is started again, on the socket that the parent keeps open: who connects meanwhile waits in
the socket's queue and is not refused. Requests that the child had taken are lost with it. After several quick ends in
a row nobody waits any longer: the socket is closed, and `failure` says why.
"""

from __future__ import annotations

import contextlib
import enum
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from voxgate.model.errors import Unavailable
from voxgate_gateway.server import bound, url_of
from voxgate_gateway.settings import GatewaySettings, settings_to_json
from voxgate_serving.logs import logger
from voxgate_serving.tls import load_certificate

_READY = b"ready\n"
_END_S = 5.0
_LEFT_S = 3.0  # for the child of one that was killed to notice


class GatewayState(enum.Enum):
    """What a gateway in a process of its own is doing."""

    STARTING = "starting"
    SERVING = "serving"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a child is started again.

    Attributes:
        pauses_s: before each start after a quick end in a row, seconds; with one more quick end it is given up.
        settled_s: a child that served for so long did not end quickly.
    """

    pauses_s: tuple[float, ...] = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
    settled_s: float = 30.0


def _tell_nobody(state: GatewayState) -> None:
    """Say nothing."""


class GatewayProcess:
    """An HTTP server over one gRPC backend, in a process of its own; as `Gateway` in every other respect.

    Two interpreters make chunks while one would: a chunk costs its server and its gateway about the same.

    Args:
        backend_address: "host:port" of the volume server.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        settings: `[gateway]` of voxgate.toml; None for the defaults.
        restarts: how often a child is started again.
        on_state: told of every change of the state, by whatever thread makes it.

    Raises:
        ConfigInvalid: when the address cannot be bound, or a certificate cannot be used.
    """

    def __init__(
        self,
        backend_address: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        settings: GatewaySettings | None = None,
        restarts: Restarts | None = None,
        on_state: Callable[[GatewayState], None] = _tell_nobody,
    ) -> None:
        told = settings or GatewaySettings()
        if told.tls.is_on:
            # The child reads the files, and again; what is wrong with them from the start is better said here.
            load_certificate(told.tls, "gateway.tls")
        self._socket = bound(host, port, patience_s=_LEFT_S)
        self._backend = backend_address
        self._settings = settings_to_json(told)
        self._restarts = restarts or Restarts()
        self._on_state = on_state
        self._lock = threading.Lock()
        """For who starts a child and who ends it for good."""
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name="gateway-watcher", daemon=True)
        self.state = GatewayState.STARTING
        self.port: int = self._socket.getsockname()[1]
        self.url = url_of(host, self.port, told.tls)

    @property
    def failure(self) -> Unavailable | None:
        """Why it serves no more, although nobody stopped it; None while it does or may again."""
        if self.state is not GatewayState.FAILED:
            return None
        return Unavailable("the gateway ended again and again and was given up", "its log says why; restart the server")

    @property
    def pid(self) -> int | None:
        """The process that serves now, or did last; None before the first."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Serve, and return once requests are accepted.

        Raises:
            Unavailable: when the server does not come up.
        """
        if not self._spawn():
            self.stop(0)
            raise Unavailable("the gateway did not start", "its log says why")
        self._watcher.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept nothing new, finish what is under way for at most `grace_s` seconds, and end the process."""
        with self._lock:
            self._ending.set()
            self._socket.close()
            process, self._process = self._process, None
        if process is not None:
            _end(process, grace_s)
        if self._watcher.is_alive():
            self._watcher.join(_END_S)
        if self.state is not GatewayState.STOPPED:
            self._enter(GatewayState.STOPPED)

    def _spawn(self) -> bool:
        """Start a child, unless this is ending; whether it came up."""
        with self._lock:
            if self._ending.is_set():
                return False
            handle = self._socket.fileno()
            command = [sys.executable, "-m", "voxgate_gateway", "--backend", self._backend, "--socket", str(handle)]
            try:
                process = subprocess.Popen(  # noqa: S603  (our own module)
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(handle,)
                )
            except OSError:  # no memory, no process left
                return False
            self._process = process
        if process.stdin is not None:
            # No argument: a table of names may be longer than one can be. One that has ended meanwhile says so below.
            with contextlib.suppress(OSError, ValueError):
                process.stdin.write(f"{self._settings}\n".encode())
                process.stdin.flush()
        if process.stdout is None or process.stdout.readline() != _READY:
            process.kill()
            return False
        self._enter(GatewayState.SERVING)
        return True

    def _watch(self) -> None:
        """Start a child again whenever one ends, until this is stopped or it ended too often."""
        quick, log = 0, logger()
        while process := self._process:
            begin = time.monotonic()
            code = process.wait()
            _close(process)
            if self._ending.is_set():
                return
            lived_s = time.monotonic() - begin
            quick = 1 if lived_s >= self._restarts.settled_s else quick + 1
            if quick > len(self._restarts.pauses_s):
                self._give_up()
                return
            pause_s = self._restarts.pauses_s[quick - 1]
            log.warning("the gateway ended; starting it again", code=code, lived_s=round(lived_s, 1), pause_s=pause_s)
            self._enter(GatewayState.RESTARTING)
            if self._ending.wait(pause_s):
                return
            self._spawn()

    def _give_up(self) -> None:
        with self._lock:
            if self._ending.is_set():
                return
            self._socket.close()  # who waits in its queue is refused, and whoever comes
        self._enter(GatewayState.FAILED)
        logger().error("the gateway was given up; nothing is served over HTTP", port=self.port)

    def _enter(self, state: GatewayState) -> None:
        self.state = state
        self._on_state(state)


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    if process.stdin:
        # Its input ends: it stops by itself. It may have ended, and the pipe with it.
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(f"{grace_s}\n".encode())
            process.stdin.close()
    try:
        process.wait(grace_s + _END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_S)
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
