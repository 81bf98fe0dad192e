"""Tokens: where they come from, where they go, and where they never show."""

import http.client
import logging

import pytest

from support.scripted_http import HANG_UP, closed_port, redirect, reply, scripted, session_with
from voxgate.model.errors import ConfigInvalid, VoxgateError
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.http.failures import failure, words_of
from voxgate_remotes.http.session import HttpLimits, StoreCall
from voxgate_remotes.http.tokens import token_of

GET = StoreCall("GET", "/x")
TOKEN = "Zyx-98.wv/u+t="


def sent(credentials, **settings):
    with scripted([reply()]) as server:
        session_with(server.url, credentials=credentials, **settings).request(GET, CallContext())
    return server.asked[0].headers.get("authorization")


def test_a_token_stated_in_the_configuration():
    assert sent(CredentialsConfig(token=TOKEN)) == f"Bearer {TOKEN}"


def test_the_word_before_the_token_is_the_stores():
    assert sent(CredentialsConfig(token=TOKEN), authorization="Token") == f"Token {TOKEN}"


def test_a_token_of_the_environment(monkeypatch):
    monkeypatch.setenv("STORE_TOKEN", TOKEN)
    assert sent(CredentialsConfig(token_env="STORE_TOKEN")) == f"Bearer {TOKEN}"


def test_a_token_of_a_file_is_read_anew(tmp_path):
    file = tmp_path / "token"
    with scripted([reply(), reply()]) as server:
        session = session_with(server.url, credentials=CredentialsConfig(token_file=str(file)))
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            session.request(GET, CallContext())
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


def test_without_credentials_nothing_proves_anything(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password from-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert sent(CredentialsConfig()) is None


def test_a_token_stands_above_a_header_of_the_adapter():
    call = StoreCall("GET", "/x", headers=(("authorization", "other"),))
    with scripted([reply()]) as server:
        session_with(server.url, credentials=CredentialsConfig(token=TOKEN)).request(call, CallContext())
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_variable_that_is_not_set_is_named_at_the_first_call(monkeypatch):
    monkeypatch.delenv("STORE_TOKEN", raising=False)
    with scripted([]) as server:
        session = session_with(server.url, credentials=CredentialsConfig(token_env="STORE_TOKEN"))
        with pytest.raises(ConfigInvalid, match="STORE_TOKEN is not set"):
            session.request(GET, CallContext())
    assert server.connection_count == 0


def test_a_file_that_cannot_be_read_is_named_without_its_folder(tmp_path):
    with pytest.raises(ConfigInvalid, match="store-token cannot be read: No such file") as caught:
        token_of(CredentialsConfig(token_file=str(tmp_path / "store-token")))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n", "two words", "line\nbreak", "naïve", "nul\0", "x" * 100_000])
def test_what_can_be_no_token_is_refused_and_not_shown(text, tmp_path):
    file = tmp_path / "token"
    file.write_text(text)
    for credentials in (CredentialsConfig(token_file=str(file)), CredentialsConfig(token=text)):
        if text:
            with pytest.raises(ConfigInvalid, match="holds no token") as caught:
                token_of(credentials)
            assert not text.strip() or text not in str(caught.value)


def test_the_token_shows_in_no_error_log_or_representation(caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    shown = []
    echo = reply(401, f"you sent {TOKEN} to <{TOKEN}>".encode())
    script = [reply(200, b"ok"), echo, HANG_UP, redirect("ftp://x"), reply(200, b"ab", announced=3)]
    with scripted(script) as server:
        session = session_with(server.url, credentials=CredentialsConfig(token=TOKEN), limits=HttpLimits(attempts=1))
        shown += [repr(session), repr(vars(session))]
        for _ in script:
            try:
                answer = session.request(GET, CallContext())
            except VoxgateError as error:
                shown += [str(error), repr(error), repr(error.__cause__), repr(error.details)]
            else:
                shown += [repr(answer), str(answer.body), str(failure(answer, words_of(answer.body.decode())))]
    unreachable = session_with(f"http://127.0.0.1:{closed_port()}", credentials=CredentialsConfig(token=TOKEN))
    with pytest.raises(VoxgateError) as caught:
        unreachable.request(GET, CallContext())
    printed = capfd.readouterr()
    shown += [str(caught.value), caplog.text, printed.out, printed.err]
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "urllib3" in caplog.text
    assert "you sent *** to <***>" in str(shown)
    assert TOKEN not in str(shown)
