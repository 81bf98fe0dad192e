"""`voxgate config egress`: whom a configuration makes servers speak to."""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from voxgate.cli.main import main
from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.assembling import ENTRY_POINT_GROUP
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.egress import SCHEMES, Endpoint, endpoints_of
from voxgate_serving.settings import Configuration, ServerSettings, load_configuration
from voxgate_standalone.egress import edges_of


def endpoints(uri, environment=(), **options):
    found = endpoints_of(RemoteConfig(uri=uri, options=options), dict(environment))
    return {(each.host, each.port) for each in found}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///data", set()),
        ("memory://", set()),
        ("procedural://", set()),
        ("http://web.example/x/y", {("web.example", 80)}),
        ("https://web.example:8443/x", {("web.example", 8443)}),
        ("bossdb://api.bossdb.io", {("api.bossdb.io", 443)}),
        ("bossdb://http://boss.example", {("boss.example", 80)}),
        ("dvid://dvid.example:8000/a1b2c3", {("dvid.example", 8000)}),
        ("dvid://https://dvid.example", {("dvid.example", 443)}),
        ("dvid://[fd00::7]:8000", {("fd00::7", 8000)}),
        ("voxgate://gpu7.lab.example:50051/fib25", {("gpu7.lab.example", 50051)}),
        ("gs://bucket/prefix", {("storage.googleapis.com", 443), ("oauth2.googleapis.com", 443)}),
    ],
)
def test_the_servers_of_a_remote_are_those_of_its_uri(uri, expected):
    assert endpoints(uri) == expected


def test_options_name_other_servers_and_more_of_them():
    assert endpoints("s3://bucket/x", endpoint="http://minio.example:9000") == {("minio.example", 9000)}
    assert endpoints("s3://bucket", region="eu-west-1") == {
        ("bucket.s3.amazonaws.com", 443),
        ("bucket.s3.eu-west-1.amazonaws.com", 443),
        ("s3.eu-west-1.amazonaws.com", 443),
    }
    assert ("bucket.s3.*.amazonaws.com", 443) in endpoints("s3://bucket")
    assert endpoints("gs://public", anonymous=True) == {("storage.googleapis.com", 443)}
    assert endpoints("voxgate://a.example:1", mesh="b.example:2") == {("a.example", 1), ("b.example", 2)}
    emulator = {"TENSORSTORE_GCS_HTTP_URL": "http://gcs.example:4443"}
    assert endpoints("gs://bucket", emulator) == {("gcs.example", 4443)}


def test_every_adapter_that_comes_along_is_known_and_a_plug_ins_uri_says_what_it_says():
    own = {point.name for point in entry_points(group=ENTRY_POINT_GROUP) if point.dist.name == "voxgate-remotes"}
    assert own == SCHEMES
    assert endpoints_of(RemoteConfig(uri="catmaid://https://c.example/7"), {}) == (Endpoint("c.example", 443),)
    assert endpoints_of(RemoteConfig(uri="knossos://k.example:77/x"), {}) == (Endpoint("k.example", 77),)
    assert endpoints_of(RemoteConfig(uri="knossos://k.example/x"), {}) == (Endpoint("k.example", 0),)
    assert endpoints_of(RemoteConfig(uri="tape:///dev/tape"), {}) == ()


@pytest.fixture
def edges(tmp_path):
    def of(text, **environment):
        path = tmp_path / "voxgate.toml"
        path.write_text(text)
        return {
            (each.services, each.host, each.port, each.reason)
            for each in edges_of(load_configuration(path, {}), environment)
        }

    return of


def test_each_service_speaks_to_what_it_needs_and_no_other(edges):
    said = edges(
        '[server]\nmesh_address = "mesh:50061"\ntransfer_address = "dns:///transfer:50071"\n'
        'jobs_url = "postgresql://me:hidden@db.example/voxgate"\nscheduler = "tls://dask:8786"\n'
        '[remotes.dvid]\nuri = "dvid://dvid.example:8000"\n'
    )
    assert said == {
        (("gateway",), "mesh", 50061, "server.mesh_address"),
        (("gateway",), "transfer", 50071, "server.transfer_address"),
        (("mesh", "transfer"), "db.example", 5432, "server.jobs_url"),
        (("mesh", "transfer", "dask-worker"), "dask", 8786, "server.scheduler"),
        (("volume", "mesh", "transfer", "dask-worker"), "dvid.example", 8000, "remotes.dvid"),
    }


def test_who_is_told_of_traces_counts_and_files_do_not(edges):
    assert edges('[server]\njobs_url = "sqlite:////state/jobs.db"\n[remotes.a]\nuri = "file:///data"\n') == set()
    said = edges("", OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.example:4318")
    assert {(host, port) for _, host, port, _ in said} == {("collector.example", 4318)}


def test_a_configuration_that_no_server_starts_with_is_refused(edges):
    with pytest.raises(ConfigInvalid, match="writeable"):
        edges('[remotes.a]\nuri = "file:///a"\nwriteable = true\n')
    with pytest.raises(ConfigInvalid, match="user in it"):
        edges('[remotes.a]\nuri = "dvid://me:hidden@dvid.example"\n')


def test_the_command_prints_rows_and_json_and_no_password(tmp_path, capsys):
    path = tmp_path / "voxgate.toml"
    path.write_text('[server]\njobs_url = "postgresql://me:hidden@db.example:5433/x"\n')
    assert main(["config", "egress", str(path)]) == 0
    rows = capsys.readouterr().out
    assert "mesh, transfer" in rows
    assert "db.example" in rows
    assert "5433" in rows
    assert main(["config", "egress", "--json", str(path)]) == 0
    said = capsys.readouterr().out
    assert json.loads(said) == {
        "egress": [{"services": ["mesh", "transfer"], "host": "db.example", "port": 5433, "reason": "server.jobs_url"}]
    }
    assert "hidden" not in rows + said


def test_every_setting_that_names_a_server_counts():
    stated = {
        "volume_address": "volume.example:1",
        "mesh_address": "mesh.example:2",
        "transfer_address": "transfer.example:3",
        "jobs_url": "postgresql://me@jobs.example:4/x",
        "scheduler": "tls://scheduler.example:5",
    }
    # A new setting that names a server belongs into `edges_of`, or here with those that only people are told of.
    told = {"http_url"}
    names = {name for name in ServerSettings.model_fields if re.search("url|address|scheduler$|issuer|endpoint", name)}
    assert names == stated.keys() | told
    edges = edges_of(Configuration(ServerSettings(**stated), {}, Path()), {})
    assert {(edge.host, edge.port) for edge in edges} == {
        (f"{name.split('_')[0]}.example", n) for n, name in enumerate(stated, 1)
    }
