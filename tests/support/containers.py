"""Containers of the images that `make images` built: podman, and a shell in namespaces of its own for documents."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .house import ROOT

IMAGES = ("gateway", "mesh", "standalone", "transfer", "volume")
DEPLOY = ROOT / "deploy"
REQUIRED = "VOXGATE_CONTAINER_TESTS"
"""Set by `make test-containers`, which builds the images first."""

_DOCKER = """#!/bin/bash
if [[ $1 == compose ]]; then shift; exec "{compose}" "$@"; fi
exec podman "$@"
"""


def reference(image: str) -> str:
    """What an image is called in the store."""
    return "localhost/voxgate:latest" if image == "standalone" else f"localhost/voxgate/{image}:latest"


def run(command: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """A command where deploy/containers.sh was sourced; its output, whatever its exit code."""
    sourced = f"source deploy/containers.sh && {command}"
    return subprocess.run(["bash", "-c", sourced], cwd=ROOT, capture_output=True, text=True, timeout=timeout_s)


def must(command: str, timeout_s: float = 120) -> str:
    """The output of a command that has to work."""
    done = run(command, timeout_s)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def need_images() -> None:
    """Skip where nobody asked for tests of containers: images that are there may be old. Else fail without them."""
    if not os.environ.get(REQUIRED):
        pytest.skip("containers are tested by: make test-containers")
    missing = [tool for tool in ("podman", "runc", "unshare", "ip") if not shutil.which(tool)]
    missing = missing or [name for name in map(reference, IMAGES) if run(f"podman image exists {name}").returncode]
    assert not missing, f"containers need {', '.join(missing)}"


_STORAGE = """[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
[storage.options]
additionalimagestores = ["{images}"]
"""
_NETWORK = '[network]\nnetwork_config_dir = "{folder}/networks"\n'


class Apart:
    """A shell in network and mount namespaces of its own, with the samples as /data and podman called docker.

    Its containers are in a store of its own, which sees the images that were built: nobody else's are touched.

    Args:
        folder: for what the shell needs, with a copy of deploy/; the shell starts there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        docker = programs / "docker"
        docker.write_text(_DOCKER.format(compose=ROOT / ".venv-deploy/bin/podman-compose"))
        docker.chmod(0o755)
        shutil.copytree(DEPLOY, folder / "deploy")
        storage, engine = folder / "storage.conf", folder / "containers.conf"
        storage.write_text(_STORAGE.format(folder=folder, images=must('echo "$scratch/storage"')))
        engine.write_text(must('cat "$CONTAINERS_CONF"') + "\n" + _NETWORK.format(folder=folder))
        self._shell = subprocess.Popen(
            ["bash", DEPLOY / "apart.sh", ROOT / "samples", "bash"],
            stdin=subprocess.PIPE,
            cwd=folder,
            text=True,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        )
        self.run(f"export CONTAINERS_STORAGE_CONF={storage} CONTAINERS_CONF={engine}")

    def run(self, commands: str, timeout_s: float = 240) -> str:
        """Run lines of shell, which must all work; what they said."""
        code, output = self.result(commands, timeout_s)
        assert code == 0, f"{commands}\n{output}"
        return output

    def result(self, commands: str, timeout_s: float = 240) -> tuple[int, str]:
        """Run lines of shell; the exit code of the first that does not work, or 0, and what was said."""
        ended, output = self.folder / "ended", self.folder / "output"
        ended.unlink(missing_ok=True)
        lines = " &&\n".join(_statements(commands))
        assert self._shell.stdin is not None
        self._shell.stdin.write(
            f"{{\n{lines}\n}} </dev/null >{output} 2>&1\necho $? >{ended}.new; mv {ended}.new {ended}\n"
        )
        self._shell.stdin.flush()
        until = time.monotonic() + timeout_s
        while not ended.exists():
            said = output.read_text() if output.exists() else ""
            assert self._shell.poll() is None, f"the shell ended: {commands}\n{said}"
            assert time.monotonic() < until, f"too slow: {commands}\n{said}"
            time.sleep(0.05)
        return int(ended.read_text()), output.read_text()

    def eventually(self, commands: str, timeout_s: float = 120) -> str:
        """What commands say when they work; they are run again until then."""
        until = time.monotonic() + timeout_s
        while True:
            code, output = self.result(commands)
            if code == 0:
                return output
            assert time.monotonic() < until, f"{commands}\n{output}\n{self.logs()}"
            time.sleep(0.5)

    def logs(self) -> str:
        """The last lines of every container."""
        names = self.result("podman ps --all --format '{{.Names}} {{.Status}}'")[1].splitlines()
        return "\n".join(
            f"--- {name}\n{self.result(f'podman logs --tail 12 {name.split()[0]}')[1]}" for name in names if name
        )

    def close(self) -> None:
        """Take down every container in it, and end it."""
        for what in ("rm --all --time 5", "network rm voxgate_default", "volume rm --all"):
            self.result(f"podman {what} --force")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(60)


def _statements(commands: str) -> Iterator[str]:
    """Lines of shell, those that a backslash continues joined."""
    joined = commands.replace("\\\n", " ")
    return (line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#"))


@contextmanager
def apart(folder: Path) -> Iterator[Apart]:
    """An Apart that is closed whatever happens."""
    shell = Apart(folder)
    try:
        yield shell
    finally:
        shell.close()
