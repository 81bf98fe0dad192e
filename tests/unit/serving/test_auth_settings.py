import pytest

from voxgate.model.errors import ConfigInvalid
from voxgate_serving.auth.guard import guard_of, policy_of
from voxgate_serving.auth.settings import checked_auth, parse_auth
from voxgate_serving.settings import load_configuration

JWT = {"issuer": "https://a.example", "audience": ["voxgate"], "jwks": "keys.json", "algorithms": ["ES256"]}
GRANT = {"who": "user:ada", "role": "read", "on": "fib25"}


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ({"token_file": "x"}, "auth.token_file", 'did you mean "tokens_file"'),
        ({"jwt": {**JWT, "audiance": "x"}}, "auth.jwt.audiance", 'did you mean "audience"'),
        ({"jwt": {**JWT, "algorithms": ["none"]}}, "auth.jwt.algorithms", "none of"),
        ({"jwt": {**JWT, "algorithms": ["HS256"]}}, "auth.jwt.algorithms", "none of"),
        ({"jwt": {**JWT, "algorithms": []}}, "auth.jwt.algorithms", "at least 1"),
        ({"jwt": {**JWT, "jwks": "http://a.example/keys"}}, "auth.jwt.jwks", "in the clear"),
        ({"jwt": {key: value for key, value in JWT.items() if key != "audience"}}, "auth.jwt.audience", "required"),
        ({"tokens_file": "t", "public": ["Fib 25"]}, "auth.public", "no name"),
        ({"tokens_file": "t", "grants": [{**GRANT, "who": "ada"}]}, "auth.grants.0", "nobody"),
        ({"tokens_file": "t", "grants": [{**GRANT, "on": "../x"}]}, "auth.grants.0", "no name"),
        ({"tokens_file": "t", "grants": [{**GRANT, "role": "owner"}]}, "auth.grants.0.role", "'read'"),
        ({"tokens_file": "t", "grants": [{**GRANT, "roles": "x"}]}, "auth.grants.0.roles", 'did you mean "role"'),
        ({"tokens_file": "t", "grants": [{"who": "anyone", "role": "admin", "on": "*"}]}, "auth.grants.0", "anyone"),
        ({}, "auth", "nothing proves"),
        ({"public": ["fib25"]}, "auth", "nothing proves"),
        (5, "auth", "no table"),
    ],
)
def test_what_is_wrong_with_auth_is_named(table, key, said):
    settings, problems = checked_auth(table)
    assert settings is None
    assert problems[0].details == {"key": key}
    assert said in str(problems[0])
    with pytest.raises(ConfigInvalid):
        parse_auth(table)


def test_without_auth_nobody_is_told_apart(tmp_path):
    path = tmp_path / "voxgate.toml"
    path.write_text("[server]\nhost = '0.0.0.0'\n")
    loaded = load_configuration(path, {})
    assert (loaded.auth, loaded.server.is_guarded, loaded.server.writes_enabled) == (None, False, False)
    assert guard_of(loaded) is None
    assert policy_of(loaded) is None


def test_with_auth_writes_are_taken_beyond_loopback(tmp_path):
    path = tmp_path / "voxgate.toml"
    path.write_text("[server]\nhost = '0.0.0.0'\n[auth]\ntokens_file = 'tokens.toml'\n")
    loaded = load_configuration(path, {})
    assert loaded.server.is_guarded
    assert loaded.server.writes_enabled
    assert loaded.server.model_copy(update={"jobs_url": "sqlite://"}).writes_enabled
    assert guard_of(loaded) is not None
