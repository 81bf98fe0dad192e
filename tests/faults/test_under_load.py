"""The load test in short: many read through the edge while replicas are lost, and every answer is exact."""

import json

import pytest

from tests.load.__main__ import main

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


def test_nobody_reads_anything_wrong_and_no_read_fails_while_replicas_are_lost(tmp_path, capsys):
    told = tmp_path / "load.json"
    options = ["--readers", "20", "--seconds", "15", "--kill-every", "3", "--processes", "2", "--json", str(told)]
    assert main(options) == 0, capsys.readouterr().out
    found = json.loads(told.read_text())
    assert found["killed"] >= 1
    assert found["drained"] >= 1
    assert found["bad_exits"] == []
    assert set(found["memory"]) == {"volume", "mesh", "gateway", "Envoy"}
    assert all(each["count"] for each in found["latency_s"].values())
    assert set(found["latency_s"]) >= {"one message", "stream", "meshes", "HTTP chunk", "HTTP cutout"}
