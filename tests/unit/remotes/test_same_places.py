from pathlib import Path

import pytest

from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

URIS = {
    "data": "file:///srv/data",
    "em": "file:///srv/data/em",
    "dvid": "dvid://http://one:8000",
    "repo": "dvid://http://one:8000/3fa",
    "other": "dvid://http://two:8000",
    "scratch": "memory://",
    "scratch2": "memory://",
}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("data/em/fib", "em/fib", True),
        ("em/fib/inside", "data/em/fib", True),
        ("data/em/fib", "em/fib2", False),
        ("dvid/3fa/bodies", "repo/bodies", True),
        ("dvid/3fa/bodies", "other/3fa/bodies", False),
        ("scratch/a", "scratch2/a", False),
        ("data/a", "nowhere/a", False),
    ],
)
def test_one_place_is_one_place_under_every_name(one: str, other: str, is_same: bool):
    remotes = {name: RemoteConfig(uri=uri) for name, uri in URIS.items()}
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    assert registry.overlapping(one, other) is is_same
    assert registry.overlapping(other, one) is is_same


def test_links_are_followed_and_buckets_of_two_servers_are_two(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    s3 = {name: RemoteConfig(uri="s3://lab", options={"endpoint": f"http://{name}:9000"}) for name in ("one", "two")}
    remotes = {name: RemoteConfig(uri=(tmp_path / name).as_uri()) for name in ("real", "link")}
    registry = Registry.from_config(RemotesConfig(remotes={**remotes, **s3, "again": s3["one"]}))
    assert registry.overlapping("real/seg", "link/seg")
    assert registry.overlapping("one/seg", "again/seg")
    assert not registry.overlapping("one/seg", "two/seg")
