"""Where the rooms are, for tests that look at the code itself."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
GENERATED = ROOT / "clients/python/voxgate/v1"


def room_packages() -> list[pathlib.Path]:
    """The import package of every distribution in the repository, the SDK's first; plug-ins of tests are no rooms."""
    found = (path.parent for depth in ("*", "*/*") for path in ROOT.glob(f"{depth}/pyproject.toml"))
    members = sorted(member for member in found if ROOT / "tests" not in member.parents)
    packages = [init.parent for member in members for init in member.glob("voxgate*/__init__.py")]
    return sorted(packages, key=lambda package: package.name)


def modules(*packages: pathlib.Path) -> Iterator[pathlib.Path]:
    """Every hand-written Python file under the packages given."""
    for package in packages:
        yield from sorted(path for path in package.rglob("*.py") if GENERATED not in path.parents)
