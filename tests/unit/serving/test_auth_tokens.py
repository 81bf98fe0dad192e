import hmac
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from voxgate.model.errors import ConfigInvalid, NotFound, Unauthenticated, Unavailable
from voxgate.model.secrets import without_secrets
from voxgate_serving.auth import tokens as module
from voxgate_serving.auth.authenticator import Authenticator
from voxgate_serving.auth.credentials import Credentials, parse_credentials
from voxgate_serving.auth.principals import NOBODY, Principal
from voxgate_serving.auth.tokens import StaticTokens, create_token, listed_tokens, revoke_token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.toml"


def cause_of(tokens, token):
    with pytest.raises(Unauthenticated) as refused:
        tokens.principal(token)
    assert token not in str(refused.value)
    assert refused.value.remedy
    return refused.value.details["cause"]


def test_a_token_proves_whose_it_is_and_its_file_does_not_have_it(path):
    token = create_token(path, "ada", ["lab", "em+"])
    assert StaticTokens(path).principal(token) == Principal("ada", frozenset(("lab", "em+")), "token")
    secret = token.rpartition("_")[2] if token.count("_") == 2 else token.split("_", 2)[2]
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]


def test_a_token_with_another_secret_or_id_proves_nothing(path):
    token = create_token(path, "ada")
    tokens = StaticTokens(path)
    prefix, identity, secret = token.split("_", 2)
    for wrong in (token[:-1], token + "x", f"{prefix}_{'0' * 12}_{secret}", f"{prefix}_{identity}_", prefix + "_"):
        assert cause_of(tokens, wrong) == "UNKNOWN_TOKEN"


def test_secrets_are_compared_in_constant_time_also_for_ids_that_are_unknown(path, monkeypatch):
    token = create_token(path, "ada")
    compared = []

    class Watched:
        @staticmethod
        def compare_digest(one, other):
            compared.append((one, other))
            return hmac.compare_digest(one, other)

    monkeypatch.setattr(module, "hmac", Watched)
    StaticTokens(path).principal(token)
    assert cause_of(StaticTokens(path), "vxg_000000000000_x") == "UNKNOWN_TOKEN"
    assert [len(one) == len(other) == 64 for one, other in compared] == [True, True]


def test_a_token_ends_when_it_was_said_to(path):
    token = create_token(path, "ada", expires=NOW)
    assert StaticTokens(path, lambda: NOW - timedelta(seconds=1)).principal(token).name == "ada"
    assert cause_of(StaticTokens(path, lambda: NOW), token) == "TOKEN_EXPIRED"


def test_the_file_is_read_again_when_it_changes(path):
    first = create_token(path, "ada")
    tokens = StaticTokens(path)
    assert tokens.principal(first).name == "ada"
    second = create_token(path, "bob")
    assert tokens.principal(second).name == "bob"
    ids = {each.name: each.id for each in listed_tokens(path)}
    assert revoke_token(path, ids["ada"]).name == "ada"
    assert cause_of(tokens, first) == "UNKNOWN_TOKEN"
    assert tokens.principal(second).name == "bob"
    with pytest.raises(NotFound):
        revoke_token(path, ids["ada"])


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"tokens = 5", b"[[tokens]]\nid = 'x'\n", b"nothing = 1\n[[tokens]]\n", b"[[tokens]]\nname = 'ada'\n"],
)
def test_a_damaged_file_lets_nobody_in_not_even_those_of_before(path, content):
    token = create_token(path, "ada")
    tokens = StaticTokens(path)
    assert tokens.principal(token).name == "ada"
    path.write_bytes(content)
    with pytest.raises(Unavailable) as refused:
        tokens.principal(token)
    assert str(path.parent) not in str(refused.value)
    os.unlink(path)
    with pytest.raises(Unavailable):
        tokens.principal(token)


@pytest.mark.parametrize("name", ["", "anonymous", "a b", "a\nb", "ä", 'a"b', "x" * 200])
def test_a_name_that_is_none_gets_no_token(path, name):
    with pytest.raises(ConfigInvalid):
        create_token(path, name)
    with pytest.raises(ConfigInvalid):
        create_token(path, "ada", [name])
    assert not path.exists()


def test_tokens_are_not_shown(path):
    token = create_token(path, "ada")
    assert token not in repr(parse_credentials([f"Bearer {token}"]))
    assert listed_tokens(path)[0].sha256 not in repr(listed_tokens(path))
    assert token.split("_", 2)[2] not in without_secrets(f"failed with {token} today")


@pytest.mark.parametrize("sent", ["Bearer x1", "bearer  x1 ", "Token x1", "TOKEN x1"])
def test_credentials_come_as_bearer_and_as_token(sent):
    assert parse_credentials([sent]) == Credentials("x1")


@pytest.mark.parametrize(
    "sent",
    [["Basic x"], [""], ["Bearer"], ["Bearer a b"], ["Bearer ä"], ["Bearer x", "Bearer x"], ["Bearer " + "x" * 9000]],
)
def test_what_is_no_credentials_is_refused_and_not_shown(sent):
    with pytest.raises(Unauthenticated) as refused:
        parse_credentials(sent)
    assert refused.value.details == {"cause": "MALFORMED_CREDENTIALS"}


def test_who_sends_nothing_is_nobody_and_so_is_the_public_of_bossdb(path):
    chain = Authenticator(StaticTokens(path))
    assert chain.principal([]) is NOBODY
    assert chain.principal(["Token public"]) is NOBODY
    assert not NOBODY.caller.is_proven
    with pytest.raises(Unauthenticated):
        chain.principal(["Bearer public"])
    with pytest.raises(Unauthenticated):
        chain.principal(["Bearer a.b.c"])  # no provider is configured
