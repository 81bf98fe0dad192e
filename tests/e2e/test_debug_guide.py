"""Every command of the guide to debugging runs as it stands, but for the ports."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from support.collectors import ENDPOINT, collector_by_grpc
from support.house import ROOT
from support.servers import SAMPLES

TEXT = (ROOT / "docs/how-to/debug-a-deployment.md").read_text()
BLOCKS = re.findall(r"^```(\S+)(?: (\w+))?\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PATIENCE_S = 120


def blocks(language, what=""):
    return [text for found, said, text in BLOCKS if (found, said) == (language, what)]


class Running:
    """What a block of the kind `server` started in a folder, and where it is."""

    def __init__(self, block: str, folder: Path, **environment: str) -> None:
        self.folder = folder
        free = {f"VOXGATE_{name}_PORT": "0" for name in ("HEALTH", "HTTP", "METRICS")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "VOXGATE_PORT": "0", **free, **environment}
        with (folder / "out").open("w") as out:
            subprocess.run(["bash", "-ec", block], cwd=folder, env=self.environment, stdout=out, check=True, timeout=60)
        self.process = psutil.Process(int((folder / "voxgate.pid").read_text()))
        said = self._wait_for("out", r"gRPC  (\S+)\nHTTP  http://(\S+)")
        metrics = self._wait_for("voxgate.log", r'"metrics_port": (\d+)')
        self.environment["VOXGATE_SERVER"] = said[1]
        self.places = {"localhost:8080": said[2], "localhost:9464": f"localhost:{metrics[1]}"}

    def _wait_for(self, file: str, pattern: str) -> re.Match[str]:
        until = time.monotonic() + PATIENCE_S
        lines = ""
        while time.monotonic() < until and self.process.is_running():
            # The gateway's metrics come after the server's: of two, the first.
            lines = (self.folder / file).read_text()
            if found := re.search(pattern, lines):
                return found
            time.sleep(0.05)
        raise AssertionError(lines)

    def run(self, block: str) -> subprocess.CompletedProcess[str]:
        for stated, place in self.places.items():
            block = block.replace(stated, place)
        command = ["bash", "-e", "-o", "pipefail", "-c", block]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S
        )

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except psutil.TimeoutExpired:
            self.process.kill()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/fib25").symlink_to(SAMPLES / "fib25")
    (stated,) = blocks("toml")
    gateway = stated.replace("9465", "0")
    assert gateway != stated
    (tmp_path / "voxgate.toml").write_text(gateway)
    return tmp_path


def test_every_command_of_the_guide_does_what_it_says(folder):
    first, _ = blocks("sh", "server")
    running = Running(first, folder)
    try:
        *asked, exchange = blocks("sh")
        for block in asked:
            ran = running.run(block)
            assert ran.returncode == 0, f"{block}\n{ran.stdout}\n{ran.stderr}"
        assert json.loads((folder / "answer.json").read_text())["error"]["reason"] == "UNKNOWN_VOLUME"
        assert "x-request-id: complaint-17" in (folder / "head.txt").read_text()
        assert running.run(exchange).returncode == 0
        (told,) = blocks("sh", "until")
        until = time.monotonic() + PATIENCE_S
        while (ran := running.run(told)).returncode:
            assert time.monotonic() < until, f"{ran.stdout}\n{ran.stderr}\n{(folder / 'voxgate.log').read_text()}"
            time.sleep(0.2)
        assert "again/em" in ran.stdout
    finally:
        running.end()


def test_a_server_started_as_the_guide_says_sends_its_traces(folder):
    _, traced = blocks("sh", "server")
    with collector_by_grpc() as collector:
        command = traced.replace("http://collector:4317", collector.environment[ENDPOINT])
        assert command != traced
        running = Running(command, folder, OTEL_BSP_SCHEDULE_DELAY="50")
        try:
            (block,) = (block for block in blocks("sh") if "traceparent" in block)
            assert running.run(block).returncode == 0
            spans = collector.wait_for(lambda spans: {span.service for span in spans} == {"voxgate", "voxgate-gateway"})
        finally:
            running.end()
    assert {span.trace_id for span in spans if span.name == "GET precomputed"} == {"4bf92f3577b34da6a3ce929d0e0e4736"}


def test_no_block_is_of_a_kind_that_nobody_runs():
    assert {(language, what) for language, what, _ in BLOCKS} == {
        ("toml", ""),
        ("sh", ""),
        ("sh", "server"),
        ("sh", "until"),
    }
