"""Generate the Python stubs of the contract, or check that the checked-in ones are current.

Runs in its own environment (protos/requirements.lock): an older generator makes stubs that run on more runtimes.
"""

from __future__ import annotations

import argparse
import filecmp
import pathlib
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

PACKAGE = "voxgate/v1"


def generate(out: pathlib.Path) -> None:
    """Write the stubs of every proto file under `out`/voxgate/v1."""
    protos = sorted(pathlib.Path("protos", PACKAGE).glob("*.proto"))
    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    plugin = pathlib.Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    (out / PACKAGE).mkdir(parents=True, exist_ok=True)
    arguments = [
        "protoc",
        "-Iprotos",
        f"-I{include}",
        f"--plugin=protoc-gen-mypy_grpc={plugin}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_grpc_out=quiet:{out}",
        *map(str, protos),
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")


def stale_files(fresh: pathlib.Path, checked_in: pathlib.Path) -> list[str]:
    """Names of generated files that differ, are missing, or should not be there."""

    def names(root: pathlib.Path) -> set[str]:
        return {path.name for path in (root / PACKAGE).glob("*_pb2*.py*")}

    both = names(fresh) & names(checked_in)
    _, mismatched, errors = filecmp.cmpfiles(fresh / PACKAGE, checked_in / PACKAGE, both, shallow=False)
    return sorted({*mismatched, *errors, *(names(fresh) ^ names(checked_in))})


def main() -> None:
    """Generate, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("root", type=pathlib.Path, help="folder that holds the voxgate package")
    options = parser.parse_args()
    if not options.check:
        generate(options.root)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(pathlib.Path(folder))
        stale = stale_files(pathlib.Path(folder), options.root)
    if stale:
        sys.exit(f"stale generated code, run `make protos`: {', '.join(stale)}")


if __name__ == "__main__":
    main()
