"""Workflow managers run the examples as they stand: a second run does nothing, and a failure is theirs to see."""

import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

import voxgate
from support.house import ROOT
from support.peers import run_peer
from support.servers import SAMPLES, settings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import start_suite

EXAMPLES = ROOT / "examples" / "workflows"
COMMANDS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    remotes = {
        "aniso": RemoteConfig(uri=(SAMPLES / "aniso").as_uri()),
        "scratch": RemoteConfig(uri=scratch.as_uri(), writable=True),
    }
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), http=False)
    yield f"127.0.0.1:{suite.server.port}"
    suite.stop(1.0)


@pytest.fixture
def client(address):
    with voxgate.connect(address) as connected:
        yield connected


def by_cwl(folder, address, source, destination, request, outputs="out"):
    said = ("--source", source, "--destination", destination, "--request_id", request, "--server", address)
    tool = EXAMPLES / "transfer.cwl"
    answer = run_peer("workflows", "workflows_cwl.py", folder, COMMANDS, tool, folder / outputs, *said)
    return answer["code"] == 0, answer["job"]


def by_luigi(folder, address, source, destination, request):
    said = (f"source={source}", f"destination={destination}", f"request_id={request}", f"server={address}")
    answer = run_peer("workflows", "workflows_luigi.py", folder, COMMANDS, EXAMPLES, *said)
    return answer["status"] == "SUCCESS", answer["job"]


@pytest.mark.parametrize("run", [by_cwl, by_luigi])
def test_a_workflow_copies_a_volume_once_however_often_it_is_run(tmp_path, address, client, run):
    request = f"nightly-{uuid.uuid4()}"
    destination = f"scratch/{request}"
    done, first = run(tmp_path, address, "aniso/seg", destination, request)
    assert done
    assert first["job"]["state"] == "succeeded"
    np.testing.assert_array_equal(client.volume(destination)[...], client.volume("aniso/seg")[...])
    count = len(list(client.jobs()))
    (tmp_path / "again").mkdir()
    for folder in (tmp_path, tmp_path / "again"):  # where an earlier run left its record, and where it did not
        done, again = run(folder, address, "aniso/seg", destination, request)
        assert done
        assert again == first
    assert len(list(client.jobs())) == count


@pytest.mark.parametrize("run", [by_cwl, by_luigi])
def test_a_workflow_sees_that_a_transfer_failed(tmp_path, address, run):
    done, job = run(tmp_path, address, "aniso/nothing", "scratch/never", str(uuid.uuid4()))
    assert not done
    assert job is None or "error" in job
