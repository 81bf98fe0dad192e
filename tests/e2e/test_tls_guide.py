"""docs/how-to/tls.md as it is: its certificates, its servers and its clients."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.house import ROOT
from support.processes import FREE_PORTS, VOXGATE, announcing
from voxgate.wire.tls_troubles import Trouble
from voxgate_gateway.settings import parse_gateway
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.settings import load_configuration
from voxgate_standalone.checking import check_file

PAGE = (ROOT / "docs/how-to/tls.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SERVE = "voxgate serve --config voxgate.toml\n"
CLIENT_VARIABLES = ("VOXGATE_SERVER", "VOXGATE_TOKEN", "VOXGATE_TLS", "VOXGATE_CA_FILE", "GRPC_VERBOSITY")

pytestmark = pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("curl")), reason="the page is about openssl and curl"
)


class Reader:
    """Does what the page says, block by block, in a folder and a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        script = programs / "voxgate"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m voxgate.cli "$@"\n')
        script.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name not in CLIENT_VARIABLES}
        self.environment = {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(folder / "home"),
            "NO_PROXY": "localhost,127.0.0.1",
        }

    def run(self, command: list[str], text: str, where: dict[str, str]) -> str:
        """What a block prints, with the ports that the page's server would have."""
        text = text.replace("localhost:50051", where.get("grpc", "")).replace(
            "https://localhost:8080", where.get("http", "")
        )
        done = subprocess.run(
            [*command, text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What each block that says something said, in the page's order."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    said, waiting = [], list(BLOCKS)
    bash, python = ["bash", "-euc"], [sys.executable, "-c"]
    while waiting:
        language, text = waiting.pop(0)
        if language == "toml":
            (reader.folder / "voxgate.toml").write_text(text)
        elif not text.endswith(SERVE):
            assert language == "sh", text
            said.append(reader.run(bash, text, {}))
        else:
            reader.run(bash, text.removesuffix(SERVE), {})
            config, log = reader.folder / "voxgate.toml", reader.folder / "log"
            with announcing([*VOXGATE, "serve", "--config", str(config), *FREE_PORTS], log) as (_, where):
                assert where["tls"] is True
                while waiting and waiting[0][0] in ("sh", "python") and not waiting[0][1].endswith(SERVE):
                    language, text = waiting.pop(0)
                    said.append(reader.run(bash if language == "sh" else python, text, where))
    return reader, said


def test_every_block_does_what_it_says(read):
    _, said = read
    assert [bool(re.search(r"\bscratch\b", each)) for each in said if each] == [True] * 6
    assert sum("remembered" in each for each in said) == 1


def test_the_last_configuration_is_understood_and_says_what_is_missing(read):
    reader, _ = read
    path = reader.folder / "voxgate.toml"
    assert "services_tls" in path.read_text()
    configuration = load_configuration(path, {})
    gateway = parse_gateway(configuration.gateway)
    # Beside the file, wherever the process is.
    assert gateway.services_tls.tls is not None
    assert gateway.services_tls.tls.ca_file == str(reader.folder / "ca.pem")
    Registry.from_config(parse_remotes(configuration.remotes, configuration.base))
    wrong = {problem.key for problem in check_file(path, patience_s=2.0).problems}
    assert {"gateway.tls.cert", "gateway.services_tls"} <= wrong
    assert not check_file(path, offline=True).problems


def test_every_configuration_is_toml_and_every_trouble_is_on_the_page():
    assert all(tomllib.loads(text) for language, text in BLOCKS if language == "toml")
    table = PAGE.split("## When it does not work", 1)[1]
    assert set(re.findall(r"`([A-Z_]{4,})`", table.partition("\n\nBehind")[0])) == {each.name for each in Trouble}
