import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from voxgate.model.errors import (
    ChunkMissing,
    ConfigContradictsStore,
    ConfigInvalid,
    MalformedName,
    ReadOnly,
    UnknownRemote,
    UnknownScheme,
    UnknownVolume,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.remotes import VolumeEntry
from voxgate.model.segments import SegmentIndex
from voxgate.model.volumes import (
    ChunkPresence,
    OpenOptions,
    Scale,
    ScaleSpec,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.config import RemoteConfig, VolumeOverrides, parse_remotes
from voxgate_remotes.policy import GovernedRemote, stated_info
from voxgate_remotes.registry import Registry

BOX = Box.of(x=(-5, 8), y=(20, 31), z=(7, 14))


def _registry(text: str, base: Path = Path("/")) -> Registry:
    return Registry.from_config(parse_remotes(tomllib.loads(text), base))


@pytest.fixture
def folder(tmp_path):
    """A folder `store` with a writable remote's two volumes, `em` and `group/seg`."""
    registry = _registry('[lab]\nuri = "store"\nwritable = true', tmp_path)
    for name, kind in (("lab/em", VolumeKind.IMAGE), ("lab/group/seg", VolumeKind.SEGMENTATION)):
        scale = ScaleSpec(BOX, VoxelSize(4, 4, 40), Vec3(4, 4, 4))
        registry.create(name, VolumeSpec(np.dtype("<u2"), kind, (scale,), format="precomputed"))
    return tmp_path


def test_volumes_are_opened_listed_and_known_by_their_full_names(folder):
    registry = _registry('[lab]\nuri = "store"\n[em-only]\nuri = "store/em"', folder)
    assert registry.names == ("em-only", "lab")
    assert registry.list() == [VolumeEntry("em-only", True), VolumeEntry("lab", False)]
    assert registry.list("lab") == [VolumeEntry("lab/em", True), VolumeEntry("lab/group", False)]
    assert registry.list("lab/group") == [VolumeEntry("lab/group/seg", True)]
    assert registry.list("lab/em") == []
    assert registry.open("lab/group/seg").info.name == "lab/group/seg"
    assert registry.open("em-only").info.name == "em-only"
    with pytest.raises(UnknownVolume):
        registry.open("lab/group")
    with pytest.raises(UnknownVolume):
        registry.list("lab/nothing")


def test_a_broken_root_is_still_listed_as_a_volume_so_that_opening_says_why(folder):
    (folder / "store" / "em" / "info").write_text('{"scales"')
    registry = _registry('[em]\nuri = "store/em"\n[gone]\nuri = "not-mounted"', folder)
    assert registry.list() == [VolumeEntry("em", True), VolumeEntry("gone", False)]


def test_an_unknown_remote_is_answered_with_the_nearest_name(folder):
    registry = _registry('[flyem]\nuri = "store"', folder)
    with pytest.raises(UnknownRemote, match="did you mean flyem"):
        registry.open("flyme/em")
    with pytest.raises(MalformedName):
        registry.open("Flyem/../em")


def test_an_unknown_scheme_is_answered_with_the_known_ones():
    known = "bossdb, dvid, file, gs, http, https, memory, procedural, s3, voxgate"
    with pytest.raises(UnknownScheme, match=rf"remotes\.a\.uri.*{known}"):
        _registry('[a]\nuri = "gopher://x"')


def test_only_the_adapters_that_are_used_are_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "voxgate_remotes.procedural", raising=False)
    _registry('[m]\nuri = "memory://"')
    assert "voxgate_remotes.procedural" not in sys.modules


def test_an_adapter_refuses_an_option_it_does_not_know(tmp_path):
    with pytest.raises(ConfigInvalid, match="did you mean fsync"):
        _registry('[a]\nuri = "."\noptions = {fsinc = true}', tmp_path)
    with pytest.raises(ConfigInvalid, match="cache_bytes"):
        _registry('[a]\nuri = "."\noptions = {cache_bytes = true}', tmp_path)


def test_a_uri_resolves_by_the_longest_prefix_however_it_is_written(folder):
    registry = _registry('[all]\nuri = "."\n[lab]\nuri = "store"', folder)
    for uri in (
        f"{folder}/store/group/seg",
        f"file://{folder}/store/group/seg",
        f"file://{folder}/store/group/seg/",
        f"precomputed://file://{folder}/store/group/seg",
        f"zarr://file://{folder}/store/group/seg",
        f"zarr3://{folder}/store/group/seg",
        f"file://{folder}/store/group/seg|neuroglancer-precomputed:",
    ):
        assert registry.resolve(uri) == ("lab/group/seg", "")
    assert registry.resolve(f"{folder}/store") == ("lab", "")
    assert registry.resolve(f"{folder}/other/a b") == ("all/other/a%20b", "")


@pytest.mark.parametrize(
    "uri",
    ["/elsewhere/em", "file:///elsewhere/em", "s3://bucket/em", "em", "../em", "{0}/store/../../x", "{0}-twin/em", ""],
)
def test_a_uri_that_no_remote_holds_shows_what_to_configure_and_nothing_of_the_server(folder, uri):
    registry = _registry('[lab]\nuri = "."', folder)
    asked = uri.format(folder)
    with pytest.raises(UnknownRemote) as caught:
        registry.resolve(asked)
    assert "[remotes." in caught.value.remedy
    if "{0}" not in uri:
        assert str(folder) not in str(caught.value)


def test_a_remote_is_read_only_unless_the_operator_says_otherwise(folder):
    volume = _registry('[lab]\nuri = "store"', folder).open("lab/em")
    assert volume.capability(Writable) is None
    assert not volume.info.scales[0].writable
    assert volume.capability(ChunkPresence) is not None
    assert volume.capability(SegmentIndex) is None
    registry = _registry('[lab]\nuri = "store"\n[m]\nuri = "memory://"', folder)
    spec = VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, (ScaleSpec(BOX),))
    for name in ("lab/new", "m/new"):
        with pytest.raises(ReadOnly):
            registry.create(name, spec)
    assert not (folder / "store" / "new").exists()
    writable = _registry('[lab]\nuri = "store"\nwritable = true', folder).open("lab/em")
    assert writable.capability(Writable) is not None
    assert writable.info.scales[0].writable


