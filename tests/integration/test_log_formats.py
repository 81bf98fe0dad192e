"""The log of every server, for programs or for people."""

import json
import re
import signal
import subprocess
import sys

import pytest

from support.processes import until_left

SERVICE = ("--port", "0", "--health-port", "0")
SERVERS = {
    "voxgate_volume": (*SERVICE, "--metrics-port", "0"),
    "voxgate_mesh": SERVICE,
    "voxgate_transfer": SERVICE,
    "voxgate_gateway": ("--port", "0", "--backend", "localhost:1"),
    "voxgate_standalone": (*SERVICE, "--http-port", "0"),
}
TEXT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) +\S.*")


def logged(module, tmp_path, log_format):
    """All that a server logs, which is ended as soon as it serves."""
    config = tmp_path / "voxgate.toml"
    config.write_text('[server]\nworker_processes = 0\n[remotes.p]\nuri = "procedural://"\n')
    command = [sys.executable, "-m", module, "--config", str(config), *SERVERS[module], "--log-format", log_format]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        with until_left(process):
            line = process.stderr.readline()
            if module == "voxgate_standalone":  # it has a gateway to start, and says when it has
                assert process.stdout.readline().startswith("gRPC")
            process.send_signal(signal.SIGTERM)
            return line + process.stderr.read()


@pytest.mark.parametrize("module", SERVERS)
def test_text_is_for_people(module, tmp_path):
    lines = logged(module, tmp_path, "text").splitlines()
    assert lines
    assert all(TEXT.fullmatch(line) for line in lines), lines


@pytest.mark.parametrize("module", SERVERS)
def test_json_is_for_programs(module, tmp_path):
    lines = logged(module, tmp_path, "json").splitlines()
    assert lines
    for line in lines:
        assert {"event", "level", "timestamp"} <= json.loads(line).keys()
