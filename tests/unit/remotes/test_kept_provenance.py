import datetime
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import zarr

from support.emulators import s3_emulator
from support.transfers import BOXES, SIZES, fill_source, source_spec, voxels_of_scale
from voxgate.model.errors import MetadataInvalid
from voxgate.model.provenance import KeepsProvenance, Provenance
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

ENTRY = Provenance(
    "voxgate transfer", ("a/seg@3fa",), '{"box":null}', "voxgate 1.2.3", "ab" * 32,
    datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC),
)  # fmt: skip
OTHER = replace(ENTRY, sources=("c/em",))


def registry(folder: Path, name: str, *, writable: bool = True) -> Registry:
    config = RemoteConfig(uri=f"file://{folder}", writable=writable, format=name)
    return Registry.from_config(RemotesConfig(remotes={"files": config}))


def keeper(folder: Path, name: str) -> KeepsProvenance:
    remote = registry(folder, name)
    fill_source(remote, "files/seg", source_spec(None))
    found = remote.open("files/seg", OpenOptions()).capability(KeepsProvenance)
    assert found is not None
    return found


def entries(folder: Path, name: str) -> list:
    if name == "precomputed":
        return json.loads((folder / "seg/provenance").read_text())["processing"]
    return list(zarr.open_group(folder / "seg", mode="r").attrs["voxgate_provenance"])


@pytest.mark.parametrize("name", ["precomputed", "zarr2", "zarr3"])
def test_entries_are_kept_beside_the_voxels_once_each_and_the_volume_stays_what_it_is(tmp_path: Path, name: str):
    kept = keeper(tmp_path, name)
    before = registry(tmp_path, name).open("files/seg").info
    for entry in (ENTRY, OTHER, replace(ENTRY, checksum="cd" * 32)):
        kept.keep_provenance(entry)
    found = entries(tmp_path, name)
    assert [each["id"] for each in found] == [OTHER.key, ENTRY.key]
    assert "cd" * 32 in json.dumps(found[1])
    after = registry(tmp_path, name).open("files/seg")
    assert after.info == before
    assert (after.read(after.info.scales[1].bounds, scale=1) == voxels_of_scale(1)).all()


def test_what_people_wrote_into_a_provenance_file_stays(tmp_path: Path):
    kept = keeper(tmp_path, "precomputed")
    theirs = {"description": "fib", "owners": ["ada@example.org"], "sources": ["a/seg@3fa"], "processing": [{"x": 1}]}
    (tmp_path / "seg/provenance").write_text(json.dumps(theirs))
    kept.keep_provenance(ENTRY)
    found = json.loads((tmp_path / "seg/provenance").read_text())
    assert {key: found[key] for key in ("description", "owners", "sources")} == {
        key: theirs[key] for key in ("description", "owners", "sources")
    }
    assert found["processing"][0] == {"x": 1}
    (tmp_path / "seg/provenance").write_text('{"processing": "by hand"}')
    with pytest.raises(MetadataInvalid):
        kept.keep_provenance(ENTRY)
    assert (tmp_path / "seg/provenance").read_text() == '{"processing": "by hand"}'


def test_a_remote_without_writes_keeps_none(tmp_path: Path):
    keeper(tmp_path, "zarr3")
    assert registry(tmp_path, "zarr3", writable=False).open("files/seg").capability(KeepsProvenance) is None


def test_precomputed_volumes_in_a_bucket_keep_entries_and_zarr_there_stays_what_readers_have_open(tmp_path: Path):
    with s3_emulator(tmp_path / "log") as emulator:
        remotes = {
            name: emulator.config(name, writable=True, format=name, options={"conditional_writes": True})
            for name in ("precomputed", "zarr3")
        }
        registry = Registry.from_config(RemotesConfig(remotes=remotes))
        spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOXES[2], SIZES[2]),))
        volumes = {name: registry.create(f"{name}/seg", spec) for name in remotes}
        assert volumes["zarr3"].capability(KeepsProvenance) is None
        kept = volumes["precomputed"].capability(KeepsProvenance)
        assert kept is not None
        for entry in (ENTRY, OTHER, replace(ENTRY, checksum="cd" * 32)):
            kept.keep_provenance(entry)
        store = ts.KvStore.open(emulator.kvstore("precomputed/seg")).result()
        found = json.loads(store.read("provenance").result().value)
        assert [each["id"] for each in found["processing"]] == [OTHER.key, ENTRY.key]
        assert found["sources"] == ["a/seg@3fa", "c/em"]
        assert not volumes["precomputed"].read(BOXES[2]).any()
