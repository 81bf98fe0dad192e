"""Rules of the code that no linter has: sizes, bare imports, and where processes may be made."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest

from support.house import ROOT, modules, room_packages

MAX_LINES = 400
MAX_ROOM_README_LINES = 40
PROCESS_MAKERS = [ROOT / "serving/voxgate_serving" / name for name in ("workers.py", "killable.py")]
PROCESS_NAMES = {"ProcessPoolExecutor", "fork", "forkpty", "set_start_method"}


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of every import; the name is empty for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.module or "", alias.name) for alias in node.names)


def imports_bare_sdk(source: str) -> bool:
    """Whether `import voxgate` or `from voxgate import Something` occurs."""
    return any(module == "voxgate" for module, _ in imported(ast.parse(source)))


def makes_processes(source: str) -> bool:
    """Whether code imports multiprocessing, a process pool, or names a fork."""
    tree = ast.parse(source)
    if any(module.partition(".")[0] == "multiprocessing" or name in PROCESS_NAMES for module, name in imported(tree)):
        return True
    return any(isinstance(node, ast.Attribute) and node.attr in PROCESS_NAMES for node in ast.walk(tree))


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_is_looked_at() -> None:
    names = [package.name for package in room_packages()]
    assert names == [
        "voxgate",
        "voxgate_blocks",
        "voxgate_gateway",
        "voxgate_jobs",
        "voxgate_mesh",
        "voxgate_remotes",
        "voxgate_serving",
        "voxgate_standalone",
        "voxgate_transfer",
        "voxgate_volume",
    ]


def test_no_module_is_longer_than_400_lines() -> None:
    places = [*room_packages(), ROOT / "tools", ROOT / "tests", ROOT / "examples"]
    long = {relative(path): n for path in modules(*places) if (n := len(path.read_text().splitlines())) > MAX_LINES}
    assert long == {}


def test_no_room_imports_the_sdk_bare() -> None:
    rooms = [package for package in room_packages() if package.name != "voxgate"]
    assert [relative(path) for path in modules(*rooms) if imports_bare_sdk(path.read_text())] == []


@pytest.mark.parametrize("line", ["import voxgate", "from voxgate import connect", "import os, voxgate as vg"])
def test_a_bare_import_is_noticed(line: str) -> None:
    assert imports_bare_sdk(line)
    assert not imports_bare_sdk("from voxgate.model.geometry import Box\nimport voxgate.model.errors")


def test_only_workers_are_made_as_processes() -> None:
    assert all(makes_processes(path.read_text()) for path in PROCESS_MAKERS)
    others = [path for path in modules(*room_packages()) if path not in PROCESS_MAKERS]
    assert [relative(path) for path in others if makes_processes(path.read_text())] == []


@pytest.mark.parametrize(
    "line",
    [
        "import multiprocessing",
        "from multiprocessing import Pool",
        "from concurrent.futures import ProcessPoolExecutor",
        "import concurrent.futures as f; f.ProcessPoolExecutor()",
        "import os; os.fork()",
    ],
)
def test_a_process_made_elsewhere_is_noticed(line: str) -> None:
    assert makes_processes(line)
    assert not makes_processes("from concurrent.futures import ThreadPoolExecutor")


def test_every_room_has_a_short_readme() -> None:
    rooms = ("clients/python", "remotes", "blocks", "serving", "jobs", "services")
    lengths = {room: len((ROOT / room / "README.md").read_text().splitlines()) for room in rooms}
    assert {room: n for room, n in lengths.items() if not 5 <= n <= MAX_ROOM_README_LINES} == {}
