import datetime
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import zarr

from support.emulators import Emulator, s3_emulator
from support.transfers import BOXES, SIZES, fill_source, source_spec, voxels_of_scale
from voxgate.model.errors import MetadataInvalid, UnknownVolume, VersionMoved
from voxgate.model.provenance import KeepsProvenance, Provenance
from voxgate.model.volumes import ChunkPresence, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
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


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory):
    with s3_emulator(tmp_path_factory.mktemp("s3") / "log") as emulator:
        yield emulator


def in_bucket(emulator: Emulator, name: str, **options: float) -> Registry:
    """A remote of its own, believing nothing for longer than it is told."""
    stated = {"conditional_writes": True, "believed_s": 0.0, **options}
    config = emulator.config("kept", writable=True, format=name, options=stated)
    return Registry.from_config(RemotesConfig(remotes={"far": config}))


def far_entries(emulator: Emulator, name: str, path: str) -> list:
    store = ts.KvStore.open(emulator.kvstore(f"kept/{path}")).result()
    key = {"precomputed": "provenance", "zarr2": ".zattrs", "zarr3": "zarr.json"}[name]
    found = json.loads(store.read(key).result().value)
    if name == "precomputed":
        assert found["sources"] == ["a/seg@3fa", "c/em"]
        return found["processing"]
    return (found["attributes"] if name == "zarr3" else found)["voxgate_provenance"]


@pytest.mark.parametrize("name", ["precomputed", "zarr2", "zarr3"])
def test_volumes_in_a_bucket_keep_entries_and_who_has_one_open_goes_on_reading_and_writing_it(bucket, name: str):
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOXES[2], SIZES[2]),))
    in_bucket(bucket, name).create(f"far/{name}", spec)
    reader, keeper = (in_bucket(bucket, name, believed_s=600.0).open(f"far/{name}") for _ in range(2))
    looking = in_bucket(bucket, name)
    seen = looking.open(f"far/{name}").info
    kept = keeper.capability(KeepsProvenance)
    assert kept is not None
    for entry in (ENTRY, OTHER, replace(ENTRY, checksum="cd" * 32)):
        kept.keep_provenance(entry)
        for _ in range(2):
            assert not reader.read(BOXES[2]).any()
            assert looking.open(f"far/{name}").info is seen
    found = far_entries(bucket, name, name)
    assert [each["id"] for each in found] == [OTHER.key, ENTRY.key]
    assert "cd" * 32 in json.dumps(found[1])
    presence, writer = reader.capability(ChunkPresence), reader.capability(Writable)
    assert presence is not None
    assert writer is not None
    assert presence.is_absent(BOXES[2])
    writer.write(BOXES[2], voxels_of_scale(2))
    assert (in_bucket(bucket, name).open(f"far/{name}").read(BOXES[2]) == voxels_of_scale(2)).all()
    assert far_entries(bucket, name, name) == found


@pytest.mark.parametrize("name", ["zarr2", "zarr3"])
def test_a_bare_array_in_a_bucket_keeps_entries_too_and_its_chunks_are_still_told_apart(bucket, name: str):
    path = f"bare-{name}"
    where = {"driver": "s3", **bucket.kvstore(f"kept/{path}")}
    driver = {"zarr2": "zarr", "zarr3": "zarr3"}[name]
    shape, chunk = [9, 7, 5], [4, 4, 4]
    metadata = (
        {"shape": shape, "chunks": chunk, "dtype": "<u8", "compressor": None}
        if name == "zarr2"
        else {
            "shape": shape,
            "data_type": "uint64",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        }
    )
    ts.open({"driver": driver, "kvstore": where, "metadata": metadata, "create": True}).result()
    first = in_bucket(bucket, name).open(f"far/{path}").capability(KeepsProvenance)
    assert first is not None
    first.keep_provenance(ENTRY)
    volume = in_bucket(bucket, name, believed_s=600.0).open(f"far/{path}")
    kept, presence = volume.capability(KeepsProvenance), volume.capability(ChunkPresence)
    assert kept is not None
    assert presence is not None
    kept.keep_provenance(replace(ENTRY, checksum="cd" * 32))
    assert [each["checksum"] for each in far_entries(bucket, name, path)] == ["cd" * 32]
    bounds = volume.info.scales[0].bounds
    assert presence.is_absent(bounds)
    assert not volume.read(bounds).any()


@pytest.mark.parametrize("name", ["precomputed", "zarr2", "zarr3"])
def test_a_volume_in_a_bucket_that_was_changed_is_another_one_all_the_same(bucket, name: str):
    path = f"changed-{name}"
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOXES[2], SIZES[2]),))
    in_bucket(bucket, name).create(f"far/{path}", spec)
    volume = in_bucket(bucket, name, believed_s=600.0).open(f"far/{path}")
    store = ts.KvStore.open(bucket.kvstore(f"kept/{path}")).result()
    key = {"precomputed": "info", "zarr2": ".zattrs", "zarr3": "zarr.json"}[name]
    found = json.loads(store.read(key).result().value)
    store.write(key, json.dumps({**found, "by": "somebody else"}).encode()).result()
    with pytest.raises(VersionMoved):
        volume.read(BOXES[2])
    store.delete_range(ts.KvStore.KeyRange()).result()
    kept = in_bucket(bucket, name).create(f"far/{path}", spec).capability(KeepsProvenance)
    assert kept is not None
    store.delete_range(ts.KvStore.KeyRange()).result()
    with pytest.raises(UnknownVolume):
        kept.keep_provenance(ENTRY)
    assert not store.list().result()
