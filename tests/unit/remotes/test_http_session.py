"""Calls, connections, and what comes back."""

import gc
import gzip
import os
import threading

import pytest

from support.scripted_http import Reply, chunked, closed_port, reply, scripted, session_with
from voxgate.model.errors import ChunkCorrupt, ConfigInvalid, PathRefused, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.http.session import HttpLimits, StoreCall
from voxgate_remotes.http.sockets import WatchedSocket

GET = StoreCall("GET", "/things")


def test_a_call_arrives_as_it_was_said_and_the_answer_comes_whole():
    call = StoreCall(
        "POST",
        "/v1/a%2Fb/~c//d",
        query=(("z", "1:2"), ("filter", "1,2 &x"), ("z", "again")),
        headers=(("Content-Type", "application/blosc"), ("Accept", "application/json")),
        body=bytes(range(256)) * 5,
    )
    with scripted([reply(201, b"\0made\xff", X_Elapsed="3")]) as server:
        answer = session_with(server.url).request(call, CallContext())
    (asked,) = server.asked
    assert (asked.method, asked.body) == ("POST", call.body)
    assert asked.target == "/v1/a%2Fb/~c//d?z=1%3A2&filter=1%2C2%20%26x&z=again"
    assert (asked.headers["content-type"], asked.headers["accept"]) == ("application/blosc", "application/json")
    assert "authorization" not in asked.headers
    assert (answer.status, answer.body, answer.headers["x-elapsed"]) == (201, b"\0made\xff", "3")


