import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from support.servers import settings
from voxgate_jobs.desk import IN_MEMORY
from voxgate_remotes.config import RemotesConfig, parse_remotes
from voxgate_serving.settings import Configuration
from voxgate_transfer.placing import site, with_jobs_url

HOLDS = """
import sys
from pathlib import Path
from voxgate_transfer.placing import _reserve
print(_reserve(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(settings(), {}, tmp_path, tmp_path / "voxgate.toml")


def remotes(uri: str) -> RemotesConfig:
    return parse_remotes({"a": {"uri": uri}}, Path("/"))


def test_what_is_stated_stays(configuration, tmp_path: Path):
    stated = replace(configuration, server=settings(jobs_url="postgresql://db/jobs"))
    assert with_jobs_url(stated, remotes("/x"), {"XDG_STATE_HOME": str(tmp_path)}) == stated.server


def test_each_configuration_has_a_place_and_remotes_of_a_command_line_theirs(configuration, tmp_path: Path):
    other = replace(configuration, path=tmp_path / "other.toml")
    bare = replace(configuration, path=None)
    sites = [site(one, remotes(uri)) for one in (configuration, other, bare) for uri in ("/x", "/y")]
    assert sites[0] == sites[1] != sites[2] == sites[3]
    assert len(set(sites)) == 4


def test_a_place_is_reserved_until_its_server_ends_however_it_ends(configuration, tmp_path: Path):
    folder = tmp_path / "voxgate" / "jobs" / site(configuration, remotes("/x"))
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout.readline() == b"\n"
        assert with_jobs_url(configuration, remotes("/x"), environment).jobs_url == IN_MEMORY
        server.kill()
        server.wait(30)
    assert with_jobs_url(configuration, remotes("/x"), environment).jobs_url == f"sqlite:///{folder / 'jobs.db'}"
    assert folder.stat().st_mode & 0o77 == 0


def test_where_no_folder_can_be_made_jobs_live_in_memory(configuration, tmp_path: Path):
    (tmp_path / "file").touch()
    environment = {"XDG_STATE_HOME": str(tmp_path / "file")}
    assert with_jobs_url(configuration, remotes("/x"), environment).jobs_url == IN_MEMORY
