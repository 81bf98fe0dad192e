"""Another server as a remote, as far as no server is asked."""

import pytest

from voxgate.model.errors import ConfigInvalid, UnknownVolume
from voxgate.model.volumes import CallContext, OpenOptions
from voxgate_remotes.config import CredentialsConfig, RemoteConfig
from voxgate_remotes.voxgates import VoxgateRemote


def remote(uri: str = "voxgate://Lab.example:50051", **fields) -> VoxgateRemote:
    return VoxgateRemote(RemoteConfig(uri=uri, **fields))


@pytest.mark.parametrize(
    "uri",
    [
        "voxgate://",
        "voxgate://host",
        "voxgate://host:",
        "voxgate://host:0",
        "voxgate://host:70000",
        "voxgate://host:port",
        "voxgate://:50051",
        "voxgate://host:50051?token=x",
        "voxgate://host:50051/a#b",
        "voxgate://host:50051/UPPER",
        "voxgate://host:50051/a/../b",
        "voxgate://host:50051/a//b",
        "voxgate://user:secret@host:50051",
    ],
)
def test_a_uri_that_is_no_server_is_refused_and_not_repeated(uri):
    with pytest.raises(ConfigInvalid) as refused:
        remote(uri)
    assert "secret" not in str(refused.value)


def test_an_unknown_option_and_a_bad_value_are_named():
    with pytest.raises(ConfigInvalid, match="did you mean tls"):
        remote(options={"tsl": True})
    with pytest.raises(ConfigInvalid, match=r"options\.tls"):
        remote(options={"tls": 3})
    for wrong in (
        {"ca_file": True},
        {"cert_file": 3},
        {"tls": False, "ca_file": "ca.pem"},
        {"tls": "a.pem", "ca_file": "b.pem"},
    ):
        with pytest.raises(ConfigInvalid, match=r"options\.(tls|ca_file|cert_file)"):
            remote(options=wrong)
    for bad in (-1, 3601, True, "5"):
        with pytest.raises(ConfigInvalid, match=r"options\.believed_s"):
            remote(options={"believed_s": bad})


@pytest.mark.parametrize(
    ("prefix", "uri", "path", "version"),
    [
        ("", "voxgate://lab.example:50051/fib25/em", ("fib25", "em"), ""),
        ("", "voxgate://LAB.example:50051/fib25/em/", ("fib25", "em"), ""),
        ("", "voxgate://lab.example:50051", (), ""),
        ("/", "voxgate://lab.example:50051/fib25/a%20b", ("fib25", "a b"), ""),
        ("/flyem", "voxgate://lab.example:50051/flyem/seg@3fa:master", ("seg",), "3fa:master"),
        ("/flyem/x", "voxgate://lab.example:50051/flyem/x@1", (), "1"),
    ],
)
def test_a_uri_below_the_remote_is_a_path_and_a_version(prefix, uri, path, version):
    found = remote(f"voxgate://Lab.example:50051{prefix}").resolve(uri)
    assert found is not None
    assert (found.path, found.version) == (path, version)


@pytest.mark.parametrize(
    "uri",
    [
        "voxgate://lab.example:50052/flyem/seg",
        "voxgate://other.example:50051/flyem/seg",
        "voxgate://lab.example:50051/fly",
        "voxgate://lab.example:50051/flyems/seg",
        "voxgate://me@lab.example:50051/flyem/seg",
        "voxgate://lab.example:50051/flyem/../x",
        "http://lab.example:50051/flyem/seg",
        "voxgate://lab.example:port/flyem",
        "",
    ],
)
def test_a_uri_elsewhere_means_nothing(uri):
    assert remote("voxgate://lab.example:50051/flyem").resolve(uri) is None


def test_the_longer_prefix_wins():
    uri = "voxgate://lab.example:50051/flyem/seg"
    wide, narrow = remote().resolve(uri), remote("voxgate://lab.example:50051/flyem").resolve(uri)
    assert wide is not None
    assert narrow is not None
    assert narrow.prefix_length > wide.prefix_length


def test_a_whole_server_is_no_volume_and_neither_is_what_can_be_no_name():
    for path in ((), ("UPPER", "em"), ("lab", "..")):
        with pytest.raises(UnknownVolume):
            remote().open(path, OpenOptions(context=CallContext()))


def test_the_token_of_the_configuration_is_looked_for_when_it_is_needed(monkeypatch):
    monkeypatch.delenv("LAB_TOKEN", raising=False)
    asked = remote("voxgate://127.0.0.1:1", credentials=CredentialsConfig(token_env="LAB_TOKEN"))
    with pytest.raises(ConfigInvalid, match="LAB_TOKEN"):
        asked.list(())
