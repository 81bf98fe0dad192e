import tomllib
from pathlib import Path

import pytest

from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.config import RemoteConfig, RemotesConfig, VolumeOverrides, parse_remotes, remote_for_path

GOOD = """
[fib25]
uri = "data/fib 25"
writable = true
format = "precomputed"

[fib25.options]
fsync = false

[fib25.volumes."seg/ground-truth"]
kind = "segmentation"
voxel_size_nm = [4, 4, 40.5]
voxel_offset = [-7, 0, 9]
absent_chunks = "error"

[scratch]
uri = "memory://"
"""


def _parse(text: str) -> RemotesConfig:
    return parse_remotes(tomllib.loads(text), Path("/etc/voxgate"))


def test_a_remotes_table_becomes_configs_and_relative_folders_start_at_the_files_folder():
    remotes = _parse(GOOD).remotes
    assert remotes["fib25"].uri == "file:///etc/voxgate/data/fib%2025"
    assert remotes["fib25"].writable
    assert remotes["scratch"] == RemoteConfig(uri="memory://")
    stated = remotes["fib25"].overrides(("seg", "ground-truth"))
    assert stated.kind == "segmentation"
    assert stated.voxel_size_nm == (4.0, 4.0, 40.5)
    assert stated.voxel_offset == (-7, 0, 9)
    assert remotes["fib25"].overrides(("seg",)) == VolumeOverrides()


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("/abs/a b", "file:///abs/a%20b"),
        ("file:///abs/a%20b", "file:///abs/a%20b"),
        ("precomputed://file:///abs/x", "file:///abs/x"),
        ("zarr3://file:///abs/x", "file:///abs/x"),
        ("file:///abs/x/|zarr3:", "file:///abs/x"),
        ("procedural://?size=100", "procedural://?size=100"),
        ("x", "file:///etc/voxgate/x"),
    ],
)
def test_uris_are_brought_to_one_form(written, uri):
    assert _parse(f'[a]\nuri = "{written}"').remotes["a"].uri == uri


@pytest.mark.parametrize(
    ("text", "key", "help_"),
    [
        ('[a]\nuri = "x"\nwriteable = true', "remotes.a.writeable", "did you mean writable?"),
        ('[a]\nuri = "x"\n[a.volumes.em]\nkinds = "image"', "remotes.a.volumes.em.kinds", "did you mean kind?"),
        (
            '[a]\nuri = "x"\nqqq = 1',
            "remotes.a.qqq",
            "known: cache, credentials, deletable, format, immutable, options",
        ),
        ("[a]", "remotes.a.uri", ""),
        ('[a]\nuri = "x"\nformat = "n5"', "remotes.a.format", ""),
        ('[a]\nuri = "x"\nwritable = true\nimmutable = true', "remotes.a.immutable", "correct the configuration"),
        ('[a]\nuri = "x"\nimmutable = 7', "remotes.a.immutable", ""),
        ('[a]\nuri = "x"\nwritable = true\n[a.volumes.em]\nimmutable = true', "remotes.a.volumes", ""),
        ('[a]\nuri = "x"\n[a.volumes.em]\nimutable = true', "remotes.a.volumes.em.imutable", "mean immutable?"),
        ('[a]\nuri = "x"\n[a.volumes.em]\naxes = "zzyx"', "remotes.a.volumes.em.axes", ""),
        ('[a]\nuri = "x"\n[a.volumes.em]\naxes = "zy"', "remotes.a.volumes.em.axes", ""),
        ('[a]\nuri = "x"\n[a.volumes.em]\nvoxel_size_nm = [4, 0, 4]', "remotes.a.volumes.em.voxel_size_nm", ""),
        ('[a]\nuri = "x"\n[a.volumes.em]\nvoxel_size_nm = [4, 4]', "remotes.a.volumes.em.voxel_size_nm", ""),
        ('[a]\nuri = "x"\n[a.volumes."../em"]\n', "remotes.a.volumes", ""),
        ('[Big_Name]\nuri = "x"', "remotes.Big_Name", ""),
        ("a = 3", "remotes.a", ""),
    ],
)
def test_a_bad_key_or_value_is_named_by_its_path(text, key, help_):
    with pytest.raises(ConfigInvalid) as caught:
        _parse(text)
    assert key in caught.value.message
    assert help_ in caught.value.remedy


def test_immutable_is_believed_of_what_is_not_written_here():
    stated = _parse('[a]\nuri = "x"\nimmutable = true\n[b]\nuri = "y"\n[b.volumes."s/1"]\nimmutable = true').remotes
    assert stated["a"].immutable
    assert stated["b"].overrides(("s", "1")).immutable
    assert not stated["b"].immutable
    assert not stated["b"].overrides(("s", "2")).immutable
    written = _parse('[a]\nuri = "x"\nwritable = true\nimmutable = false\n[a.volumes.em]\nimmutable = false').remotes
    assert not written["a"].immutable


def test_a_folder_of_the_command_line_becomes_a_read_only_remote_named_after_it(tmp_path, monkeypatch):
    folder = tmp_path / "My Volumes_2.ome.zarr"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    for written in (str(folder), folder.name, f"file://{str(folder).replace(' ', '%20')}"):
        name, config = remote_for_path(written)
        assert name == "my-volumes-2"
        assert config.uri == f"file://{str(folder).replace(' ', '%20')}"
        assert not config.writable


def test_a_uri_without_a_path_is_named_after_its_scheme():
    assert remote_for_path("procedural://?size=9")[0] == "procedural"


def test_a_folder_that_does_not_exist_is_refused_on_the_command_line(tmp_path):
    with pytest.raises(ConfigInvalid, match="not a folder"):
        remote_for_path(str(tmp_path / "nothing"))
