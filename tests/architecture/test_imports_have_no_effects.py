"""Importing does nothing, and the SDK needs nothing but its base dependencies."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.house import room_packages

# Raises on anything that reaches outside, imports every module of a package, then counts threads.
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys, threading
FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.forkpty",
             "os.posix_spawn", "os.mkdir", "os.remove")
def refuse(event, arguments):
    if event in FORBIDDEN:
        raise RuntimeError(f"importing did {event} {arguments!r}")
def import_all(name):
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not found.name.endswith(".__main__"):
            importlib.import_module(found.name)
"""

# Finds nothing but the standard library, the SDK and what `pip install voxgate` brings.
BARE_INSTALL = """
import importlib.abc, sys
BASE = {"voxgate", "numpy", "grpc", "google", "typing_extensions"} | set(sys.stdlib_module_names)
class OnlyTheBase(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in BASE:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None
sys.meta_path.insert(0, OnlyTheBase())
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-c", script]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("package", [package.name for package in room_packages()])
def test_importing_a_room_starts_no_thread_and_touches_no_network(package: str) -> None:
    done = run(
        f"{IMPORT_EVERYTHING}\nsys.addaudithook(refuse)\nimport_all({package!r})\n"
        "print([thread.name for thread in threading.enumerate()])"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['MainThread']"


def test_the_check_notices_a_connection_made_while_importing() -> None:
    done = run(
        f"{IMPORT_EVERYTHING}\nsys.addaudithook(refuse)\nimport socket\nsocket.create_connection(('127.0.0.1', 9))"
    )
    assert "importing did socket" in done.stderr


def test_the_sdk_imports_whole_on_a_bare_install() -> None:
    done = run(
        f"{BARE_INSTALL}{IMPORT_EVERYTHING}\n"
        "import voxgate\n"
        "for room in ('model', 'v1', 'wire', 'client'):\n"
        "    import_all(f'voxgate.{room}')\n"
        "for name in voxgate.__all__:\n"
        "    getattr(voxgate, name)\n"
        "extras = {'tensorstore', 'typer', 'rich', 'zstandard'}\n"
        "print(sorted(extras & {name.partition('.')[0] for name in sys.modules}))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_bare_install_really_lacks_the_extras() -> None:
    done = run(f"{BARE_INSTALL}\nimport tensorstore")
    assert "ModuleNotFoundError" in done.stderr
