import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import MalformedName, MetadataInvalid, PathRefused, UnknownVolume
from voxgate.model.names import VolumeName
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.files import FilesRemote
from voxgate_remotes.guard import PathGuard


@pytest.fixture
def tree(tmp_path):
    """A root with an inner folder, and a secret beside the root."""
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "info").write_text("{}")
    (tmp_path / "root-twin").mkdir()
    return tmp_path


def test_segments_inside_of_the_root_resolve_to_real_paths(tree):
    guard = PathGuard(tree / "root")
    assert guard.resolve(("inner", "not-there")) == tree / "root" / "inner" / "not-there"
    assert guard.resolve(()) == tree / "root"


@pytest.mark.parametrize(
    "segments",
    [
        ("..",),
        ("inner", "..", "..", "secret"),
        (".",),
        ("",),
        ("/etc",),
        ("inner/../../secret",),
        ("..\\secret",),
        ("in\0ner",),
    ],
)
def test_what_could_lead_out_is_refused(tree, segments):
    with pytest.raises(PathRefused) as caught:
        PathGuard(tree / "root").resolve(segments)
    assert str(tree) not in str(caught.value)


def test_links_out_of_the_root_are_refused_and_links_inside_are_followed(tree):
    root = tree / "root"
    (root / "out").symlink_to(tree / "secret")
    (root / "relative-out").symlink_to("../secret")
    (root / "twin").symlink_to(tree / "root-twin")  # a name that only starts like the root's
    (root / "chain").symlink_to("out")
    (root / "alias").symlink_to("inner")
    guard = PathGuard(root)
    for name in ("out", "relative-out", "twin", "chain"):
        with pytest.raises(PathRefused):
            guard.resolve((name,))
        with pytest.raises(PathRefused):
            guard.resolve((name, "info"))
    assert guard.resolve(("alias",)) == root / "inner"


def test_a_root_that_is_itself_a_link_is_the_operators_choice(tree):
    (tree / "mount").symlink_to(tree / "root")
    assert PathGuard(tree / "mount").resolve(("inner",)) == tree / "root" / "inner"


def test_metadata_is_trusted_no_more_than_a_caller(tree):
    guard = PathGuard(tree / "root")
    inner = guard.resolve(("inner",))
    assert guard.within(inner, "a/b") == inner / "a" / "b"
    assert guard.within(inner, "") == inner
    for key in ("../../secret", "/etc", "a/../b", "a//b", "..\\x"):
        with pytest.raises(PathRefused):
            guard.within(inner, key)


def test_listings_leave_out_links_that_lead_out_or_upwards_and_hidden_folders(tree):
    root = tree / "root"
    (root / "out").symlink_to(tree / "secret")
    (root / "inner" / "up").symlink_to(root)
    (root / "inner" / "self").symlink_to(".")
    (root / "alias").symlink_to("inner")
    (root / ".hidden").mkdir()
    (root / "file").write_text("")
    guard = PathGuard(root)
    assert [path.name for path in guard.folders(root)] == ["alias", "inner"]
    assert list(guard.folders(root / "inner")) == []
    with pytest.raises(UnknownVolume):
        list(guard.folders(root / "nothing"))


@pytest.mark.parametrize(
    "name", ["r/%2e%2e/secret", "r/..%2fsecret", "r/%2Fetc", "r/..%5csecret", "r/a%00b", "r//x", "r/./x"]
)
def test_encoded_traversal_does_not_pass_the_name(name):
    with pytest.raises(MalformedName):
        VolumeName.parse(name)


@given(st.lists(st.sampled_from(["..", ".", "inner", "out", "secret", "/", "", "x" * 300, "é", "a\nb"]), max_size=5))
def test_no_combination_of_segments_opens_anything_outside(tmp_path_factory, segments):
    base = tmp_path_factory.mktemp("guard")
    (base / "root" / "inner").mkdir(parents=True)
    (base / "secret").mkdir()
    (base / "secret" / "info").write_text('{"scales": []}')
    (base / "root" / "out").symlink_to(base / "secret")
    remote = FilesRemote(RemoteConfig(uri=f"file://{base}/root", writable=True))
    with pytest.raises((PathRefused, UnknownVolume)) as caught:
        remote.open(tuple(segments), OpenOptions())
    assert str(base) not in str(caught.value)
    with contextlib.suppress(PathRefused, UnknownVolume):
        assert "info" not in [entry.segment for entry in remote.list(tuple(segments))]
    assert os.listdir(base / "secret") == ["info"]


def test_a_scale_key_that_leads_out_is_refused_at_open(tree):
    volume = tree / "root" / "volume"
    volume.mkdir()
    scale = (
        '{"key": "../../secret", "size": [2,2,2], "resolution": [1,1,1], "chunk_sizes": [[2,2,2]], "encoding": "raw"}'
    )
    (volume / "info").write_text(f'{{"type": "image", "data_type": "uint8", "num_channels": 1, "scales": [{scale}]}}')
    with pytest.raises(PathRefused):
        FilesRemote(RemoteConfig(uri=f"file://{tree}/root")).open(("volume",), OpenOptions())


@pytest.mark.parametrize("name", ["info", "zarr.json", ".zarray"])
def test_metadata_that_is_a_link_out_of_the_remote_is_refused(tree, name):
    volume = tree / "root" / "volume"
    volume.mkdir()
    (tree / "secret" / "metadata").write_text('{"scales": [], "node_type": "array"}')
    (volume / name).symlink_to(tree / "secret" / "metadata")
    with pytest.raises(PathRefused):
        FilesRemote(RemoteConfig(uri=f"file://{tree}/root")).open(("volume",), OpenOptions())


@pytest.mark.parametrize("path", ["../../secret", "/etc", "a\\u0000b", "..", ".", "a//b"])
def test_a_level_path_that_leads_out_is_refused_at_open(tree, path):
    volume = tree / "root" / "volume"
    volume.mkdir()
    axes = '[{"name": "z"}, {"name": "y"}, {"name": "x"}]'
    image = f'{{"version": "0.4", "axes": {axes}, "datasets": [{{"path": "{path}"}}]}}'
    (volume / ".zattrs").write_text(f'{{"multiscales": [{image}]}}')
    with pytest.raises((PathRefused, MetadataInvalid)) as caught:
        FilesRemote(RemoteConfig(uri=f"file://{tree}/root")).open(("volume",), OpenOptions())
    assert isinstance(caught.value, PathRefused) or path == "."
