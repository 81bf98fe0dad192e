"""Where a store may send us, and with what."""

import socket

import pytest

from support.scripted_http import redirect, reply, scripted, self_signed, session_with
from voxgate.model.errors import PathRefused, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.http import connections
from voxgate_remotes.http.session import StoreCall

GET = StoreCall("GET", "/x")
WITH_TOKEN = CredentialsConfig(token="s3cret-token")


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def everywhere_is_public(monkeypatch):
    """What a redirect to the public internet would be, without one."""
    monkeypatch.setattr(connections, "check_public", lambda address: None)


def refused(server, location, match, call=GET):
    with pytest.raises(PathRefused, match=match) as caught:
        session_with(server.url, credentials=WITH_TOKEN).request(call, CallContext())
    assert location not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_within_the_server_redirects_are_followed_with_the_token(method, status):
    with scripted([redirect("/other/?q=1", status), redirect("third", status), reply(200)]) as server:
        session = session_with(server.url, credentials=WITH_TOKEN)
        assert session.request(StoreCall(method, "/x", body=b"[1]"), CallContext()).status == 200
    assert [asked.target for asked in server.asked] == ["/x", "/other/?q=1", "/other/third"]
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer s3cret-token"}
    assert {(asked.method, asked.body) for asked in server.asked} == {(method, b"[1]")}
    assert server.connection_count == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_get_the_redirect_as_their_answer(method):
    with scripted([redirect("/other")]) as server:
        answer = session_with(server.url).request(StoreCall(method, "/x"), CallContext())
    assert (answer.status, answer.headers["location"]) == (302, "/other")


def test_a_redirect_to_nowhere_is_an_answer():
    with scripted([reply(302, b"where?"), reply(304)]) as server:
        session = session_with(server.url)
        assert [session.request(GET, CallContext()).status for _ in range(2)] == [302, 304]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_connected_to(host):
    with scripted([reply(200, b"secret")]) as inner:
        location = f"http://{host}:{inner.port}/latest/meta-data"
        with scripted([redirect(location)]) as server:
            refused(server, location, "private address|cannot be resolved")
    assert inner.connection_count == 0


@pytest.mark.parametrize("others", [[], ["93.184.216.34"]])
def test_a_public_name_that_points_inwards_is_not_connected_to(monkeypatch, others):
    real = socket.getaddrinfo

    def resolve(host, port, *args, **kwargs):
        if host != "public.example":
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in [*others, "127.0.0.1"]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with scripted([reply(200, b"secret")]) as inner:
        location = f"http://public.example:{inner.port}/"
        with scripted([redirect(location)]) as server:
            refused(server, location, "private address")
    assert inner.connection_count == 0


def test_every_hop_is_looked_at(monkeypatch):
    def only_the_first(address, seen=[]):  # noqa: B006 - remembers on purpose
        seen.append(address)
        if len(seen) > 1:
            raise PathRefused("the store redirects to a private address")

    monkeypatch.setattr(connections, "check_public", only_the_first)
    with scripted([reply(200, b"secret")]) as inner:
        with scripted([redirect(f"http://127.0.0.1:{inner.port}/")]) as outside:
            with scripted([redirect(f"{outside.url}/hop")]) as server:
                refused(server, inner.url, "private address")
    assert (len(outside.asked), inner.connection_count) == (1, 0)


def test_the_token_and_the_like_do_not_leave_the_server(everywhere_is_public):
    call = StoreCall("GET", "/x", headers=(("Accept", "a/b"), ("COOKIE", "c=1"), ("authorization", "mine")))
    with scripted([reply(200, b"public copy")]) as outside:
        with scripted([redirect(f"{outside.url}/copy")]) as server:
            session = session_with(server.url, credentials=WITH_TOKEN)
            assert session.request(call, CallContext()).body == b"public copy"
    (asked,) = outside.asked
    assert asked.headers["accept"] == "a/b"
    assert not {"authorization", "cookie"} & set(asked.headers)
    assert "s3cret" not in str(asked)


def test_who_comes_back_from_outside_has_no_token(everywhere_is_public):
    with scripted(lambda asked: redirect(f"{server.url}/home")) as outside:
        with scripted([redirect(f"{outside.url}/hop"), reply(200)]) as server:
            session_with(server.url, credentials=WITH_TOKEN).request(GET, CallContext())
    assert ["authorization" in asked.headers for asked in server.asked] == [True, False]


def test_a_body_does_not_leave_the_server(everywhere_is_public):
    with scripted([reply(200)]) as outside, scripted([redirect(outside.url)]) as server:
        refused(server, outside.url, "request with a body", StoreCall("GET", "/x", body=b"ids"))
    assert outside.asked == []


@pytest.mark.parametrize(
    ("location", "match"),
    [
        ("ftp://store.example/x", "other than plain http"),
        ("file:///etc/passwd", "other than plain http"),
        ("http://me:secret@store.example/x", "other than plain http"),
        ("http://[::1/x", "no URL"),
        ("http://store.example:99999/", "no URL"),
        ("https:///x", "no URL"),
    ],
)
def test_a_location_that_is_no_plain_url_is_refused(location, match):
    with scripted([redirect(location)]) as server:
        refused(server, location, match)


def test_https_is_not_given_up_for_http(tmp_path, monkeypatch, everywhere_is_public):
    tls, file = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with scripted([reply(200, b"plain")]) as plain, scripted([redirect(plain.url)], tls) as server:
        refused(server, plain.url, "from https to http")
    assert plain.connection_count == 0


@pytest.mark.parametrize("count", [3, 4])
def test_three_redirects_are_enough(count):
    script = [redirect(f"/{number}") for number in range(count)]
    with scripted([*script, reply(200, b"there")]) as server:
        session = session_with(server.url)
        if count == 3:
            assert session.request(GET, CallContext()).body == b"there"
        else:
            with pytest.raises(StoreUnavailable, match="in a circle, or more than 3 times"):
                session.request(GET, CallContext())
    assert len(server.asked) == 4


def test_a_redirect_to_another_host_is_refused_where_a_proxy_hides_its_address(monkeypatch, everywhere_is_public):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with scripted([redirect("http://other.invalid/")]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(PathRefused, match="through a proxy"):
            session_with("http://store.invalid").request(GET, CallContext())
    assert len(proxy.asked) == 1
