"""The commands about stores as processes: remotes, versions, metadata and deleting."""

import json
import os
import pty
import select
import subprocess
import sys

import pytest

from support.servers import volume_server
from support.versioned_store import VersionedStore, registry_of
from support.volume_service import spec
from voxgate.client.connection import connect

COMMAND = [sys.executable, "-m", "voxgate.cli"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config")), "COLUMNS": "100"}


@pytest.fixture
def client():
    with volume_server(registry_of(VersionedStore())) as server, connect(server.address) as connected:
        yield connected


@pytest.fixture
def voxgate(client, environment):
    """Run one command; answers what it printed, as JSON where it was asked for."""

    def run(*arguments, code=0, stdin=b""):
        done = subprocess.run(
            [*COMMAND, *arguments],
            env={**environment, "VOXGATE_SERVER": client.stubs.addresses["volume"]},
            input=stdin,
            capture_output=True,
            timeout=120,
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode == code, done.stderr.decode()
        if "--json" in arguments:
            assert done.stderr == b""
            return json.loads(done.stdout)
        return done.stdout if code == 0 else done.stderr.decode()

    return run


def test_remotes_are_listed(voxgate):
    assert voxgate("remotes").decode().splitlines() == [
        "history  history  writable   -",
        "mem      memory   writable   deletable",
        "seen     history  read-only  -",
    ]
    assert voxgate("remotes", "--json")["remotes"][1] == {
        "name": "mem",
        "store": "memory",
        "writable": True,
        "deletable": True,
    }


def test_instances_of_metadata_are_listed_as_such(voxgate):
    assert voxgate("ls", "-r").decode().split() == [
        *["history/", "history/notes", "history/seg", "mem/"],
        *["seen/", "seen/notes", "seen/seg"],
    ]
    first, second = voxgate("ls", "history", "--json")["entries"]
    assert first == {"name": "history/notes", "is_volume": False, "is_key_values": True}
    assert second["is_volume"]
    assert voxgate("ls", "-l", "history").decode().splitlines()[0].split() == ["history/notes", "key-values"]


def test_a_version_is_closed_and_gone_on_from(voxgate):
    assert voxgate("commit", "history/seg", "-m", "layer 4") == b"history/seg@v0\n"
    closed = voxgate("commit", "history/seg@v0", "--note", "again", "--json")
    assert closed == {"volume": "history/seg", "version": "v0", "immutable": True}
    assert voxgate("new-version", "history/seg@v0", "-m", "layer 5") == b"history/seg@v1\n"
    tried = voxgate("branch", "history/seg@v0", "try", "-m", "an experiment", "--json")
    assert tried == {"volume": "history/seg", "version": "v2", "immutable": False}
    found = voxgate("versions", "history/seg", "--json")
    assert (found["volume"], found["version"]) == ("history/seg", "v1")
    assert [each["version"] for each in found["versions"]] == ["v0", "v1", "v2"]
    assert found["versions"][2] == {
        "version": "v2",
        "parents": ["v0"],
        "branch": "try",
        "note": "an experiment",
        "is_committed": False,
        "created": "2026-01-31T00:00:00Z",
    }
    lines = voxgate("versions", "history/seg@v2").decode().splitlines()
    assert [line.split()[:2] for line in lines] == [["v0", "committed"], ["v1", "open"], ["*", "v2"]]
    assert "ALREADY_EXISTS" in json.dumps(voxgate("branch", "history/seg@v0", "try", "-m", "x", "--json", code=1))


def test_what_versions_cannot_do_exits_as_other_commands_do(voxgate):
    assert "still open" in voxgate("new-version", "history/seg", "-m", "x", code=1)
    assert "writable" in voxgate("commit", "seen/seg", "-m", "x", code=1)
    assert "v9" in voxgate("versions", "history/seg@v9", code=3)
    assert "--note" in voxgate("commit", "history/seg", code=2)


def test_metadata_is_set_read_listed_and_deleted(voxgate):
    assert voxgate("meta", "set", "mem", "author", "Größe") == b"mem author: set\n"
    assert voxgate("meta", "set", "mem", "raw", "-", "--json", stdin=b"\x00\xff\n")["set"] is True
    assert voxgate("meta", "get", "mem", "raw") == b"\x00\xff\n"
    assert voxgate("meta", "get", "mem", "author") == "Größe".encode()
    assert voxgate("meta", "get", "mem", "raw", "--json") == {"name": "mem", "key": "raw", "base64": "AP8K"}
    assert voxgate("meta", "get", "mem", "author", "--json")["text"] == "Größe"
    assert voxgate("meta", "ls", "mem") == b"author\nraw\n"
    assert voxgate("meta", "ls", "mem", "--prefix", "a", "--json") == {"name": "mem", "keys": ["author"]}
    assert voxgate("meta", "rm", "mem", "raw") == b"mem raw: deleted\n"
    assert voxgate("meta", "rm", "mem", "raw", "--json", code=3)["error"]["reason"] == "UNKNOWN_KEY"
    assert "writable" in voxgate("meta", "set", "seen/notes", "k", "v", code=1)
    assert "v9" in voxgate("meta", "ls", "history/notes@v9", code=3)


def test_deleting_needs_a_yes_where_nobody_can_be_asked(voxgate, client):
    client.create("mem/lab/seg", spec())
    assert "--yes" in voxgate("rm", "mem/lab/seg", code=2)
    assert voxgate("rm", "mem/lab/seg", "--json", code=2)["error"]["reason"] == "USAGE"
    assert client.volume("mem/lab/seg").name == "mem/lab/seg"
    assert voxgate("rm", "mem/lab/seg", "--yes") == b"mem/lab/seg: deleted\n"
    assert voxgate("rm", "mem/lab/seg", "--yes", "--json", code=3)["error"]["reason"] == "UNKNOWN_VOLUME"
    client.create("mem/lab/seg", spec())
    assert voxgate("rm", "mem/lab/seg", "-y", "--json") == {"deleted": "mem/lab/seg"}
    assert "history" in voxgate("rm", "history/seg", "--yes", code=1)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
def test_on_a_terminal_deleting_asks(client, environment, answer, code):
    client.create("mem/lab/seg", spec())
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "rm", "mem/lab/seg"],
        env={**environment, "VOXGATE_SERVER": client.stubs.addresses["volume"]},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        seen = read_until(ours, "[y/N]")
        assert "Delete mem/lab/seg for good?" in seen
        os.write(ours, f"{answer}\n".encode())
        assert process.wait(60) == code
    finally:
        process.kill()
        os.close(ours)
    assert bool(client.volumes("mem")) is (answer == "n")


def read_until(terminal, words):
    """What a terminal shows, up to some words."""
    seen = ""
    while words not in seen:
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(terminal, select.POLLIN | select.POLLHUP)
        ready = waiting.poll(60_000)
        assert ready, seen
        seen += os.read(terminal, 4096).decode()
    return seen
