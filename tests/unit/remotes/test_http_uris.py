"""URIs of remotes that speak HTTP."""

import pytest

from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.http.uris import StoreUri, base_url


@pytest.mark.parametrize(
    ("uri", "base", "path"),
    [
        ("bossdb://api.bossdb.io", "https://api.bossdb.io", ()),
        ("bossdb://API.bossdb.io:8443/", "https://api.bossdb.io:8443", ()),
        ("dvid://http://127.0.0.1:8000/x", "http://127.0.0.1:8000", ("x",)),
        ("dvid://HTTPS://emdata.example/api/a%2Fb//c~/", "https://emdata.example", ("api", "a/b", "c~")),
        ("dvid://[::1]:8000/3fa", "https://[::1]:8000", ("3fa",)),
        ("http://store_1.lan", "http://store_1.lan", ()),
    ],
)
def test_a_host_and_a_path(uri, base, path):
    assert base_url(uri, "https") == StoreUri(base, path)


def test_the_scheme_of_a_uri_that_does_not_say():
    assert base_url("dvid://localhost:8000", "http").base_url == "http://localhost:8000"


@pytest.mark.parametrize(
    "uri",
    [
        "dvid://",
        "dvid:///x",
        "dvid://http://",
        "dvid:x",
        "dvid://me:secret@host/x",
        "dvid://secret@host",
        "dvid://https://me:secret@host",
        "dvid://@host",
        "dvid://host?token=secret",
        "dvid://host/x#secret",
        "dvid://host?",
        "dvid://host:port",
        "dvid://host:99999",
        "dvid://[::1",
        "dvid://[zz]:80",
        "dvid://ho st/x",
        "dvid://host\\@other",
        "dvid://a..b/",
        "dvid://host/a/../b",
        "dvid://host/a/%2e%2e/b",
    ],
)
def test_what_is_no_such_uri_is_the_operators_mistake_and_not_repeated(uri):
    with pytest.raises(ConfigInvalid) as caught:
        base_url(uri, "http")
    assert "secret" not in str(caught.value)
