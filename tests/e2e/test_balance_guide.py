"""Every block of the guide to replicas runs as it stands, but for the ports."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil
import pytest
import urllib3

from support.envoy import program
from support.faults import free_port, until
from support.house import ROOT
from support.servers import SAMPLES, health
from voxgate_serving.settings import load_configuration

TEXT = (ROOT / "docs/how-to/balance-and-restart.md").read_text()
BLOCKS = re.findall(r"^```(\S+)(?: (\w+))?\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
STATED = ("50051", "50052", "50151", "50152", "8080")


def block(language, what=""):
    (found,) = (text for said, kind, text in BLOCKS if (said, kind) == (language, what))
    return found


@pytest.fixture
def ports():
    return {stated: str(free_port()) for stated in STATED}


@pytest.fixture
def run(tmp_path, ports):
    """Runs a block in a folder that has what the guide speaks of."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/fib25").symlink_to(SAMPLES / "fib25")
    (tmp_path / "voxgate.toml").write_text(block("toml"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(language, what=""):
        text = re.sub(r"\b(" + "|".join(STATED) + r")\b", lambda found: ports[found[0]], block(language, what))
        command = ["bash", "-ec", text] if language == "sh" else [sys.executable, "-c", text]
        with (tmp_path / "out").open("w") as out:
            subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, stdout=out, check=True, timeout=120)
        return (tmp_path / "out").read_text()

    yield run
    for file in tmp_path.glob("*.pid"):
        try:
            process = psutil.Process(int(file.read_text()))
            process.terminate()
            process.wait(60)
        except psutil.NoSuchProcess:
            pass


def is_well(ports, port):
    try:
        return health(int(ports[port])) == "SERVING"
    except Exception:  # noqa: BLE001  (not yet)
        return False


def test_the_blocks_of_the_guide_do_what_it_says(run, ports):
    run("sh", "start")
    until(lambda: is_well(ports, "50052") and is_well(ports, "50152"), "both replicas")
    page = f"http://127.0.0.1:{ports['8080']}/readyz"
    until(lambda: _answers(page), "the gateway")
    servers, voxels = run("python").splitlines()
    assert len(servers.split(",")) == 2
    assert voxels == "True"
    assert run("sh").splitlines()[-1] == "uint64"
    assert not is_well(ports, "50052")
    assert is_well(ports, "50152")


def _answers(url):
    try:
        return urllib3.request("GET", url, retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_the_configuration_of_the_guide_is_one(tmp_path):
    (tmp_path / "voxgate.toml").write_text(block("toml"))
    assert (
        load_configuration(tmp_path / "voxgate.toml", {}).server.grace_s
        == tomllib.loads(block("toml"))["server"]["grace_s"]
    )


def test_envoy_takes_what_the_guide_has_it_check():
    envoy = program()
    command = block("sh", "envoy").replace("envoy ", f"{envoy} ", 1)
    done = subprocess.run(["bash", "-ec", command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_no_block_is_of_a_kind_that_nobody_runs():
    kinds = {(language, what) for language, what, _ in BLOCKS}
    assert kinds == {("toml", ""), ("sh", ""), ("sh", "start"), ("sh", "envoy"), ("python", "")}
