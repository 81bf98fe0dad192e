"""`[gateway]` of voxgate.toml: what is read of it, and everything that is wrong with one."""

import pytest

from voxgate.client.tls import Tls
from voxgate.model.errors import ConfigInvalid
from voxgate_gateway.settings import (
    GatewaySettings,
    checked_gateway,
    parse_gateway,
    settings_from_json,
    settings_to_json,
)
from voxgate_serving.tls import TlsFiles

GOOD = {
    "cors_origin": "https://viewer.example",
    "threads": 5,
    "bossdb": {
        "home": "scratch/boss",
        "names": {"k/ac4/em": "lab/ac4/em@1", "k/ac4/red": "lab/rgb#0"},
        "collections": {"witvliet2020": "bucket/release-3"},
        "max_cutout_bytes": 1 << 20,
    },
    "tls": {"cert": "gate.pem", "key": "gate-key.pem", "client_ca": "ca.pem", "require_client_cert": False},
    "services_tls": {"ca_file": "ca.pem", "server_name": "volume.lab.example"},
}


def test_nothing_said_is_the_defaults():
    assert parse_gateway({}) == GatewaySettings()


def test_what_is_said_is_read_and_reaches_another_process():
    settings = parse_gateway(GOOD)
    assert settings.threads == 5
    assert settings.bossdb.names["k", "ac4", "red"] == "lab/rgb#0"
    assert settings.bossdb.home == "scratch/boss"
    assert settings.tls == TlsFiles("gate.pem", "gate-key.pem", "ca.pem", require_client_cert=False)
    assert settings.services_tls.tls == Tls("ca.pem", server_name="volume.lab.example")
    assert settings_from_json(settings_to_json(settings)) == settings
    assert settings_from_json("\n".strip()) == GatewaySettings()


def test_tls_with_services_is_spoken_where_it_is_enabled_or_a_file_is_named():
    assert parse_gateway({}).services_tls.tls is None
    assert parse_gateway({"services_tls": {"enabled": True}}).services_tls.tls == Tls()
    assert parse_gateway({"services_tls": {"cert_file": "a", "key_file": "b"}}).services_tls.tls == Tls("", "a", "b")


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ({"tls": {"ca": "x"}}, "gateway.tls.ca", "unknown key"),
        ({"tls": {"client_ca": 3}}, "gateway.tls.client_ca", "text"),
        ({"tls": {"key": "x"}}, "gateway.tls.cert", "missing"),
        ({"tls": {"cert": "x"}}, "gateway.tls.key", "missing"),
        ({"tls": {"cert": "x", "key": "y", "require_client_cert": 1}}, "gateway.tls.require_client_cert", "true nor"),
        ({"services_tls": {"ca": "x"}}, "gateway.services_tls.ca", "ca_file"),
        ({"services_tls": True}, "gateway.services_tls", "table"),
        ({"thread": 3}, "gateway.thread", "threads"),
        ({"threads": 0}, "gateway.threads", "1 to 1024"),
        ({"threads": True}, "gateway.threads", "number"),
        ({"cors_origin": 3}, "gateway.cors_origin", "text"),
        ({"allow_unauthenticated_writes": "yes"}, "gateway.allow_unauthenticated_writes", "true nor false"),
        ({"bossdb": 3}, "gateway.bossdb", "table"),
        ({"bossdb": {"nams": {}}}, "gateway.bossdb.nams", "names"),
        ({"bossdb": {"names": {"a/b": "lab/x"}}}, "gateway.bossdb.names.a/b", "COLLECTION/EXPERIMENT/CHANNEL"),
        ({"bossdb": {"names": {"a/b/ü": "lab/x"}}}, "gateway.bossdb.names.a/b/ü", "COLLECTION"),
        ({"bossdb": {"names": {"a/b/c": "../x"}}}, "gateway.bossdb.names.a/b/c", "not a volume name"),
        ({"bossdb": {"names": {"a/b/c": "lab/x#red"}}}, "gateway.bossdb.names.a/b/c", "number of a channel"),
        ({"bossdb": {"names": {"a/b/c": 3}}}, "gateway.bossdb.names.a/b/c", "text"),
        ({"bossdb": {"collections": {"ü": "lab"}}}, "gateway.bossdb.collections.ü", "A-Z"),
        ({"bossdb": {"home": "Not A Remote"}}, "gateway.bossdb.home", "group"),
        ({"bossdb": {"max_cutout_bytes": 5}}, "gateway.bossdb.max_cutout_bytes", "from 1048576"),
        ({"bossdb": {"memory_bytes": 1 << 20}}, "gateway.bossdb.max_cutout_bytes", "memory_bytes"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(table, key, words):
    _, problems = checked_gateway(table)
    assert [problem.details["key"] for problem in problems] == [key]
    assert words in str(problems[0])
    with pytest.raises(ConfigInvalid):
        parse_gateway(table)


def test_all_problems_are_told_and_what_is_good_is_kept():
    settings, problems = checked_gateway({**GOOD, "colour": 1, "bossdb": {**GOOD["bossdb"], "hom": 1, "home": 5}})
    assert {problem.details["key"] for problem in problems} == {
        "gateway.colour",
        "gateway.bossdb.hom",
        "gateway.bossdb.home",
    }
    assert settings.threads == 5
