"""What operators run: `voxgate serve` on a folder, as on a terminal and in a pipe, and `voxgate config check`."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tomllib

import pytest

from support.house import ROOT
from support.zarr_files import bare, ids

COMMAND = [sys.executable, "-m", "voxgate.cli"]
PORTS = ["--port", "0", "--health-port", "0", "--http-port", "0"]


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data/deep").mkdir(parents=True)
    os.symlink(ROOT / "samples/aniso/seg", tmp_path / "data/outside")  # leads out: never listed
    bare(tmp_path / "data/deep/bare", ids((5, 6, 7), "uint32"))
    (tmp_path / "data/broken").mkdir()
    (tmp_path / "data/broken/info").write_text("{")
    return tmp_path / "data"


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "TERM": "xterm"}


def shown_until(descriptor, mark):
    """What is written to a terminal until `mark` is."""
    seen = b""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while mark not in seen:
        assert waiting.poll(120_000), seen
        seen += os.read(descriptor, 65536)
    return seen.decode().replace("\r\n", "\n")


def ended(process):
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(60)
    finally:
        process.kill()


def test_a_terminal_is_shown_what_is_served_and_how_to_state_what_is_guessed(data, environment):
    parent, child = pty.openpty()
    command = [*COMMAND, "serve", str(data), *PORTS]
    process = subprocess.Popen(command, stdout=child, stderr=subprocess.DEVNULL, env=environment)
    os.close(child)
    try:
        shown = shown_until(parent, b"# unknown: nanometres")
    finally:
        assert ended(process) == 0
        os.close(parent)
    addresses, _, table = shown.partition("stop with Ctrl-C")
    assert addresses.startswith("gRPC  ")
    rows = {line.split()[0]: line for line in table.splitlines() if line.startswith("data/")}
    assert set(rows) == {"data/broken", "data/deep/bare"}
    assert "cannot be read: `info` is truncated" in rows["data/broken"]
    assert "7 x 6 x 5" in rows["data/deep/bare"]
    stated = tomllib.loads(table[table.index("[remotes.data]") :])
    assert stated["remotes"]["data"]["volumes"]["deep/bare"]["axes"] == "zyx"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_pipe_is_told_where_it_listens_and_nothing_else(data, environment, as_json):
    command = [*COMMAND, "serve", str(data), *PORTS, *(["--json"] if as_json else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
    try:
        first = process.stdout.readline()
    finally:
        assert ended(process) == 0
    rest = process.stdout.read()
    process.stdout.close()
    if as_json:
        assert set(json.loads(first)) == {"grpc", "http", "health_port"}
        assert rest == ""
    else:
        assert first.startswith("gRPC  ")
        assert rest.startswith("HTTP  ")
        assert len(rest.splitlines()) == 1


def checked(*arguments, environment):
    return subprocess.run(
        [*COMMAND, "config", "check", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


def test_a_configuration_is_checked_against_the_stores(data, environment, tmp_path):
    file = tmp_path / "voxgate.toml"
    file.write_text('[remotes.lab]\nuri = "data"\n[remotes.lab.volumes."deep/bare"]\nkind = "segmentation"\n')
    done = checked(file, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "good, 1 remote" in done.stdout
    file.write_text(file.read_text() + '[remotes.lab.volumes."deep/bear"]\n[remotes.gone]\nuri = "dat"\n')
    done = checked(file, environment=environment)
    assert done.returncode == 1
    assert "did you mean bare?" in done.stderr
    assert "did you mean data?" in done.stderr
    assert "Traceback" not in done.stderr
    done = checked(file, "--json", environment=environment)
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["ok"]) == (1, "", False)
    assert {each["key"] for each in document["problems"]} == {'remotes.lab.volumes."deep/bear"', "remotes.gone.uri"}
    assert {each["name"]: each["state"] for each in document["remotes"]} == {"lab": "reachable", "gone": "unreachable"}
    done = checked(file, "--offline", "--json", environment=environment)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)
