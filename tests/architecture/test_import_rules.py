"""The rules of the house hold, and each of them notices when it does not: tried on a copy, never on the checkout."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

from support.house import ROOT, room_packages

HOUSE = "The house: rooms import downwards only"
SDK = "The SDK: cli > client > wire > model"
STUBS = "Generated stubs are for wire, client and servicers"
PURE = "Adapters and pure work know no grpc"
ADAPTERS = "Adapters do not import one another"
STORELESS = "The gateway and the client open no store"

# What a colleague might write, where, and the rule that must notice.
INTRUSIONS = [
    ("voxgate_blocks", "import voxgate_volume", HOUSE),
    ("voxgate_volume", "import voxgate_mesh", HOUSE),
    ("voxgate_gateway", "import voxgate_transfer", HOUSE),
    ("voxgate_serving", "from voxgate_jobs import __doc__", HOUSE),
    ("voxgate_remotes", "from voxgate_serving import __doc__", HOUSE),
    ("voxgate", "import voxgate_remotes", HOUSE),
    ("voxgate/model", "from voxgate.wire import __doc__", SDK),
    ("voxgate/client", "from voxgate.cli import __doc__", SDK),
    ("voxgate_blocks", "from voxgate.v1 import types_pb2", STUBS),
    ("voxgate_remotes", "import grpc", PURE),
    ("voxgate_remotes", "from voxgate.client.chaining import ChainedServer", PURE),
    ("voxgate_jobs", "from google.protobuf import message", PURE),
    ("voxgate_gateway", "import tensorstore", STORELESS),
    ("voxgate/client", "from voxgate_remotes import __doc__", STORELESS),
]


def lint(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = [pathlib.Path(sys.executable).with_name("lint-imports"), "--no-cache", "--verbose"]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy_of_the_house(tmp_path: pathlib.Path) -> pathlib.Path:
    """Every room's package side by side, with the rules: lint-imports looks in its working folder first."""
    for package in room_packages():
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_rules_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


def test_the_copy_is_what_the_rules_are_tried_on(copy_of_the_house: pathlib.Path) -> None:
    assert lint(copy_of_the_house).returncode == 0
    shutil.rmtree(copy_of_the_house / "voxgate_jobs")
    (copy_of_the_house / "voxgate_jobs").mkdir()
    (copy_of_the_house / "voxgate_jobs/__init__.py").write_text("import voxgate_mesh\n")
    assert lint(copy_of_the_house).returncode != 0


@pytest.mark.parametrize(("room", "line", "rule"), INTRUSIONS, ids=[f"{room}: {line}" for room, line, _ in INTRUSIONS])
def test_a_bad_import_is_noticed(copy_of_the_house: pathlib.Path, room: str, line: str, rule: str) -> None:
    (copy_of_the_house / room / "intruder.py").write_text(f"{line}\n")
    done = lint(copy_of_the_house)
    assert done.returncode != 0
    assert f"{rule} BROKEN" in done.stdout


def test_an_adapter_that_imports_another_is_noticed(copy_of_the_house: pathlib.Path) -> None:
    adapter = copy_of_the_house / "voxgate_remotes/memory"
    target = adapter / "__init__.py" if adapter.is_dir() else adapter.with_suffix(".py")
    target.write_text(f"{target.read_text()}\nimport voxgate_remotes.zarr\n")
    done = lint(copy_of_the_house)
    assert done.returncode != 0
    assert f"{ADAPTERS} BROKEN" in done.stdout
