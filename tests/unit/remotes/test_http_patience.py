"""A caller who left, or whose deadline passed, does not wait for a slow store."""

import select
import socket
import threading
import time

import pytest

from support.scripted_http import SILENCE, Reply, reply, scripted, self_signed, session_with
from voxgate.model.errors import Cancelled, DeadlineExceeded, VoxgateError
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.http.session import HttpLimits, StoreCall, StoreSession
from voxgate_remotes.http.sockets import Watch, WatchedSocket, Watches

GET = StoreCall("GET", "/x")
ENDLESS = HttpLimits(connect_s=3600, read_s=3600, most_wait_s=3600)
HALF = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000, "hang")


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


class Call(threading.Thread):
    """A call in a thread of its own, and what it raised."""

    def __init__(self, session, call=GET):
        super().__init__(daemon=True)
        self.context = CallContext()
        self.raised = None
        self._session, self._call = session, call
        self.start()

    def run(self):
        try:
            self._session.request(self._call, self.context)
        except VoxgateError as error:
            self.raised = error

    def leave(self):
        """The caller goes; without a look at the stop event the call would wait for an hour."""
        self.context.stop.set()
        self.join(60)
        return type(self.raised)


@pytest.mark.parametrize("answer", [SILENCE, HALF, Reply(b"HTTP/1.1 200 OK\r\nContent-", "hang")])
def test_a_caller_who_leaves_does_not_wait_for_the_rest(answer):
    with scripted([answer, reply(200, b"for others")]) as server:
        session = session_with(server.url, limits=ENDLESS)
        call = Call(session)
        server.wait_for_request()
        assert call.leave() is Cancelled
        assert session.request(GET, CallContext()).body == b"for others"
    assert server.connection_count == 2  # the half-read one is not used again


@pytest.mark.parametrize("answer", [SILENCE, HALF])
def test_nor_under_tls(answer, tmp_path, monkeypatch):
    tls, file = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with scripted([answer], tls) as server:
        call = Call(session_with(server.url, limits=ENDLESS))
        server.wait_for_request()
        assert call.leave() is Cancelled


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nor_for_a_store_that_takes_nothing_or_does_not_shake_hands(scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        call = Call(session_with(url, limits=ENDLESS), StoreCall("PUT", "/x", body=b"x" * (32 << 20)))
        connection, _ = listener.accept()
        with connection:
            connection.recv(1)
            assert call.leave() is Cancelled


def test_nor_for_a_name_that_does_not_resolve(monkeypatch):
    is_asked, may_answer = threading.Event(), threading.Event()

    def resolve(*args, **kwargs):
        is_asked.set()
        may_answer.wait(120)
        raise socket.gaierror(socket.EAI_NONAME, "nobody")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    call = Call(session_with("http://store.example", limits=ENDLESS))
    assert is_asked.wait(60)
    try:
        assert call.leave() is Cancelled
    finally:
        may_answer.set()


def test_nor_for_a_busy_stores_next_try():
    with scripted([reply(503, Retry_After="3000")]) as server:
        session = StoreSession(server.url, credentials=CredentialsConfig(), limits=ENDLESS)
        call = Call(session)
        server.wait_for_request()
        assert call.leave() is Cancelled
    assert len(server.asked) == 1


def test_nor_for_its_turn():
    limits = HttpLimits(read_s=3600, connections=1)
    with scripted([SILENCE]) as server:
        session = session_with(server.url, limits=limits)
        first = Call(session)
        server.wait_for_request()
        second = Call(session)
        assert second.leave() is Cancelled
        assert first.is_alive()
        assert first.leave() is Cancelled
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [SILENCE, HALF])
def test_a_deadline_ends_the_wait(answer):
    with scripted([answer]) as server:
        with pytest.raises(DeadlineExceeded):
            session_with(server.url, limits=ENDLESS).request(GET, CallContext(deadline=time.monotonic() + 0.3))


def test_a_call_that_is_pointless_already_is_not_made():
    gone = CallContext()
    gone.stop.set()
    with scripted([]) as server:
        session = session_with(server.url)
        with pytest.raises(Cancelled):
            session.request(GET, gone)
        with pytest.raises(DeadlineExceeded):
            session.request(GET, CallContext(deadline=time.monotonic() - 1))
    assert server.connection_count == 0


def test_bytes_that_are_there_already_are_left_too():
    context = CallContext()
    with socket.create_server(("127.0.0.1", 0)) as listener, WatchedSocket() as reader:
        reader.watches = Watches()
        reader.watches.current = Watch(context, ENDLESS)
        reader.connect_watched(listener.getsockname())
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"abcd")
            assert reader.recv(2) == b"ab"
            context.stop.set()
            waiting = select.poll()  # select() takes no descriptor above 1023
            waiting.register(reader, select.POLLIN)
            assert waiting.poll(60_000)
            with pytest.raises(Cancelled):
                reader.recv(2)
