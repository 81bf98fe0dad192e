"""How an operator configures a cache."""

from pathlib import Path

import pytest

from support.servers import SAMPLES
from voxgate.model.errors import ConfigInvalid
from voxgate.model.geometry import Box
from voxgate_remotes.config import CacheConfig, checked_remotes, parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_standalone.checking import check_file

BASE = Path("/etc/voxgate")
FAR = {"uri": "procedural://"}


def parsed(cache):
    return parse_remotes({"far": {**FAR, "cache": cache}}, BASE).remotes["far"].cache


def test_without_a_table_nothing_is_kept_and_an_empty_one_has_defaults():
    assert parse_remotes({"far": FAR}, BASE).remotes["far"].cache is None
    assert parsed({}) == CacheConfig(memory_bytes=256 << 20, disk="", disk_bytes=10 << 30, ttl_s=60)


def test_a_relative_folder_starts_at_the_file():
    assert parsed({"disk": "kept/here"}).disk == "/etc/voxgate/kept/here"
    assert parsed({"disk": "/var/cache/voxgate"}).disk == "/var/cache/voxgate"


@pytest.mark.parametrize(
    ("cache", "key", "says"),
    [
        ({"memory_byte": 1}, "remotes.far.cache.memory_byte", "memory_bytes?"),
        ({"memory_bytes": -1}, "remotes.far.cache.memory_bytes", ""),
        ({"ttl_s": float("inf")}, "remotes.far.cache.ttl_s", ""),
        ({"disk": "kept", "disk_bytes": 1}, "remotes.far.cache.disk_bytes", ""),
        ({"disk_bytes": 1 << 31}, "remotes.far.cache", "state disk too"),
        ({"memory_bytes": 0}, "remotes.far.cache", "nothing would be kept"),
        (True, "remotes.far.cache", ""),
    ],
)
def test_what_is_wrong_with_a_cache_is_named_by_its_key(cache, key, says):
    _, (problem,) = checked_remotes({"far": {**FAR, "cache": cache}}, BASE)
    assert problem.details["key"] == key
    assert says in f"{problem.message} {problem.remedy}"


def test_config_check_names_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "taken").write_text("a file")
    file = tmp_path / "voxgate.toml"
    file.write_text(f'[remotes.far]\nuri = "{SAMPLES}"\n[remotes.far.cache]\ndisk = "taken/below"\n')
    (problem,) = check_file(file, offline=True).problems
    assert problem.key == "remotes.far.cache.disk"
    assert str(tmp_path) not in problem.message
    file.write_text(f'[remotes.far]\nuri = "{SAMPLES}"\n[remotes.far.cache]\ndisk = "fresh"\n')
    assert not check_file(file, offline=True).problems
    assert not (tmp_path / "fresh").exists()


def test_a_registry_says_what_its_caches_do(tmp_path):
    remotes = parse_remotes({"far": {**FAR, "cache": {"disk": str(tmp_path)}}, "near": FAR}, BASE)
    registry = Registry.from_config(remotes)
    for name in ("far", "far", "near"):
        volume = registry.open(f"{name}/seg")
        start = volume.info.scales[0].bounds.start
        volume.read(Box.at(start, volume.info.scales[0].stored_chunk_shape))
    (report,) = registry.caches()
    assert (report.remote, report.counts["misses"], report.counts["memory_hits"]) == ("far", 1, 1)
    assert set(report.texts) == {*report.counts, *report.gauges}


def test_a_server_does_not_start_with_a_folder_that_it_cannot_write_to(tmp_path):
    (tmp_path / "taken").write_text("a file")
    remotes = parse_remotes({"far": {**FAR, "cache": {"disk": str(tmp_path / "taken")}}}, BASE)
    with pytest.raises(ConfigInvalid) as refused:
        Registry.from_config(remotes)
    assert refused.value.details["key"] == "remotes.far.cache.disk"
