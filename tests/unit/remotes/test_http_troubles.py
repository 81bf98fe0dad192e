"""Ways not to get an answer: each is told apart."""

import contextlib
import socket
import threading

import pytest

from support.scripted_http import (
    HANG_UP,
    RESET,
    SILENCE,
    Reply,
    chunked,
    closed_port,
    reply,
    scripted,
    self_signed,
    session_with,
)
from voxgate.model.errors import ConfigInvalid, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.http.session import HttpLimits, StoreCall

GET = StoreCall("GET", "/x")
ONCE = HttpLimits(attempts=1)


def trouble(url, limits=ONCE, call=GET):
    with pytest.raises(StoreUnavailable) as caught:
        session_with(url, limits=limits).request(call, CallContext())
    return caught.value.message


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@contextlib.contextmanager
def answering_at_once(wire):
    """A port whose server says something to the first who connects, after a byte of theirs, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(wire)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_name_that_does_not_exist():
    assert trouble("http://store.invalid") == "the store's host name cannot be resolved"


def test_a_name_that_no_dns_can_have():
    assert trouble(f"http://{'a' * 70}.invalid") == "the store's host name cannot be resolved"


def test_nobody_listens():
    assert trouble(f"http://127.0.0.1:{closed_port()}") == "the store refuses the connection"


def test_every_address_of_a_name_is_tried(monkeypatch):
    with scripted([reply(200, b"second")]) as server:
        addresses = [("127.0.0.1", closed_port()), ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        answer = session_with("http://two.invalid", limits=ONCE).request(GET, CallContext())
    assert answer.body == b"second"


def test_a_store_that_speaks_http_where_https_is_expected():
    with answering_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert trouble(f"https://127.0.0.1:{port}") == "TLS with the store fails: wrong version number"


def test_a_store_that_hangs_up_in_the_handshake():
    with answering_at_once(b"") as port:
        assert trouble(f"https://127.0.0.1:{port}") == "TLS with the store fails: it hung up during the handshake"


def test_a_store_that_never_shakes_hands():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        assert trouble(url, HttpLimits(connect_s=0.3)) == "the store did not agree on TLS within 0.3 s"


def test_a_certificate_nobody_vouches_for(tmp_path, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    tls, _ = self_signed(tmp_path)
    with scripted([], tls) as server:
        assert trouble(server.url) == "the store's certificate is not to be trusted: self-signed certificate"
    assert server.asked == []


def test_a_certificate_of_another_host(tmp_path, monkeypatch):
    tls, file = self_signed(tmp_path, "elsewhere.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with scripted([], tls) as server:
        assert trouble(server.url).startswith("the store's certificate is not to be trusted: IP address mismatch")
    assert server.asked == []


def test_a_certificate_that_the_environment_vouches_for_is_trusted(tmp_path, monkeypatch):
    tls, file = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    body = bytes(range(256)) * 4096
    with scripted([reply(200, body), reply(200, b"again")], tls) as server:
        session = session_with(server.url)
        assert session.request(StoreCall("POST", "/x", body=body), CallContext()).body == body
        assert session.request(GET, CallContext()).body == b"again"
    assert server.asked[0].body == body
    assert server.connection_count == 1


def test_a_bundle_that_cannot_be_read_is_the_operators_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ConfigInvalid, match="REQUESTS_CA_BUNDLE") as caught,
    ):
        session_with(f"https://127.0.0.1:{listener.getsockname()[1]}").request(GET, CallContext())
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HANG_UP, "the store hung up without an answer"),
        (RESET, "the connection to the store was lost"),
        (reply(200, b"x" * 70_000, announced=70_001), "the store's answer ended after 70000 of 70001 bytes"),
        (reply(200, b"", announced=9), "the store's answer ended after 0 of 9 bytes"),
        (chunked(b"abc", is_ended=False), "the store's answer ended before its last piece"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "reset"), "the connection to the store was lost"),
        (Reply(b"SSH-2.0-OpenSSH_9\r\n", "close"), "the store's answer is broken"),
        (reply(200, b"no gzip", Content_Encoding="gzip"), "the store's answer is broken"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "close"), "the store's answer is broken"),
        (Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "close"), "the store's answer"),
    ],
)
def test_answers_that_are_none(answer, said):
    with scripted([answer]) as server:
        message = trouble(server.url)
    # A reset may overtake the bytes before it, or come as an end.
    assert message.startswith(said) or (answer.then == "reset" and "the store" in message)


def test_a_truncated_answer_under_tls_is_none_either(tmp_path, monkeypatch):
    tls, file = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with scripted([reply(200, b"x" * 70_000, announced=70_001)], tls) as server:
        assert trouble(server.url) == "the store's answer ended after 70000 of 70001 bytes"


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
def test_silence_is_waited_for_only_so_long(wire):
    with scripted([Reply(wire, "hang")]) as server:
        assert trouble(server.url, HttpLimits(read_s=0.3)) == "the store sent nothing for 0.3 s"
        server.wait_for_request()
    assert server.connection_count == 1


def test_a_store_that_does_not_take_the_request_is_given_up_too():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        call = StoreCall("POST", "/x", body=b"x" * (32 << 20))
        assert trouble(url, HttpLimits(read_s=0.3), call) == "the store took nothing for 0.3 s"


def test_silence_under_tls_is_waited_for_only_so_long(tmp_path, monkeypatch):
    tls, file = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with scripted([SILENCE], tls) as server:
        assert trouble(server.url, HttpLimits(read_s=0.3)) == "the store sent nothing for 0.3 s"