def test_a_get_may_have_a_body_and_a_head_has_an_announced_one_that_does_not_come():
    with scripted([reply(200, b"[1]"), Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"), reply()]) as server:
        session = session_with(server.url)
        assert session.request(StoreCall("GET", "/labels", body=b"[[1,2,3]]"), CallContext()).body == b"[1]"
        answer = session.request(StoreCall("HEAD", "/labels"), CallContext())
        session.request(GET, CallContext())
    assert server.asked[0].body == b"[[1,2,3]]"
    assert (answer.body, answer.headers["Content-Length"]) == (b"", "77")
    assert server.connection_count == 1


def test_an_answer_in_pieces_and_one_in_gzip_are_put_together():
    text = b"voxels " * 1000
    packed = gzip.compress(text)
    with scripted([chunked(b"ab", b"c" * 70_000), reply(200, packed, Content_Encoding="gzip"), reply()]) as server:
        session = session_with(server.url)
        assert session.request(GET, CallContext()).body == b"ab" + b"c" * 70_000
        assert session.request(GET, CallContext()).body == text
        session.request(GET, CallContext())
    assert server.connection_count == 1


def test_the_connection_is_kept_over_calls_errors_and_refusals():
    statuses = [200, 404, 400, 204, 409, 200]
    with scripted([reply(status, b"" if status == 204 else b"x" * 5000) for status in statuses]) as server:
        session = session_with(server.url)
        assert [session.request(GET, CallContext()).status for _ in statuses] == statuses
        assert server.connection_count == 1


def test_threads_share_no_more_connections_than_the_limit():
    most = 3
    meeting = threading.Barrier(most)

    def answer(asked):
        if asked.target.endswith("/0"):  # the first call of each thread waits until as many as allowed are under way
            meeting.wait(60)
        return reply(200, asked.target.encode())

    with scripted(answer) as server:
        session = session_with(server.url, limits=HttpLimits(connections=most))
        got = []

        def work(number):
            for turn in range(4):
                path = f"/{number}/{turn}"
                got.append(session.request(StoreCall("GET", path), CallContext()).body == path.encode())

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert got == [True] * 24
    assert server.connection_count == most


def test_a_connection_that_the_store_closed_in_between_is_replaced():
    closing = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "close")
    with scripted([closing, reply(200, b"new")]) as server:
        session = session_with(server.url)
        session.request(GET, CallContext())
        assert session.request(GET, CallContext()).body == b"new"
    assert server.connection_count == 2


def test_a_forked_child_talks_on_sockets_of_its_own():
    with scripted(lambda asked: reply(200, asked.target.encode())) as server:
        session = session_with(server.url)
        session.request(GET, CallContext())
        child = os.fork()
        if child == 0:
            is_right = False
            try:
                is_right = session.request(StoreCall("GET", "/child"), CallContext()).body == b"/child"
            finally:
                os._exit(0 if is_right else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert server.connection_count == 2
        assert session.request(StoreCall("GET", "/parent"), CallContext()).body == b"/parent"
        assert server.connection_count == 2


def test_nothing_is_connected_before_the_first_call():
    with scripted([]) as server:
        session = session_with(server.url)
        assert repr(session) == f"StoreSession('{server.url}')"
        assert server.connection_count == 0


@pytest.mark.parametrize("script", [[reply(200, b"x" * 101)], [chunked(b"x" * 60, b"x" * 41)]])
def test_a_longer_answer_than_allowed_is_an_error_and_one_of_just_that_length_is_none(script):
    with scripted(script * 2) as server:
        session = session_with(server.url)
        with pytest.raises(ChunkCorrupt, match="longer than the 100 bytes"):
            session.request(StoreCall("GET", "/x", max_answer_bytes=100), CallContext())
        assert len(session.request(StoreCall("GET", "/x", max_answer_bytes=101), CallContext()).body) == 101
    assert len(server.asked) == 2


def test_an_answer_that_announces_too_much_is_not_waited_for():
    endless = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "hang")
    with scripted([endless]) as server:
        session = session_with(server.url, limits=HttpLimits(read_s=5))
        with pytest.raises(ChunkCorrupt, match="longer than the 100 bytes"):
            session.request(StoreCall("GET", "/x", max_answer_bytes=100), CallContext())


def test_what_an_answer_unpacks_to_is_bounded_and_not_what_it_is_packed_in():
    packed = gzip.compress(b"short")
    assert len(packed) > 5
    with scripted([reply(200, packed, Content_Encoding="gzip")]) as server:
        answer = session_with(server.url).request(StoreCall("GET", "/x", max_answer_bytes=5), CallContext())
    assert answer.body == b"short"


def test_a_small_answer_that_unpacks_to_a_large_one_is_not_unpacked_whole():
    bomb = gzip.compress(b"\0" * (16 << 20))
    with scripted([reply(200, bomb, Content_Encoding="gzip")]) as server:
        with pytest.raises(ChunkCorrupt, match="longer than the 1000000 bytes"):
            session_with(server.url).request(StoreCall("GET", "/x", max_answer_bytes=10**6), CallContext())


def test_an_errors_text_may_be_long_and_is_cut():
    with scripted([reply(404, b"no" * (1 << 20))]) as server:
        answer = session_with(server.url).request(StoreCall("GET", "/x", max_answer_bytes=10), CallContext())
    assert (answer.status, answer.body) == (404, b"no" * (1 << 19))


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2E/b", "/./a", "/a/%2e", "x", "", "/.%2e"])
def test_a_path_that_would_leave_its_folder_is_not_sent(path):
    with scripted([]) as server:
        with pytest.raises(PathRefused):
            session_with(server.url).request(StoreCall("GET", path), CallContext())
    assert server.asked == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://u:p@127.0.0.1", "http://127.0.0.1:x"])
def test_a_base_url_that_is_none_is_the_operators_mistake(url):
    with pytest.raises(ConfigInvalid):
        session_with(url)


def test_proxies_of_the_environment_are_used_but_never_for_this_machine(monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with scripted([reply(200, b"by proxy")]) as proxy, scripted([reply(200, b"direct")] * 2) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert session_with("http://store.invalid").request(GET, CallContext()).body == b"by proxy"
        for url in (server.url, f"http://localhost:{server.port}"):
            assert session_with(url).request(GET, CallContext()).body == b"direct"
    assert [asked.target for asked in proxy.asked] == ["http://store.invalid/things"]


def test_a_proxy_that_does_not_answer_is_a_store_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(StoreUnavailable, match="refuses the connection"):
        session_with("https://store.invalid").request(GET, CallContext())


def test_a_session_that_nobody_has_any_more_closes_its_connections():
    def talking_to(server):
        kept = [each for each in gc.get_objects() if isinstance(each, WatchedSocket) and each.fileno() >= 0]
        return [each for each in kept if each.getpeername()[1] == server.port]

    with scripted([reply(200, b"x"), reply(200, b"y")]) as server:
        sessions = [session_with(server.url) for _ in range(2)]
        for session in sessions:
            session.request(GET, CallContext())
        assert len(talking_to(server)) == 2
        del session
        sessions.clear()
        gc.collect()
        assert talking_to(server) == []
