"""The suite under test (what `voxgate serve` starts, over the samples) and the clients, built from the tarball."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator

import pytest
from languages.programs import Client

from support.house import ROOT

TOOLS = {
    "cpp": ("protoc", "grpc_cpp_plugin", "g++", "cmake", "pkg-config"),
    "typescript": ("node", "npm"),
}


@pytest.fixture(scope="package")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where a suite of its own process listens, "grpc" and "http"; it serves samples/fib25 and samples/aniso."""
    folder: pathlib.Path = tmp_path_factory.mktemp("suite")
    free_ports = ["--port", "0", "--health-port", "0", "--http-port", "0"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VOXGATE_")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate_standalone", "--json", *free_ports],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # empty when the process ends without listening
        assert line, (folder / "log").read_text()
        yield json.loads(line)
        assert process.poll() is None, (folder / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture(scope="package")
def address(suite: dict[str, str]) -> str:
    """Where it listens to gRPC."""
    return suite["grpc"]


def missing_tools(language: str) -> list[str]:
    missing = [tool for tool in TOOLS[language] if shutil.which(tool) is None]
    if (
        language == "cpp"
        and not missing
        and subprocess.run(["pkg-config", "--exists", "grpc++"], check=False).returncode
    ):
        missing.append("libgrpc++-dev")
    return missing


def run(*command: str, cwd: pathlib.Path) -> None:
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"  # buf
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": path}, check=False, capture_output=True, text=True, timeout=560
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "warning:" not in done.stderr


def unpacked(language: str, folder: pathlib.Path) -> None:
    """Put a client's own files and the tarball's into an empty folder, or skip where its tools are missing."""
    if missing := missing_tools(language):
        pytest.skip(f"{language} client not built, missing: {', '.join(missing)} (see clients/{language}/README.md)")
    built = shutil.ignore_patterns("build", "gen", "node_modules", "voxgate-protos")
    shutil.copytree(ROOT / "clients" / language, folder, ignore=built, dirs_exist_ok=True)
    subprocess.run([sys.executable, ROOT / "tools/protos_dist.py", folder], check=True, timeout=60)
    with tarfile.open(folder / "voxgate-protos.tar.gz") as tar:
        tar.extractall(folder, filter="data")


@pytest.fixture(scope="package")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the C++ client."""
    folder = tmp_path_factory.mktemp("cpp")
    unpacked("cpp", folder)
    run("cmake", "-S", ".", "-B", "build", "-DVOXGATE_PROTOS=voxgate-protos", cwd=folder)
    run("cmake", "--build", "build", "-j", "2", cwd=folder)
    return [str(folder / "build/voxgate_client")]


@pytest.fixture(scope="package")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the TypeScript client."""
    folder = tmp_path_factory.mktemp("typescript")
    unpacked("typescript", folder)
    run("npm", "ci", "--silent", cwd=folder)
    run("npm", "run", "build", cwd=folder)
    return ["node", str(folder / "build/voxgate_client.js")]


@pytest.fixture(scope="package", params=sorted(TOOLS))
def program(request: pytest.FixtureRequest) -> list[str]:
    """The command of one client, built in an empty folder from its own files and the tarball."""
    command: list[str] = request.getfixturevalue(request.param)
    return command


@pytest.fixture
def client(program: list[str], tmp_path: pathlib.Path) -> Client:
    """A client in an empty folder."""
    return Client(program, tmp_path)
