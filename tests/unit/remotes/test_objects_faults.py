"""Stores behind a network that misbehave: what is told, in whose words, and what nobody gets to read."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from support.kept_files import TRANSFORM, kept_volume, legacy_by_cloud_volume, line, surface, write_skeletons
from support.known_volumes import PATH
from support.precomputed_volumes import gzip_by_cloud_volume, raw_pyramid
from support.scripted_http import closed_port
from support.static_http import static_http
from support.zarr_volumes import v2_blosc, v3_gzip, v3_sharded
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    DeadlineExceeded,
    MetadataInvalid,
    MissingCapability,
    PathRefused,
    ReadOnly,
    StoreAccessDenied,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.remotes import Deletable
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.volumes import CallContext, ChunkPresence, OpenOptions, Writable
from voxgate_remotes.config import CredentialsConfig, RemoteConfig
from voxgate_remotes.objects import ObjectsRemote
from voxgate_remotes.objects import sources as kv

EXPIRED = (
    b'<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
)
ELSEWHERE = b"<Error><Code>PermanentRedirect</Code><Message>Use the endpoint of eu-central-1.</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(kv, "RETRIES", {"max_retries": 2, "initial_delay": "20ms", "max_delay": "40ms"})
    monkeypatch.setattr("voxgate_remotes.objects.places.RETRIES", kv.RETRIES)


@pytest.fixture
def files(tmp_path):
    with static_http(tmp_path) as served:
        yield served


def web(files, **stated):
    return ObjectsRemote(RemoteConfig(uri=files.url, **stated))


def s3(files, **options):
    """The same files as a bucket of S3, whose plainest reads are GET requests, too."""
    options = {"endpoint": files.url, "anonymous": True, **options}
    return ObjectsRemote(RemoteConfig(uri="s3://group", options=options))


def opened(remote, *path, **options):
    return remote.open(path or ("group", "volume"), OpenOptions(**options))


def whole(volume):
    return volume.read(volume.info.scales[0].bounds)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, StoreAccessDenied),
        (403, StoreAccessDenied),
        (429, StoreBusy),
        (500, StoreUnavailable),
        (418, StoreRefused),
    ],
)
def test_what_a_web_server_answers_for_chunks_is_told(files, tmp_path, status, error):
    v3_gzip(tmp_path / PATH)
    volume = opened(web(files))
    files.statuses = {"/c/": status}
    with pytest.raises(error, match=str(status)) as told:
        whole(volume)
    assert files.address not in str(told.value)


def test_a_chunk_that_is_not_there_is_background(files, tmp_path):
    truth = v3_gzip(tmp_path / PATH).scales[0]
    (tmp_path / PATH / "c/0/0/0").unlink()
    expected = truth.voxels.copy()
    expected[:, :4, :6, :8] = 0
    volume = opened(web(files, volumes={PATH: {"voxel_offset": tuple(truth.start)}}))
    np.testing.assert_array_equal(whole(volume), expected)


def test_chunks_that_arrive_cut_short_are_no_voxels(files, tmp_path):
    v3_gzip(tmp_path / PATH)
    volume = opened(web(files))
    files.cut = "/c/"
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        whole(volume)


def test_a_chunk_that_is_stored_too_short_is_corrupt(files, tmp_path):
    truth = raw_pyramid(tmp_path / PATH).scales[0]
    chunk = next((tmp_path / PATH / "4_5_40").iterdir())
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(ChunkCorrupt, match=r"voxels x\["):
        opened(web(files)).read(truth.bounds)


def test_a_server_without_ranges_serves_no_shards(files, tmp_path):
    v3_sharded(tmp_path / PATH)
    volume = opened(web(files))
    files.has_ranges = False
    with pytest.raises(StoreRefused, match="whole files where parts are asked for"):
        whole(volume)


def test_redirects_of_chunks_are_not_followed(files, tmp_path):
    v3_gzip(tmp_path / PATH)
    volume = opened(web(files))
    files.redirects = {"/c/": "http://169.254.169.254/latest"}
    with pytest.raises(StoreRefused, match="redirects requests for voxels"):
        whole(volume)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/info", "file:///etc/x"])
def test_a_document_does_not_lead_into_the_network_of_the_server(files, tmp_path, target):
    raw_pyramid(tmp_path / PATH)
    files.redirects = {"/info$": target}
    with pytest.raises(PathRefused):
        opened(web(files))


def test_a_document_that_moved_on_the_same_server_is_found(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    (tmp_path / PATH / "info").rename(tmp_path / "moved")
    files.redirects = {"/info$": f"{files.url}/moved"}
    # What tensorstore opens it does not find there: told, not read as an empty volume.
    with pytest.raises(VoxgateError, match="redirect"):
        opened(web(files))


def test_pages_for_people_are_no_metadata(files, tmp_path):
    for name in ("info", "zarr.json", ".zarray", ".zattrs"):
        (tmp_path / name).write_text("<!doctype html><title>Not found</title>")
    with pytest.raises(UnknownVolume):
        web(files).open((), OpenOptions())


def test_half_a_document_is_an_error(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    info = tmp_path / PATH / "info"
    info.write_bytes(info.read_bytes()[:-20])
    with pytest.raises(MetadataInvalid, match="truncated"):
        opened(web(files))


def test_two_formats_in_one_folder_are_refused(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    v3_gzip(tmp_path / PATH)
    with pytest.raises(UnsupportedFormat, match="at once"):
        opened(web(files))


@pytest.mark.parametrize("key", ["../other", "/etc", "4_5_40/../../x", "a//b"])
def test_metadata_leads_nowhere_else(files, tmp_path, key):
    raw_pyramid(tmp_path / PATH)
    info = tmp_path / PATH / "info"
    info.write_text(info.read_text().replace("4_5_40", key))
    with pytest.raises(PathRefused):
        opened(web(files))


@pytest.mark.parametrize("path", [("..",), ("a", "."), ("a/b",), ("",), ("a\\b",), ("a\x00",)])
def test_names_are_plain_names(files, path):
    with pytest.raises(PathRefused):
        web(files).open(path, OpenOptions())
    assert not files.asked


def test_gzip_of_the_transfer_is_undone(files, tmp_path):
    truth = gzip_by_cloud_volume(tmp_path / PATH).scales[0]
    files.gzip = True
    np.testing.assert_array_equal(opened(web(files)).read(truth.bounds), truth.voxels)


def test_a_token_is_sent_and_never_shown(files, tmp_path):
    truth = raw_pyramid(tmp_path / PATH).scales[0]
    files.token = "s3cret-of-the-lab"
    remote = web(files, credentials=CredentialsConfig(token="s3cret-of-the-lab"))
    volume = opened(remote)
    np.testing.assert_array_equal(volume.read(truth.bounds), truth.voxels)
    assert {said for *_, said in files.asked} == {"Bearer s3cret-of-the-lab"}
    shown = [repr(each) for each in (remote, volume, volume._inner, *remote._kept.values())]
    files.token = "another"
    with pytest.raises(StoreAccessDenied) as told:
        whole(volume)
    assert not any("s3cret" in text for text in [*shown, str(told.value), repr(told.value.__cause__)])


def test_a_token_that_was_replaced_is_used(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    secret = tmp_path / "token"
    secret.write_text("first")
    files.token = "first"
    remote = web(files, credentials=CredentialsConfig(token_file=str(secret)), options={"believed_s": 0})
    opened(remote)
    secret.write_text("second")
    files.token = "second"
    assert whole(opened(remote)).any()


def test_a_volume_is_believed_for_a_while_and_then_looked_at_again(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    believing, doubting = web(files, options={"believed_s": 3600}), web(files, options={"believed_s": 0})
    kind = opened(believing).info.kind
    assert opened(doubting).info is opened(doubting).info
    info = tmp_path / PATH / "info"
    info.write_text(info.read_text().replace('"segmentation"', '"image"'))
    asked = len(files.asked)
    assert opened(believing).info.kind is kind
    assert len(files.asked) == asked
    assert opened(doubting).info.kind is not kind
    info.unlink()
    with pytest.raises(UnknownVolume):
        opened(doubting)


def test_a_web_server_lists_nothing_and_takes_nothing(files, tmp_path):
    raw_pyramid(tmp_path)
    remote = web(files, writable=True)
    assert remote.list(()) == []
    volume = remote.open((), OpenOptions())
    assert volume.capability(Writable) is None
    assert volume.capability(ChunkPresence) is not None
    assert not any(scale.writable for scale in volume.info.scales)
    with pytest.raises(MissingCapability, match="does not list"):
        remote.list(("group",))
    with pytest.raises(ReadOnly):
        remote.create(("new",), None)
    assert remote.capability(Deletable) is None


def test_who_waits_too_long_stops_waiting(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    remote = web(files)
    opened(remote)
    files.held.clear()
    with pytest.raises(DeadlineExceeded):
        whole(opened(remote, context=CallContext(deadline=time.monotonic() + 0.3)))
    with pytest.raises(DeadlineExceeded):
        opened(web(files), context=CallContext(deadline=time.monotonic() + 0.3))
    gone = threading.Event()
    threading.Timer(0.2, gone.set).start()
    with pytest.raises(Cancelled):
        whole(opened(remote, context=CallContext(stop=gone)))


def test_a_bucket_that_is_held_back_is_not_waited_for(files, tmp_path):
    raw_pyramid(tmp_path / PATH)
    files.held.clear()
    with pytest.raises(DeadlineExceeded):
        opened(s3(files), "volume", context=CallContext(deadline=time.monotonic() + 0.3))


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (403, DENIED, StoreAccessDenied, "AccessDenied: Access Denied"),
        (400, EXPIRED, StoreAccessDenied, "ExpiredToken: The provided token has expired"),
        (301, ELSEWHERE, StoreRefused, "PermanentRedirect: Use the endpoint of eu-central-1"),
        (503, b"<Error><Code>SlowDown</Code><Message>Please.</Message></Error>", StoreBusy, "SlowDown: Please"),
        (500, b"", StoreUnavailable, "500"),
    ],
)
def test_what_s3_says_is_repeated(files, tmp_path, status, said, error, words):
    v2_blosc(tmp_path / PATH)
    volume = s3(files).open(("volume",), OpenOptions())
    files.statuses, files.said = {r"/\d\.\d\.\d$": status}, said
    with pytest.raises(error, match=words) as told:
        whole(volume)
    assert files.address not in str(told.value)
    files.statuses = {"": status}
    with pytest.raises(error, match=words) as told:
        s3(files).open(("volume",), OpenOptions())
    assert files.address not in str(told.value)


def test_a_store_that_denies_what_is_not_there_is_read(files, tmp_path):
    """Without the right to list, S3 answers 403 for objects that do not exist."""
    truth = raw_pyramid(tmp_path / PATH).scales[0]
    files.statuses, files.said = {r"zarr|\.zattrs|attributes": 403}, DENIED
    volume = s3(files).open(("volume",), OpenOptions())
    np.testing.assert_array_equal(volume.read(truth.bounds), truth.voxels)
    with pytest.raises(StoreAccessDenied, match="Access Denied"):
        s3(files).open(("nothing",), OpenOptions())


def test_a_server_that_is_not_there_is_unavailable():
    remote = ObjectsRemote(
        RemoteConfig(uri="s3://lab", options={"endpoint": f"http://127.0.0.1:{closed_port()}", "anonymous": True})
    )
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        remote.open(("volume",), OpenOptions())


def test_absent_chunks_of_a_web_server_are_told_from_background(files, tmp_path):
    truth = raw_pyramid(tmp_path / PATH).scales[0]
    presence = opened(web(files)).capability(ChunkPresence)
    (absent,) = truth.absent
    assert presence.is_absent(absent)
    assert not presence.is_absent(replace(absent, stop=truth.bounds.stop))
    files.statuses = {"4_5_40/": 403}
    with pytest.raises(StoreAccessDenied):
        presence.is_absent(absent)


def test_what_is_kept_beside_voxels_comes_over_http_and_its_refusals_are_told(files, tmp_path):
    folder = tmp_path / "kept"
    kept_volume(folder, mesh="mesh", skeletons="skeletons")
    (folder / "skeletons").mkdir()
    legacy_by_cloud_volume(folder, 7, [surface(1)])
    write_skeletons(folder, [line(7, 1)], TRANSFORM, None)
    volume = opened(web(files), "kept")
    meshes, skeletons = volume.capability(StoredMeshes), volume.capability(StoredSkeletons)
    assert len(meshes.stored_mesh(7).vertices) == len(surface(1)[0])
    assert len(skeletons.stored_skeleton(7).vertices) > 1
    assert (meshes.stored_mesh(8), skeletons.stored_skeleton(8)) == (None, None)
    files.statuses = {"/mesh/7": 403, "/skeletons/7": 403}
    for ask in (meshes.stored_mesh, skeletons.stored_skeleton):
        with pytest.raises(StoreAccessDenied, match="403"):
            ask(7)
