"""Two releases side by side, as in a rollout: the client of the last contract and today's server, and the reverse."""

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from support import any_release
from support.house import ROOT
from support.processes import FREE_PORTS, announcing
from support.servers import SAMPLES
from voxgate.client.connection import connect

TAG = "contract-0.3"
ROOMS = ("clients", "remotes", "blocks", "serving", "jobs", "services")

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    """What a program is told to be of the older release, or of today's."""
    packed = subprocess.run(["git", "-C", ROOT, "archive", TAG, *ROOMS], capture_output=True)
    if packed.returncode:
        pytest.skip(f"this checkout does not have the tag {TAG}")
    older = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(older, filter="data")
    folders = sorted({init.parent.parent for init in older.glob("**/voxgate*/__init__.py")})
    tops = [folder for folder in folders if not (folder / "__init__.py").exists()]
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {"older": {**inherited, "PYTHONPATH": os.pathsep.join(map(str, tops))}, "today": inherited}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "voxgate.toml"
    path.write_text(
        f'[remotes.fib25]\nuri = "{SAMPLES}/fib25"\n[remotes.data]\nuri = "file://{tmp_path}"\nwritable = true\n'
    )
    return path


def asked(environment, address, name):
    command = [sys.executable, "-P", any_release.__file__, address, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def contract_of(environment):
    """Which contract a release speaks: what tells that two of them are two."""
    script = "from voxgate.v1 import types_pb2; print(types_pb2.DESCRIPTOR.serialized_pb.hex())"
    return subprocess.run([sys.executable, "-P", "-c", script], env=environment, capture_output=True, text=True).stdout


def test_the_two_releases_are_two(environments):
    assert len({contract_of(environment) for environment in environments.values()} - {""}) == 2


@pytest.mark.parametrize("server", ["older", "today"])
def test_reads_meshes_and_jobs_are_the_same_whichever_release_asks_and_whichever_answers(
    environments, config, tmp_path, server
):
    command = [sys.executable, "-P", "-m", "voxgate.cli", "serve", "--config", str(config), *FREE_PORTS]
    with announcing(command, tmp_path / "log", environments[server]) as (_, said):
        found = {name: asked(environments[name], said["grpc"], f"data/by-{name}") for name in environments}
        with connect(said["grpc"]) as client:
            here = client.volume("fib25/seg")[...]
    assert found["older"] == found["today"]
    assert found["today"]["whole"] == found["today"]["copy"] == any_release.digest(here)
    assert found["today"]["job"] == "succeeded"
