"""docs/how-to/run-on-one-machine.md, block by block: shell, Python and TOML, in the page's order."""

from __future__ import annotations

import re
import sys

import pytest

from support.containers import Apart, apart, need_images
from support.house import ROOT

PAGE = (ROOT / "docs/how-to/run-on-one-machine.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SERVICES = ("volume", "mesh", "transfer", "gateway", "postgres")
READY = "curl --silent --fail --max-time 5 http://127.0.0.1:8080/readyz"


def test_every_block_is_of_a_kind_that_is_run_here():
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "toml"}
    assert len(BLOCKS) == len(re.findall(r"^```\w+$", PAGE, re.MULTILINE))


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_page_works_as_it_is_written(tmp_path):
    need_images()
    tmp_path.chmod(0o755)
    with apart(tmp_path) as shell:
        for kind, text in BLOCKS:
            play(shell, kind, text)
        assert shell.run("podman ps --all --quiet") == ""


def play(shell: Apart, kind: str, text: str) -> None:
    """Run a block, and look whether it came to what the page says."""
    if kind == "toml":
        config = shell.folder / "deploy/compose/voxgate.toml"
        config.write_text(config.read_text() + text)
    elif kind == "python":
        assert "x[1088:1248] y[2056:2192] z[3000:3112]" in python(shell, text)  # the sample's bounds
    elif text.startswith("docker run -p"):
        in_the_foreground(shell, text)
    else:
        said = shell.run(text)
        after(shell, text, said)


def in_the_foreground(shell: Apart, text: str) -> None:
    """The first command of the page: it serves until it is told to stop, and then ends with code 0."""
    log, ended = shell.folder / "served", shell.folder / "served.code"
    shell.run(f"({text.strip()} >{log} 2>&1; echo $? >{ended}) &")
    shell.eventually(READY)
    assert "fib25/em" in shell.run("curl --silent --fail http://127.0.0.1:8080/")
    shell.run("podman stop --latest --time 40")
    shell.eventually(f"test -s {ended}")
    assert (ended.read_text().strip(), "Traceback" in log.read_text()) == ("0", False)
    shell.run("podman rm --latest")


def after(shell: Apart, text: str, said: str) -> None:
    """What else is true once a block of shell has run."""
    if "docker run --detach" in text:
        shell.eventually("docker exec voxgate python -m voxgate_serving.probe ready http")
    if "docker exec" in text:
        assert "fib25" in said
    if "config check" in text:
        assert "problem" not in said
    if "compose up" in text:
        healthy(shell)
        # The demo passes against the suite.
        demo = f"{sys.executable} -m tools.demo --server localhost:50051 --output {shell.folder}/demo"
        shell.run(f"(cd {ROOT} && {demo})")
    if "compose restart" in text:
        healthy(shell)
        # The jobs of Mesh and of Transfer are in the records of one database, and outlive the server that ran them.
        listed = shell.eventually(f"{ROOT}/.venv/bin/voxgate jobs ls --json --server localhost:50051")
        assert listed.upper().count("SUCCEEDED") >= 3, listed
        assert "scratch/meshes" in listed


def healthy(shell: Apart) -> None:
    """Every service's own probe says yes: podman runs none by itself without systemd."""
    for service in SERVICES:
        shell.eventually(f"podman healthcheck run voxgate_{service}_1")


def python(shell: Apart, code: str) -> str:
    (shell.folder / "block.py").write_text(code)
    return shell.run(f"{sys.executable} {shell.folder}/block.py")
