"""The server as tests hold it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping

from .faults import Fault, refusal
from .http import BossHTTPServer
from .messages import Request
from .payloads import Compression
from .requests import Requests
from .state import CUTOUT_MAX_SIZE, State
from .store import Store

TOKEN = "5ecret0fthe0wner"


class BossServer:
    """A running server; everything may be changed while it answers."""

    def __init__(self, http: BossHTTPServer) -> None:
        self._http = http

    @property
    def address(self) -> str:
        """127.0.0.1:port."""
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def token(self) -> str:
        """Of the user who may do everything; the token "public" may read what is public."""
        return self._http.token

    @property
    def requests(self) -> Requests:
        """What was answered."""
        return self._http.requests

    @property
    def store(self) -> Store:
        """What there is."""
        return self._http.state.store

    @property
    def state(self) -> State:
        """The knobs: cutout_max_bytes, egress_limit_bytes, compression, serves_uint32, downsampling."""
        return self._http.state

    @property
    def latency_s(self) -> float:
        """Seconds that every request waits before it is looked at."""
        return self._http.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self._http.latency_s = seconds

    def on_request(self, hook: Callable[[Request], None] | None) -> None:
        """Call something with each request before it is answered, on the connection's thread: change a channel under
        a reader, or wait for an event."""
        self._http.on_request = hook

    def fail_next(
        self,
        status: int,
        code: int | None = None,
        message: object = "ordered by a test",
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
        method: str | None = None,
        containing: str = "",
    ) -> None:
        """Answer the next requests with an error; without a code with a page of HTML, as a gateway in between does."""
        self._http.faults.add(Fault(times, method, containing, reply=refusal(status, code, message, headers)))

    def cut_next(
        self, after_bytes: int, *, times: int = 1, method: str | None = None, containing: str = "/cutout/"
    ) -> None:
        """End the connection after some bytes of the next replies' bodies, whose Content-Length tells the whole."""
        self._http.faults.add(Fault(times, method, containing, cut_after=after_bytes))

    def shorten_next(
        self, to_bytes: int, *, times: int = 1, method: str | None = None, containing: str = "/cutout/"
    ) -> None:
        """Send only the first bytes of the next replies' bodies, and a Content-Length that fits them."""
        self._http.faults.add(Fault(times, method, containing, short_body=to_bytes))

    def redirect_next(
        self, to: str, *, status: int = 307, times: int = 1, method: str | None = None, containing: str = ""
    ) -> None:
        """Redirect the next requests to `to` (such as "http://127.0.0.1:1234") followed by their path and query."""
        self._http.faults.add(Fault(times, method, containing, redirect_to=to, redirect_status=status))

    def hold_next(
        self, until: threading.Event, *, times: int = 1, method: str | None = None, containing: str = ""
    ) -> None:
        """Answer the next requests only once an event is set."""
        self._http.faults.add(Fault(times, method, containing, hold=until))

    def clear_faults(self) -> None:
        """Forget the faults that have not come yet."""
        self._http.faults.clear()

    def drop_connections(self) -> None:
        """End the connections that are open."""
        self._http.drop_connections()


@contextlib.contextmanager
def bossdb_server(
    *,
    port: int = 0,
    token: str = TOKEN,
    cutout_max_bytes: int = CUTOUT_MAX_SIZE,
    compression: Compression | None = None,
    serves_uint32: bool = False,
) -> Iterator[BossServer]:
    """A server of the BossDB REST API, version 1, on this machine, empty at first."""
    state = State(
        cutout_max_bytes=cutout_max_bytes, compression=compression or Compression(), serves_uint32=serves_uint32
    )
    http = BossHTTPServer(port, state, token)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield BossServer(http)
    finally:
        http.shutdown()
        http.drop_connections()
        http.server_close()
        thread.join()
