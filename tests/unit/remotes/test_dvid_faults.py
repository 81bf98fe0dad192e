"""What goes wrong between voxgate and a DVID server, each with the right error and the store's own words."""

from collections.abc import Iterator

import lz4.block
import numpy as np
import pytest

from support.dvid import DvidServer, dvid_server
from voxgate.model.errors import (
    ChunkCorrupt,
    LimitExceeded,
    MetadataInvalid,
    PathRefused,
    ReadOnly,
    StoreAccessDenied,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    UnsupportedFormat,
    VersionLocked,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentCounts, SegmentIdReservation, SegmentLookup, SegmentRuns
from voxgate.model.volumes import CallContext, OpenOptions
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.dvid import DvidRemote

ROOT = "ab" * 16
BOX = Box.of(x=(1, 30), y=(2, 13), z=(3, 16))
SETTINGS = {"BlockSize": "16,16,16", "Tags": "voxgate-bounds=0_0_0_32_16_16"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another at once."""
    monkeypatch.setattr("voxgate_remotes.http.session.backoff_s", lambda *_: 0.0)


@pytest.fixture
def server() -> Iterator[DvidServer]:
    with dvid_server() as running:
        running.store.add_repo(alias="cells", root=ROOT)
        running.store.add_instance(ROOT, "em", "uint8blk", **SETTINGS)
        running.store.add_instance(ROOT, "seg", "labelmap", **SETTINGS)
        yield running


@pytest.fixture
def remote(server: DvidServer) -> DvidRemote:
    return DvidRemote(RemoteConfig(uri=f"dvid://{server.url}", writable=True, options={"cache_seconds": 0}))


def opened(remote: DvidRemote, name: str = "em"):
    return remote.open(("cells", name), OpenOptions())


ANSWERS = {
    401: StoreAccessDenied,
    403: StoreAccessDenied,
    404: UnknownVolume,
    409: StoreRefused,
    413: LimitExceeded,
    500: StoreUnavailable,
    400: StoreRefused,
}


@pytest.mark.parametrize("status", ANSWERS)
@pytest.mark.parametrize("name", ["em", "seg"])
def test_each_status_is_its_error_with_the_words_of_the_store(
    remote: DvidRemote, server: DvidServer, name: str, status: int
):
    volume = opened(remote, name)
    server.fail_next(status, "the moon is in the wrong house (/api/node/x/em/raw).\n", only="/raw/")
    with pytest.raises(ANSWERS[status]) as caught:
        volume.read(BOX)
    assert "the moon is in the wrong house" in caught.value.message
    assert "/api/" not in str(caught.value)


SENTENCES = {
    "Cannot do POST on locked node abc": VersionLocked,
    "Server in read-only mode and will only accept GET and HEAD requests": ReadOnly,
    "Requested payload (9 bytes) exceeds this DVID server's set limit (8)": LimitExceeded,
    "invalid data instance name": UnknownVolume,
    "cannot store voxels in non-block aligned geometry": StoreRefused,
    "POST /maxlabel requires admin privileges": StoreAccessDenied,
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_of_a_400_the_sentence_decides(remote: DvidRemote, server: DvidServer, sentence: str):
    volume = opened(remote)
    server.fail_next(400, sentence, only="/raw/")
    with pytest.raises(SENTENCES[sentence]) as caught:
        volume.write(Box.of(x=(0, 16), y=(0, 16), z=(0, 16)), np.zeros((1, 16, 16, 16), "<u1"))
    assert sentence[:20] in caught.value.message


@pytest.mark.parametrize(("status", "error"), [(503, StoreUnavailable), (429, StoreBusy)])
def test_a_busy_store_is_asked_again_and_in_the_end_reported(
    remote: DvidRemote, server: DvidServer, status: int, error: type[VoxgateError]
):
    volume = opened(remote)
    server.fail_next(status, "Server already running maximum of 1 throttled operations", {"Retry-After": "0"}, times=2)
    assert not volume.read(BOX).any()
    server.fail_next(status, "busy", {"Retry-After": "0"}, times=100)
    with pytest.raises(error):
        volume.read(BOX)


def test_a_server_that_is_not_there_is_unavailable():
    with dvid_server() as gone:
        url = gone.url
    remote = DvidRemote(RemoteConfig(uri=f"dvid://{url}"))
    with pytest.raises(StoreUnavailable):
        remote.list(())
    nowhere = DvidRemote(RemoteConfig(uri="dvid://dvid.example.invalid:8000"))
    with pytest.raises(StoreUnavailable):
        nowhere.list(())


def test_a_redirect_to_a_private_address_is_refused(remote: DvidRemote, server: DvidServer):
    volume = opened(remote)
    server.redirect_next("http://169.254.169.254/latest/meta-data")
    with pytest.raises(PathRefused):
        volume.read(BOX)


@pytest.mark.parametrize("name", ["em", "seg"])
def test_an_answer_that_ends_too_early_is_never_voxels(remote: DvidRemote, server: DvidServer, name: str):
    volume = opened(remote, name)
    server.cut_next(5, only="/raw/", times=100)
    with pytest.raises(StoreUnavailable):
        volume.read(BOX)


@pytest.mark.parametrize("surplus", [-1, 1])
def test_images_of_another_length_are_corrupt(remote: DvidRemote, server: DvidServer, surplus: int):
    volume = opened(remote)
    server.answer_next(bytes(BOX.voxel_count + surplus), only="/raw/")
    with pytest.raises(ChunkCorrupt):
        volume.read(BOX)


def lz4_of(count: int) -> bytes:
    return lz4.block.compress(bytes(count), store_size=False)


@pytest.mark.parametrize("body", [lz4_of(8 * BOX.voxel_count - 8), lz4_of(8 * BOX.voxel_count + 8), b"\xff" * 40, b""])
def test_labels_of_another_length_and_no_labels_at_all_are_corrupt(remote: DvidRemote, server: DvidServer, body: bytes):
    volume = opened(remote, "seg")
    server.answer_next(body, only="/raw/")
    with pytest.raises(ChunkCorrupt):
        volume.read(BOX)


def test_an_answer_without_end_is_not_read_whole(remote: DvidRemote, server: DvidServer):
    volume = opened(remote)
    server.answer_next(bytes(1 << 20), only="/raw/")
    with pytest.raises((ChunkCorrupt, StoreUnavailable)):
        volume.read(Box.of(x=(0, 4), y=(0, 4), z=(0, 4)))


def test_a_read_that_fails_in_one_request_fails(
    remote: DvidRemote, server: DvidServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("voxgate_remotes.dvid.voxels.REQUEST_BYTES", 16**3)
    volume = opened(remote)
    server.fail_next(500, "Panic detected", only="/raw/0_1_2/14_")
    with pytest.raises(StoreUnavailable):
        volume.read(BOX)
    server.forget_faults()
    assert volume.read(BOX).shape == (1, *BOX.shape.zyx)


@pytest.mark.parametrize("kind", ["repos/info", "/info"])
@pytest.mark.parametrize("body", [b"<html>a proxy</html>", b"[", b"[1, 2]", b'{"Root": 5}'])
def test_descriptions_that_are_none_are_told_so(remote: DvidRemote, server: DvidServer, kind: str, body: bytes):
    server.answer_next(body, only=kind)
    with pytest.raises((MetadataInvalid, StoreUnavailable)):
        opened(remote)


DOCUMENTS = [
    b"{}",
    b'{"Base": {"Name": "em", "TypeName": "uint8blk"}, "Extended": {"BlockSize": [16, 16]}}',
    b'{"Base": {"Name": "em", "TypeName": "uint8blk"}, "Extended": {"BlockSize": [0, 16, 16]}}',
    b'{"Base": {"Name": "em", "TypeName": "uint8blk", "Tags": {"voxgate-bounds": "1_2_3"}}, '
    b'"Extended": {"BlockSize": [16, 16, 16]}}',
    b'{"Base": {"Name": "em", "TypeName": "uint8blk"}, "Extended": {"BlockSize": [16, 16, 16], '
    b'"MinPoint": [5, 5, 5], "MaxPoint": [2, 9, 9]}}',
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_an_instance_that_contradicts_itself_is_invalid(remote: DvidRemote, server: DvidServer, document: bytes):
    server.answer_next(document, only="/em/info")
    with pytest.raises(MetadataInvalid):
        opened(remote)


def test_types_that_are_no_volumes_say_so(remote: DvidRemote, server: DvidServer):
    typed = b'{"Base": {"Name": "em", "TypeName": "%s"}, "Extended": {"BlockSize": [16, 16, 16], "GridStore": "%s"}}'
    server.answer_next(typed % (b"rgba8blk", b""), only="/em/info")
    with pytest.raises(UnsupportedFormat, match="rgba8blk"):
        opened(remote)
    server.answer_next(typed % (b"uint8blk", b"gcs"), only="/em/info")
    with pytest.raises(UnsupportedFormat, match="outside"):
        opened(remote)
    server.store.add_instance(ROOT, "notes", "keyvalue")
    with pytest.raises(UnknownVolume, match="key-values"):
        opened(remote, "notes")


def test_answers_about_segments_that_are_none_are_refused(remote: DvidRemote, server: DvidServer):
    voxels = np.full((1, 16, 16, 32), 7, "<u8")
    opened(remote, "seg").write(Box.of(x=(0, 32), y=(0, 16), z=(0, 16)), voxels)
    seg = opened(remote, "seg")
    whole = seg.info.scales[0].bounds
    for body in (b"[1]", b"[1, 2, 3]", b'["7", 7]', b"[-1, 7]", b"[1.5, 7]", b"{}", b"[18446744073709551616, 7]"):
        server.answer_next(body, only="/labels")
        with pytest.raises(StoreUnavailable):
            seg.capability(SegmentLookup).segments_at([Vec3(1, 2, 3), Vec3(4, 5, 6)])
    pairs = {
        np.array([7, 1, 5, 1], "<u8").tobytes(): ChunkCorrupt,
        np.array([7, 1, 5], "<u8").tobytes(): ChunkCorrupt,
        np.array([7, 1, 0, 0, 0, 0], "<u8").tobytes(): StoreUnavailable,
    }
    for body, error in pairs.items():
        server.answer_next(body, only="/listlabels")
        with pytest.raises(error):
            seg.capability(SegmentCounts).counts_in(whole)
    for body in (b"{}", b'{"voxels": 1, "numblocks": 1, "minvoxel": [0, 0], "maxvoxel": [1, 1, 1]}'):
        server.answer_next(body, only="/sparsevol-size/")
        with pytest.raises(StoreUnavailable):
            seg.capability(SegmentRuns).segment_runs(7)
    server.answer_next(b"\0\3\0\0" + bytes(4) + b"\2\0\0\0" + bytes(16), only="/sparsevol/")
    with pytest.raises(ChunkCorrupt):
        list(seg.capability(SegmentRuns).segment_runs(7))
    for body in (b"{}", b'{"start": 5, "end": 9}', b'{"start": 0, "end": 2}'):
        server.answer_next(body, only="/nextlabel/")
        with pytest.raises(StoreUnavailable):
            seg.capability(SegmentIdReservation).reserve_segment_ids(3)


def test_ids_are_reserved_once_even_when_the_answer_is_lost(remote: DvidRemote, server: DvidServer):
    reservation = opened(remote, "seg").capability(SegmentIdReservation)
    server.cut_next(0, only="/nextlabel/")
    with pytest.raises(StoreUnavailable):
        reservation.reserve_segment_ids(2)
    assert len([path for path in server.paths("POST") if "nextlabel" in path]) == 1


def test_a_write_whose_answer_was_lost_is_sent_again_and_changes_nothing_more(remote: DvidRemote, server: DvidServer):
    seg = opened(remote, "seg")
    server.cut_next(0, only="/raw/")
    seg.write(Box.of(x=(0, 16), y=(0, 16), z=(0, 16)), np.full((1, 16, 16, 16), 5, "<u8"))
    counts = opened(remote, "seg").capability(SegmentCounts).counts_in(seg.info.scales[0].bounds)
    assert [(one.segment_id, one.voxel_count) for one in counts] == [(5, 16**3)]


def test_an_absent_block_is_zeros_and_a_broken_one_is_not(remote: DvidRemote, server: DvidServer):
    seg = opened(remote, "seg")
    block = Box.of(x=(0, 16), y=(0, 16), z=(0, 16))
    server.fail_next(400, "unable to get label block (0, 0, 0)", only="/raw/")
    assert not seg.read(block).any()
    server.fail_next(400, 'error on GET of labelmap "seg" label block @ (0, 0, 0)', only="/raw/")
    with pytest.raises(StoreRefused):
        seg.read(block)
    server.fail_next(400, "unable to get label block (0, 0, 0)", only="/raw/")
    with pytest.raises(StoreRefused):
        seg.read(BOX)


def test_tokens_are_sent_to_the_store_and_to_nobody_else(server: DvidServer):
    config = RemoteConfig(uri=f"dvid://{server.url}", credentials={"token": "s3cret-token"})
    remote = DvidRemote(config)
    opened(remote)
    assert {one.headers.get("Authorization") for one in server.requests} == {"Bearer s3cret-token"}
    server.fail_next(403, "no rights for s3cret-token", only="/info")
    with pytest.raises(StoreAccessDenied) as caught:
        DvidRemote(config).list(())
    assert "s3cret-token" not in str(caught.value)


def test_a_caller_who_left_stops_what_is_not_opening_too(remote: DvidRemote):
    context = CallContext()
    context.stop.set()
    with pytest.raises(VoxgateError) as caught:
        remote.for_caller(context).list(())
    assert caught.value.reason == "CANCELLED"