@pytest.mark.parametrize(
    "statement",
    ['kind = "segmentation"', "voxel_size_nm = [4, 4, 41]", "voxel_offset = [-5, 20, 8]", 'axes = "czyx"'],
)
def test_a_statement_that_contradicts_the_store_fails_the_open(folder, statement):
    registry = _registry(f'[lab]\nuri = "store"\n[lab.volumes.em]\n{statement}', folder)
    with pytest.raises(ConfigContradictsStore) as caught:
        registry.open("lab/em")
    assert statement.partition(" ")[0] in caught.value.message


def test_a_statement_that_agrees_with_the_store_is_no_error(folder):
    stated = 'kind = "image"\nvoxel_size_nm = [4, 4, 40]\nvoxel_offset = [-5, 20, 7]\naxes = "zyx"'
    info = _registry(f'[lab]\nuri = "store"\n[lab.volumes.em]\n{stated}', folder).open("lab/em").info
    assert info.kind is VolumeKind.IMAGE


def test_a_complete_volume_answers_an_absent_chunk_with_an_error_that_names_it(folder):
    lenient = _registry('[lab]\nuri = "store"\nwritable = true', folder).open("lab/em")
    box = Box.of(x=(-5, -1), y=(20, 24), z=(7, 11))
    lenient.capability(Writable).write(box, np.full((1, 4, 4, 4), 9, np.uint16))
    strict = _registry('[lab]\nuri = "store"\n[lab.volumes.em]\nabsent_chunks = "error"', folder).open("lab/em")
    assert (strict.read(box) == 9).all()
    wide = Box(box.start, box.stop + Vec3(1, 0, 0))
    assert lenient.read(wide)[0, 0, 0].tolist() == [9, 9, 9, 9, 0]
    with pytest.raises(ChunkMissing) as caught:
        strict.read(wide)
    assert "x[-1:0]" in caught.value.message
    assert lenient.capability(ChunkPresence) is not None
    assert strict.capability(ChunkPresence) is None  # it would call fill what is lost


def test_completeness_cannot_be_asked_of_a_store_that_does_not_tell():
    box = Box.of(x=(0, 3), y=(0, 2), z=(0, 1))
    mute = SimpleNamespace(
        info=VolumeInfo("", np.dtype("<u1"), VolumeKind.IMAGE, (Scale("0", box, *[Vec3(2, 2, 2)] * 2, Vec3(0, 0, 0)),)),
        capability=lambda _: None,
    )
    stated = {"x": VolumeOverrides(absent_chunks="error")}
    governed = GovernedRemote(SimpleNamespace(open=lambda *_: mute), RemoteConfig(uri="mute://", volumes=stated))
    with pytest.raises(ConfigInvalid, match="absent"):
        governed.open(("x",), OpenOptions())


def test_what_the_operator_states_fills_in_what_the_store_does_not_say_and_is_no_longer_inferred():
    info = VolumeInfo("", np.dtype("<u4"), VolumeKind.UNKNOWN, (), inferred=("axes", "voxel_offset"))
    stated = stated_info(info, VolumeOverrides(kind="segmentation", axes="zyx"))
    assert stated.kind is VolumeKind.SEGMENTATION
    assert stated.inferred == ("voxel_offset",)
