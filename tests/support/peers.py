"""Published clients in environments of their own (`make peers`), and running our small scripts in them."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from support.house import ROOT, room_packages

SCRIPTS = ROOT / "tests" / "peers"


def peer_python(name: str) -> Path:
    """The interpreter of a peer's environment; skips the test, by the peer's name, where there is none."""
    python = ROOT / ".venv-peers" / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no environment for the peer {name}: make peers")
    return python


def run_peer(name: str, script: str, *args: str | Path, timeout: float = 240.0) -> Any:
    """Run a script of tests/peers in a peer's environment; answers the JSON that it prints as its last line, or None.

    The script sees none of the caller's Python settings, and no other's configuration, for HOME is nowhere.

    Raises:
        AssertionError: the script failed; says what it wrote.
    """
    python = peer_python(name)
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1"}
    command = [str(python), "-B", str(SCRIPTS / script), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)
    assert done.returncode == 0, f"{script} in {name} failed:\n{done.stdout}\n{done.stderr}"
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else None


def beside_our_rooms() -> dict[str, str]:
    """What an environment of a peer must be told to find our rooms, and after them what they need from this one.

    For a server of ours that runs with a peer's extra: the peer's lock must agree with ours on what both have.
    """
    rooms = [str(package.parent) for package in room_packages()]
    return {"PYTHONPATH": os.pathsep.join([*rooms, sysconfig.get_paths()["purelib"]])}
