"""The command itself: help, usage, plug-ins, progress, and how it ends whatever happens."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from voxgate.cli import plugins
from voxgate.cli.app import build_app
from voxgate.cli.main import main
from voxgate.cli.progress import metered

OWN = [
    "at",
    "bodies",
    "bounds",
    "branch",
    "cache",
    "cancel",
    "commit",
    "downsample",
    "export",
    "import",
    "info",
    "jobs",
    "login",
    "ls",
    "mesh",
    "mesh-all",
    "meta",
    "new-version",
    "properties",
    "pyramid",
    "read",
    "remotes",
    "reserve-ids",
    "rm",
    "runs",
    "segments",
    "skeleton",
    "supervoxels",
    "transfer",
    "versions",
]


def test_without_a_command_there_is_help(voxgate):
    answer = voxgate()
    assert answer.code == 0
    for command in [*OWN, "serve", "config"]:
        assert re.search(rf"^  {command} ", answer.out, re.MULTILINE), command
    assert voxgate("--help").out == answer.out


@pytest.mark.parametrize("command", OWN)
def test_every_command_has_help_with_examples_that_keep_their_lines(voxgate, command):
    answer = voxgate(command, "--help")
    assert answer.code == 0
    assert re.search(rf"Examples:\n    voxgate {command}", answer.out)
    assert "Args:" not in answer.out


def test_the_release_is_told(voxgate):
    assert re.fullmatch(r"voxgate \d+\.\d+\.\d+\S*\n", voxgate("--version").out)


@pytest.mark.parametrize(("arguments", "says"), [(["nonsense"], "nonsense"), (["ls", "--nonsense"], "--nonsense")])
def test_an_unknown_word_exits_with_2(voxgate, arguments, says):
    answer = voxgate(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert says in answer.err
    assert voxgate(*arguments, "--json").error["reason"] == "USAGE"


@pytest.mark.parametrize("command", ["serve", "config"])
def test_without_the_server_extra_its_commands_say_what_to_install(voxgate, monkeypatch, command):
    monkeypatch.setattr(plugins, "entry_points", lambda **_: ())
    for arguments in ([], ["check", "voxgate.toml"], ["--port", "0"]):
        answer = voxgate(command, *arguments)
        assert answer.code == 1
        assert "pip install 'voxgate[server]'" in answer.err


def test_a_plug_in_registers_its_commands(voxgate, monkeypatch):
    class Entry:
        name = "hello"

        def load(self):
            def register(app: typer.Typer) -> None:
                @app.command()
                def hello(name: str) -> None:
                    print(f"hello {name}")

            return register

    monkeypatch.setattr(plugins, "entry_points", lambda **_: (Entry(),))
    assert voxgate("hello", "brain").out == "hello brain\n"


def test_plug_ins_are_not_imported_for_own_commands():
    app = build_app(arguments=["ls"])
    names = [each.name for each in (*app.registered_commands, *app.registered_groups)]
    assert sorted(names) == OWN


def test_a_fault_is_one_sentence_and_a_traceback_only_on_request(capfd, monkeypatch):
    def broken(address=None, *, token=None):
        raise RuntimeError("the sky fell")

    assert main(["ls"], connect=broken) == 1
    captured = capfd.readouterr()
    assert captured.err.startswith("error: RuntimeError: the sky fell\n")
    assert "Traceback" not in captured.err
    monkeypatch.setenv("VOXGATE_TRACEBACK", "1")
    main(["ls"], connect=broken)
    assert "Traceback" in capfd.readouterr().err


def test_an_interrupt_exits_with_130(capfd):
    def interrupted(address=None, *, token=None):
        raise KeyboardInterrupt

    assert main(["ls"], connect=interrupted) == 130
    assert capfd.readouterr().err == "error: interrupted\n"


def test_what_the_operating_system_refuses_is_an_error_of_one_line(voxgate, client, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "crop.npy")

    monkeypatch.setattr(os, "posix_fallocate", full)
    answer = voxgate("read", "lab/em", "--box", ":,:,:", "-o", "crop.npy")
    assert (answer.code, answer.err) == (1, "error: no space left on device: crop.npy\n")
    assert os.listdir() == []


def test_a_reader_that_has_enough_is_no_fault():
    code = """
import sys
from support.fake_client import FakeClient, LISTING, VolumeEntry
from voxgate.cli.main import main
LISTING[""] = [VolumeEntry(f"remote{i}", False) for i in range(100000)]
sys.exit(main(["ls"], connect=FakeClient()))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )
    assert command.stdout.readline() == "remote0/\n"
    command.stdout.close()
    assert command.stderr.read() == ""
    assert command.wait(60) == 1
    command.stderr.close()


def test_progress_shows_bytes_rate_and_time_left_on_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stderr, quiet, shows in ((Terminal(), False, True), (Terminal(), True, False), (io.StringIO(), False, False)):
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        with metered("read", quiet=quiet) as meter:
            meter("read", 3 << 20, 12 << 20)
        assert ("3.0/12.0 MiB" in stderr.getvalue()) is shows
        assert bool(stderr.getvalue()) is shows
