"""Volumes behind a network that go away while they are believed: an error, never background."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import requests
import tensorstore as ts
from hypothesis import given
from hypothesis import strategies as st

from support.emulators import BUCKET, gcs_emulator, s3_emulator
from support.kept_files import kept_volume, legacy_by_cloud_volume, surface
from support.known_volumes import PATH
from support.n5_volumes import tensorstore_zstd
from support.precomputed_volumes import raw_pyramid, sharded
from support.static_http import static_http
from support.zarr_volumes import ome_v04, v2_plain_nested_with_a_fill_value, v3_sharded
from voxgate.model.errors import MetadataInvalid, StoreAccessDenied, StoreUnavailable, UnknownVolume, VersionMoved
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.skeletons import StoredMeshes
from voxgate.model.volumes import ChunkPresence, OpenOptions, Scale
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.objects import ObjectsRemote
from voxgate_remotes.objects import folders as seen
from voxgate_remotes.objects.cells import Corners

READ = [raw_pyramid, sharded, ome_v04, v2_plain_nested_with_a_fill_value, v3_sharded, tensorstore_zstd]
NAMES = tuple(PATH.split("/"))
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@pytest.fixture
def files(tmp_path):
    with static_http(tmp_path) as served:
        yield served


def believing(files, **options):
    return ObjectsRemote(RemoteConfig(uri=files.url, options={"believed_s": 3600, **options}))


def s3(files):
    options = {"endpoint": files.url, "anonymous": True, "believed_s": 3600}
    return ObjectsRemote(RemoteConfig(uri="s3://group", options=options))


def first_box(volume):
    """A small part of a volume, cut on all sides."""
    start = volume.info.scales[0].bounds.start
    return Box(start + Vec3(1, 2, 1), start + Vec3(5, 6, 3))


def first(volume):
    return volume.read(first_box(volume))


def documents_asked(files):
    return [path for _, path, *_ in files.asked if path.endswith("/info")]


@pytest.mark.parametrize("writer", READ)
def test_a_volume_that_was_removed_from_a_web_server_is_not_background(files, tmp_path, writer):
    writer(tmp_path / PATH)
    remote = believing(files)
    time = {"time_index": 0} if writer is ome_v04 else {}
    volume = remote.open(NAMES, OpenOptions(**time))
    first(volume)
    shutil.rmtree(tmp_path / "group")
    with pytest.raises(UnknownVolume, match="no longer there"):
        first(volume)
    with pytest.raises(UnknownVolume, match="there is no volume"):  # believed no longer
        remote.open(NAMES, OpenOptions())


@pytest.mark.parametrize("emulator", [s3_emulator, gcs_emulator])
def test_a_bucket_that_was_deleted_is_not_background(tmp_path, emulator):
    raw_pyramid(tmp_path / PATH)
    with emulator(tmp_path / "log") as store:
        store.upload(tmp_path / PATH, PATH)
        volume = ObjectsRemote(store.config(options={"believed_s": 3600})).open(NAMES, OpenOptions())
        assert first(volume).any()
        everything = ts.KvStore.open(store.kvstore(PATH)).result()
        everything.delete_range(ts.KvStore.KeyRange()).result()
        where = f"{store.url}/{BUCKET}" if store.kind == "s3" else f"{store.url}/storage/v1/b/{BUCKET}"
        requests.delete(where, timeout=20).raise_for_status()
        with pytest.raises(UnknownVolume, match="no longer there"):
            first(volume)


def test_a_volume_that_became_another_is_an_error_where_chunks_are_absent_and_then_opened_anew(files, tmp_path):
    (absent,) = raw_pyramid(tmp_path / PATH).scales[0].absent
    remote = believing(files)
    volume = remote.open(NAMES, OpenOptions())
    kind = volume.info.kind
    info = tmp_path / PATH / "info"
    info.write_text(info.read_text().replace('"segmentation"', '"image"'))
    with pytest.raises(VersionMoved, match="changed while it was read"):
        volume.read(absent)
    again = remote.open(NAMES, OpenOptions())
    assert again.info.kind is not kind
    assert not again.read(absent).any()


@pytest.mark.parametrize(
    "open_at",
    [lambda files: believing(files).open(NAMES, OpenOptions()), lambda files: s3(files).open(NAMES[1:], OpenOptions())],
)
def test_absent_chunks_cost_one_small_request_for_each_read_and_others_none(files, tmp_path, open_at):
    truth = raw_pyramid(tmp_path / PATH).scales[0]
    (absent,) = truth.absent
    volume = open_at(files)
    documents = [len(documents_asked(files))]
    for box in (replace(absent, stop=absent.start + Vec3(1, 1, 1)), truth.bounds, first_box(volume), first_box(volume)):
        volume.read(box)
        documents.append(len(documents_asked(files)))
    assert np.diff(documents).tolist() == [1, 1, 0, 0]


def test_a_document_that_we_may_no_longer_read_is_told(files, tmp_path):
    (absent,) = raw_pyramid(tmp_path / PATH).scales[0].absent
    volume = believing(files).open(NAMES, OpenOptions())
    files.statuses = {"/info$": 403}
    with pytest.raises(StoreAccessDenied, match="403"):
        volume.read(absent)
    files.statuses = {"/info$": 500}
    with pytest.raises(StoreUnavailable, match="500"):
        volume.read(absent)


def test_s3_that_denies_absent_chunks_is_an_error_that_says_which_right_is_missing(files, tmp_path):
    (absent,) = raw_pyramid(tmp_path / PATH).scales[0].absent
    volume = s3(files).open(NAMES[1:], OpenOptions())
    files.statuses, files.said = {r"4_5_40/": 403}, DENIED
    with pytest.raises(StoreAccessDenied, match=r"Access Denied.*s3:ListBucket"):
        volume.read(absent)


def test_what_else_is_absent_is_absent_of_a_volume_that_is_there(files, tmp_path):
    folder = tmp_path / PATH
    kept_volume(folder, mesh="mesh")
    legacy_by_cloud_volume(folder, 7, [surface(1)])
    volume = believing(files).open(NAMES, OpenOptions())
    meshes, presence = volume.capability(StoredMeshes), volume.capability(ChunkPresence)
    assert meshes.stored_mesh(8) is None
    assert presence.is_absent(volume.info.scales[0].bounds)
    shutil.rmtree(folder)
    with pytest.raises(UnknownVolume, match="no longer there"):
        meshes.stored_mesh(8)
    with pytest.raises(UnknownVolume, match="no longer there"):
        presence.is_absent(volume.info.scales[0].bounds)


def test_a_document_that_is_too_large_to_be_kept_is_known_again(files, tmp_path, monkeypatch):
    monkeypatch.setattr(seen, "_KEPT_BYTES", 10)
    raw_pyramid(tmp_path / PATH)
    remote = believing(files, believed_s=0)
    before = remote.open(NAMES, OpenOptions()).info
    assert remote.open(NAMES, OpenOptions()).info is before
    info = tmp_path / PATH / "info"
    info.write_text(info.read_text().replace('"segmentation"', '"image"'))
    assert remote.open(NAMES, OpenOptions()).info.kind is not before.kind


@pytest.mark.parametrize(
    "open_at",
    [lambda files: believing(files).open(NAMES, OpenOptions()), lambda files: s3(files).open(NAMES[1:], OpenOptions())],
)
def test_a_document_of_any_size_is_not_taken_into_memory(files, tmp_path, monkeypatch, open_at):
    raw_pyramid(tmp_path / PATH)
    with (tmp_path / PATH / "info").open("r+b") as info:
        info.truncate(3 << 20)
    monkeypatch.setattr(seen, "JSON_LIMIT_BYTES", 1 << 20)
    with pytest.raises(MetadataInvalid, match="larger than any metadata"):
        open_at(files)


def test_of_a_bucket_only_the_first_byte_too_many_is_asked_for(files, tmp_path, monkeypatch):
    raw_pyramid(tmp_path / PATH)
    with (tmp_path / PATH / "info").open("r+b") as info:
        info.truncate(3 << 20)
    monkeypatch.setattr(seen, "JSON_LIMIT_BYTES", 1 << 20)
    with pytest.raises(MetadataInvalid):
        s3(files).open(NAMES[1:], OpenOptions())
    ranges = {asked for _, path, asked, _ in files.asked if path.endswith("/info")}
    assert ranges == {f"bytes={1 << 20}-{1 << 20}"}


def test_documents_of_a_server_without_ranges_are_read(files, tmp_path):
    truth = raw_pyramid(tmp_path / PATH).scales[0]
    files.has_ranges = False
    volume = s3(files).open(NAMES[1:], OpenOptions())
    np.testing.assert_array_equal(volume.read(truth.bounds), truth.voxels)


@given(st.data())
def test_a_part_of_a_chunk_that_is_only_background_is_found_and_nothing_else(data):
    numbers = st.integers(-9, 9)
    sizes = st.tuples(*[st.integers(1, 4)] * 3)
    start, chunk, origin = Vec3(*(data.draw(numbers) for _ in range(3))), Vec3(*data.draw(sizes)), Vec3(3, -2, 5)
    box = Box.at(start, Vec3(*data.draw(st.tuples(*[st.integers(1, 7)] * 3))))
    value = data.draw(st.sampled_from([0.0, 7.0, float("nan")]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    voxels = rng.choice([value, 1.0], (2, *box.shape.zyx), p=[0.9, 0.1]).astype("<f4")
    parts = [voxels[(slice(None), *slices_in(box, cell))] for cell in grid_cells(box, chunk, origin)]
    expected = any(
        np.array_equal(part[c], np.full_like(part[c], value), equal_nan=True) for part in parts for c in (0, 1)
    )
    level = Scale("", box, chunk, chunk, origin)
    assert Corners(box, level).any_is_only(voxels, np.float32(value)) == expected


def slices_in(box, cell):
    return [slice(a - s, b - s) for a, b, s in zip(cell.start.zyx, cell.stop.zyx, box.start.zyx, strict=True)]
