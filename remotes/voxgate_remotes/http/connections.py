"""Connections of a session: urllib3's, with sockets that can be stopped and addresses that are looked at."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import weakref
from typing import Any

from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests.models import PreparedRequest, Response
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from voxgate.model.errors import ConfigInvalid, PathRefused, StoreUnavailable
from voxgate_remotes.http.addresses import Origin, check_public, is_loopback
from voxgate_remotes.http.answers import HttpLimits
from voxgate_remotes.http.sockets import TlsContext, Watch, WatchedSocket, Watches
from voxgate_remotes.http.troubles import Trouble, unreached, unresolved

_KEEP_ALIVE_S = 30  # firewalls forget silent connections after minutes


class Lines:
    """All connections of a session within one process.

    Home is the host that the operator configured, wherever it is; abroad is where redirects lead.

    Attributes:
        pid: the process: a forked child must not talk on its parent's sockets.
        watches: what each thread is waiting for.
    """

    def __init__(self, limits: HttpLimits) -> None:
        self.pid = os.getpid()
        self.watches = Watches()
        self.turns = threading.BoundedSemaphore(limits.connections)
        self._tls: TlsContext | None = None
        self._tls_lock = threading.Lock()
        self._home = _Adapter(self, limits, is_guarded=False)
        self._abroad = _Adapter(self, limits, is_guarded=True)

    def send(self, request: PreparedRequest, *, is_home: bool, watch: Watch) -> Response:
        """Send a request; the answer's body is not read yet.

        Raises:
            Trouble, PathRefused, Cancelled, DeadlineExceeded, ConfigInvalid; and what requests raises for answers
            that are no HTTP.
        """
        self.watches.current = watch
        url = str(request.url)
        proxies = proxies_for(url)
        if not is_home and select_proxy(url, proxies):
            raise PathRefused(
                "the store redirects to another host, which cannot be checked through a proxy",
                "configure the address the store redirects to, if it is to be trusted",
            )
        adapter = self._home if is_home else self._abroad
        return adapter.send(request, stream=True, timeout=None, verify=True, proxies=proxies)

    def tls(self) -> TlsContext:
        """What is trusted, made when it is first needed: reading the certificates takes a while.

        Raises:
            ConfigInvalid: for a bundle that cannot be read.
        """
        with self._tls_lock:
            if self._tls is None:
                self._tls = _tls_context(self.watches)
            return self._tls


def proxies_for(url: str) -> dict[str, str]:
    """The environment's proxies for a URL; none ever for this machine itself, which no proxy can reach."""
    if is_loopback(Origin.of(url).host):
        return {}
    return dict(get_environ_proxies(url, no_proxy=None))


def _tls_context(watches: Watches) -> TlsContext:
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.watches = watches
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        bundle = os.environ.get(variable)
        if bundle:
            try:
                context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
            except OSError:  # ssl.SSLError too
                raise ConfigInvalid(
                    f"the certificates that {variable} names cannot be read", "correct the variable, or unset it"
                ) from None
            return context
    context.load_default_certs()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _Adapter(HTTPAdapter):
    """Sends through watched sockets. Only what requests does with one request is used: no cookies, no .netrc."""

    def __init__(self, lines: Lines, limits: HttpLimits, *, is_guarded: bool) -> None:
        # Weak: urllib3 keeps a list of the connections of every pool until the pool is gone, so a connection that held
        # its pool, through its owner, would never be closed.
        its_lines = weakref.ref(lines)

        class Plain(_PlainConnection):
            """Of these lines."""

            owner = its_lines
            is_inside_refused = is_guarded

        class Secure(_TlsConnection):
            """Of these lines."""

            owner = its_lines
            is_inside_refused = is_guarded

        class PlainPool(HTTPConnectionPool):
            """Of these lines."""

            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            """Of these lines."""

            ConnectionCls = Secure

        self._pools: dict[str, Any] = {"http": PlainPool, "https": SecurePool}
        super().__init__(pool_connections=4, pool_maxsize=limits.connections)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        """As of every adapter."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """As of every adapter."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the pool alone: the connections bring a context that knows what is trusted, loaded once."""


class _Watched:
    """What both kinds of connection share."""

    owner: weakref.ref[Lines]
    is_inside_refused: bool
    debuglevel = 0  # whatever http.client is set to: it would print the token

    @property
    def lines(self) -> Lines:
        """All connections of the session; it is there whenever one of them is used, because it uses them."""
        lines = self.owner()
        if lines is None:
            raise Trouble(StoreUnavailable("the connection to the store was given up", "ask again"))
        return lines

    def open_socket(self, host: str, port: int) -> WatchedSocket:
        """A connected socket.

        Raises:
            Trouble, PathRefused, Cancelled, DeadlineExceeded.
        """
        failed: Trouble | None = None
        watches = self.lines.watches
        addresses = _resolved(host, port, watches.current)
        if self.is_inside_refused:
            for _, address in addresses:
                check_public(str(address[0]))
        for family, address in addresses:
            try:
                return _connected(family, address, watches)
            except Trouble as trouble:
                failed = trouble
        raise failed or unresolved(OSError())


class _PlainConnection(_Watched, HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return self.open_socket(self._dns_host, int(self.port or 80))


class _TlsConnection(_Watched, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return self.open_socket(self._dns_host, int(self.port or 443))

    def connect(self) -> None:
        """Connect and shake hands."""
        self.ssl_context = self.lines.tls()
        super().connect()


def _connected(family: int, address: Any, watches: Watches) -> WatchedSocket:
    sock = WatchedSocket(family, socket.SOCK_STREAM)
    sock.watches = watches
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_S)
        sock.connect_watched(address)
    except OSError as error:
        sock.close()
        raise unreached(error) from None
    except BaseException:
        sock.close()
        raise
    return sock


def _resolved(host: str, port: int, watch: Watch) -> list[tuple[int, Any]]:
    """The addresses of a host, in the system's order.

    The system's resolver cannot be interrupted, so it works in a thread of its own that a leaving caller leaves behind.

    Raises:
        Trouble, Cancelled, DeadlineExceeded.
    """
    found: list[tuple[int, Any]] = []
    failed: list[OSError] = []
    done = threading.Event()

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            found.extend((family, address) for family, _, _, _, address in answers)
        except UnicodeError:  # a label too long for DNS
            failed.append(OSError())
        except OSError as error:
            failed.append(error)
        finally:
            done.set()

    threading.Thread(target=resolve, daemon=True, name="voxgate-resolve").start()
    most_s = watch.limits.connect_s
    watch.until(done.wait, most_s, f"the store's host name was not resolved within {most_s:g} s")
    if failed:
        raise unresolved(failed[0])
    return found
