import json
from dataclasses import dataclass

import pytest

from support.fake_client import FakeClient
from voxgate.cli.main import main


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def error(self):
        return self.document["error"]


@pytest.fixture
def client():
    return FakeClient()


@pytest.fixture
def voxgate(client, capfd, tmp_path, monkeypatch):
    """Run one command line in an empty folder: voxgate("ls", "-l")."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        code = main(arguments, connect=client)
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return Answer(code, captured.out, captured.err)

    return run
