import json

import pytest
from typer.testing import CliRunner

from voxgate.cli.app import build_app
from voxgate_serving.auth.tokens import StaticTokens
from voxgate_standalone.checking import check_file


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "voxgate.toml"
    path.write_text("[auth]\ntokens_file = 'tokens.toml'\n")
    return path


def ran(*arguments):
    return CliRunner().invoke(build_app(), ["token", *map(str, arguments)])


def test_a_token_is_made_listed_and_revoked(config):
    tokens = config.parent / "tokens.toml"
    made = ran("create", "ada", "--group", "lab", "--days", "3", "--config", config)
    token = made.stdout.split()[-1]
    assert StaticTokens(tokens).principal(token).groups == {"lab"}
    listed = json.loads(ran("list", "--file", tokens, "--json").stdout)["tokens"]
    assert [(each["name"], each["groups"]) for each in listed] == [("ada", ["lab"])]
    assert token.split("_", 2)[2] not in ran("list", "--file", tokens).stdout
    assert "revoked" in ran("revoke", listed[0]["id"], "--config", config).stdout
    assert json.loads(ran("list", "--file", tokens, "--json").stdout) == {"tokens": []}


def test_which_file_is_meant_has_to_be_said(config):
    assert ran("list").exit_code != 0
    assert ran("create", "ada", "--file", config.parent / "tokens.toml", "--config", config).exit_code != 0
    assert not (config.parent / "tokens.toml").exists()


def test_config_check_knows_auth(config):
    assert check_file(config, offline=True).problems == ()
    config.write_text("[auth]\ntoken_file = 'tokens.toml'\n")
    assert [each.key for each in check_file(config, offline=True).problems] == ["auth.token_file"]
