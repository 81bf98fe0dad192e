import pytest

from voxgate.model.errors import ConfigInvalid
from voxgate_serving.settings import load_configuration, parse_server


def test_the_command_line_beats_the_environment_beats_the_file_beats_defaults(tmp_path, monkeypatch):
    path = tmp_path / "voxgate.toml"
    path.write_text("[server]\nport = 1001\nworkers = 5\ngrace_s = 3.5\n[remotes.a]\nuri = 'memory://'\n")
    monkeypatch.setenv("VOXGATE_WORKERS", "6")
    monkeypatch.setenv("VOXGATE_PORT", "1002")
    loaded = load_configuration(path, {"port": 1003, "host": None})
    assert (loaded.server.port, loaded.server.workers, loaded.server.grace_s) == (1003, 6, 3.5)
    assert loaded.server.host == "127.0.0.1"
    assert loaded.remotes == {"a": {"uri": "memory://"}}
    assert loaded.base == tmp_path


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"prot": 5}, 'did you mean "port"'),
        ({"port": 70000}, '"server.port"'),
        ({"port": "many"}, '"server.port"'),
        ({"workers": 0}, '"server.workers"'),
        ({"xyzzy": 1}, "known keys are"),
    ],
)
def test_a_wrong_setting_is_named(table, said):
    with pytest.raises(ConfigInvalid) as refused:
        parse_server(table, {})
    assert said in str(refused.value)


def test_a_wrong_environment_is_named(monkeypatch):
    monkeypatch.setenv("VOXGATE_PORT", "a lot")
    with pytest.raises(ConfigInvalid, match=r"server\.port"):
        parse_server({}, {})


LOCAL = ("127.0.0.1", "127.8.9.10", "::1", "localhost")
ELSEWHERE = ("0.0.0.0", "::", "10.0.0.7", "example.com")


@pytest.mark.parametrize("host", [*LOCAL, *ELSEWHERE])
def test_only_loopback_takes_writes_unless_the_operator_insists(host):
    assert parse_server({}, {"host": host}).writes_enabled is (host in LOCAL)
    assert parse_server({"allow_unauthenticated_writes": True}, {"host": host}).writes_enabled


def test_a_missing_file_and_one_that_is_no_toml_are_said(tmp_path):
    with pytest.raises(ConfigInvalid, match="cannot read"):
        load_configuration(tmp_path / "nothing.toml", {})
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="not TOML"):
        load_configuration(path, {})
    path.write_text("[sever]\n")
    with pytest.raises(ConfigInvalid, match='did you mean "server"'):
        load_configuration(path, {})
