"""Stored multi-resolution meshes through the gateway: the store's own files, and what cloud-volume reads of them."""

from __future__ import annotations

import contextlib
import json
import shutil

import grpc
import httpx
import numpy as np
import pytest
from cloudvolume import CloudVolume

from support.bulk_meshes import APART, BIG, IDS, LARGE, OTHER, meshed
from support.emulators import gcs_emulator, s3_emulator
from support.gateways import suite_of
from support.kept_files import RAW_SHARDING, kept_volume, multires, triangle_set, write_multires
from support.peer_files import SHARDING
from support.servers import SAMPLES
from support.static_http import static_http
from voxgate.v1 import types_pb2, volume_pb2, volume_pb2_grpc
from voxgate_remotes.config import RemoteConfig

FORMS = ("files", "shards")
PLACES = ("here", "cached", "http", "s3", "gs", "chain", "chain-of-http")
ABSENT = 2**64 - 2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Bulk meshes in files and in shards, one without the voxels' own properties, and one that names properties."""
    root = tmp_path_factory.mktemp("volumes")
    for form in FORMS:
        meshed(root / form, sharded=form == "shards")
    shutil.copytree(root / "shards/seg", root / "named/seg")
    shutil.move(root / "named/seg/segment_properties", root / "named/seg/mesh/segment_properties")
    for file, change in (
        ("info", {"segment_properties": ""}),
        ("mesh/info", {"segment_properties": "segment_properties"}),
    ):
        path = root / "named/seg" / file
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return root


@pytest.fixture(scope="module")
def far(root):
    """The folder on a web server."""
    with static_http(root) as files:
        yield files


@pytest.fixture(scope="module")
def suite(root, far, tmp_path_factory):
    """The same volumes from all kinds of places, and one server before another."""
    with contextlib.ExitStack() as stack:
        remotes = {
            "here": RemoteConfig(uri=root.as_uri()),
            "cached": RemoteConfig(uri=root.as_uri(), cache={}),
            "http": RemoteConfig(uri=far.url),
            "samples": RemoteConfig(uri=SAMPLES.as_uri()),
        }
        for name, emulator in (("s3", s3_emulator), ("gs", gcs_emulator)):
            bucket = stack.enter_context(emulator(tmp_path_factory.mktemp(name) / "log"))
            bucket.upload(root, "lab")
            remotes[name] = bucket.config("lab")
        behind = stack.enter_context(suite_of(remotes))
        remotes["chain"] = RemoteConfig(uri=f"voxgate://{behind.server.address}/here")
        remotes["chain-of-http"] = RemoteConfig(uri=f"voxgate://{behind.server.address}/http")
        yield stack.enter_context(suite_of(remotes))


@pytest.fixture(scope="module")
def url(suite):
    return f"{suite.gateway.url}/ng"


@pytest.fixture(scope="module")
def http():
    with httpx.Client(timeout=120) as client:
        yield client


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_every_file_is_the_stores_own_whole_and_in_parts(http, url, root, place, form):
    files = sorted((root / form / "seg/mesh").iterdir())
    assert {path.name for path in files} >= ({"info", "3.shard"} if form == "shards" else {f"{LARGE}.index", str(BIG)})
    for path in files:
        data, address = path.read_bytes(), f"{url}/{place}/{form}/seg/-/mesh/{path.name}"
        whole = http.get(address, headers={"accept-encoding": "gzip"})
        assert (whole.status_code, whole.content) == (200, data)
        assert "content-encoding" not in whole.headers
        assert whole.headers["cache-control"] == "no-cache"
        head = http.head(address)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(data)))
        assert head.headers["etag"] == whole.headers["etag"]
        middle = len(data) // 2
        for asked, start, stop in (
            (f"{middle}-{middle + 6}", middle, middle + 7),
            ("5-", 5, len(data)),
            ("-9", -9, None),
        ):
            part = http.get(address, headers={"range": f"bytes={asked}", "accept-encoding": "gzip"})
            assert (part.status_code, part.content) == (206, data[start:stop])
            assert "content-encoding" not in part.headers
            assert part.headers["etag"] == whole.headers["etag"]
            first, last = (start % len(data), (stop or len(data)) - 1)
            # A store far away does not tell the length with a part.
            assert part.headers["content-range"] in (f"bytes {first}-{last}/{len(data)}", f"bytes {first}-{last}/*")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_cloud_volume_reads_every_level_as_it_does_from_the_files(url, root, place, form):
    theirs = CloudVolume((root / form / "seg").as_uri(), progress=False)
    ours = CloudVolume(f"precomputed://{url}/{place}/{form}/seg/-", progress=False)
    for segment_id in IDS:
        for level in range(2 if segment_id == LARGE else 1):
            there, here = (volume.mesh.get(segment_id, lod=level)[segment_id] for volume in (theirs, ours))
            assert len(here.faces) > 0
            assert np.array_equal(here.vertices, there.vertices)
            assert np.array_equal(here.faces, there.faces)


@pytest.mark.parametrize("sharding", [None, RAW_SHARDING, SHARDING], ids=["files", "raw shards", "gzip shards"])
def test_meshes_that_others_wrote_come_too(tmp_path, http, sharding):
    """Of many shards, hashed or not, with compressed indices and manifests."""
    ids = (OTHER, BIG, LARGE)
    kept_volume(tmp_path / "kept", mesh="mesh")
    write_multires(tmp_path / "kept", {each: multires(seed)[:2] for seed, each in enumerate(ids)}, sharding)
    with suite_of({"lab": RemoteConfig(uri=tmp_path.as_uri())}) as suite:
        url = f"{suite.gateway.url}/ng/lab/kept/-"
        ours, theirs = (
            CloudVolume(at, progress=False) for at in (f"precomputed://{url}", (tmp_path / "kept").as_uri())
        )
        for segment_id in ids:
            here, there = ours.mesh.get(segment_id)[segment_id], theirs.mesh.get(segment_id)[segment_id]
            assert np.array_equal(here.vertices, there.vertices)
            assert np.array_equal(here.faces, there.faces)
        assert http.get(f"{url}/mesh/info").content == (tmp_path / "kept/mesh/info").read_bytes()
        # The finest level as a legacy mesh, which `info` does not name.
        assert "origin=stored" in http.get(f"{url}/mesh/{OTHER}:0").headers["x-voxgate-mesh"]


def test_the_volume_names_its_meshes_and_says_that_there_are_files(http, suite, url):
    assert http.get(f"{url}/here/shards/seg/-/info").json()["mesh"] == "mesh"
    assert (
        http.get(f"{url}/here/shards/seg/-/mesh/info").json()["sharding"]["@type"] == "neuroglancer_uint64_sharded_v1"
    )
    stub = volume_pb2_grpc.VolumeServiceStub(grpc.insecure_channel(suite.server.address))
    for name, has_files in (("here/files/seg", True), ("chain/files/seg", True), ("samples/fib25/seg", False)):
        volume = stub.GetVolume(volume_pb2.GetVolumeRequest(volume=name)).volume
        assert (types_pb2.CAPABILITY_MESH_FILES in volume.capabilities) == has_files


def test_what_a_client_has_is_not_sent_again_and_a_range_of_another_file_is_answered_with_the_whole(http, url, root):
    address, data = f"{url}/http/shards/seg/-/mesh/3.shard", (root / "shards/seg/mesh/3.shard").read_bytes()
    etag = http.head(address).headers["etag"]
    for headers in ({}, {"range": "bytes=5-9"}, {"range": "bytes=-3"}):
        assert http.get(address, headers={**headers, "if-none-match": etag}).status_code == 304
    assert http.head(address, headers={"if-none-match": etag}).status_code == 304
    same = http.get(address, headers={"range": "bytes=5-9", "if-range": etag})
    assert (same.status_code, same.content) == (206, data[5:10])
    other = http.get(address, headers={"range": "bytes=5-9", "if-range": '"m-other"'})
    assert (other.status_code, other.content) == (200, data)


def test_a_file_that_is_replaced_has_another_tag(tmp_path, http, root):
    shutil.copytree(root / "files/seg", tmp_path / "seg")
    with suite_of({"lab": RemoteConfig(uri=tmp_path.as_uri())}) as suite:
        address = f"{suite.gateway.url}/ng/lab/seg/-/mesh/{OTHER}"
        before = http.get(address)
        path = tmp_path / "seg/mesh" / str(OTHER)
        path.with_suffix(".new").write_bytes(before.content[::-1])
        path.with_suffix(".new").replace(path)
        after = http.get(address, headers={"if-none-match": before.headers["etag"]})
        assert (after.status_code, after.content) == (200, before.content[::-1])


@pytest.mark.parametrize("place", ["here", "http", "s3", "chain-of-http"])
def test_ranges_at_and_past_the_end_are_cut_or_refused_with_the_length(http, url, root, place):
    address, data = f"{url}/{place}/shards/seg/-/mesh/3.shard", (root / "shards/seg/mesh/3.shard").read_bytes()
    for asked, status, expected in (
        (f"{len(data) - 3}-{len(data) + 10**9}", 206, data[-3:]),
        (f"0-{2**63}", 206, data),
        (f"-{10**18}", 206, data),
        (f"{len(data)}-", 416, None),
        (f"{len(data)}-{len(data) + 4}", 416, None),
        (f"{2**63 - 1}-{2**63 + 9}", 416, None),
        ("-0", 416, None),
        ("1-2,4-5", 200, data),
        ("9-3", 200, data),
    ):
        answer = http.get(address, headers={"range": f"bytes={asked}"})
        assert answer.status_code == status, asked
        if expected is None:
            assert answer.headers["content-range"] == f"bytes */{len(data)}"
        else:
            assert answer.content == expected


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (f"{ABSENT}.index", 404),
        (str(ABSENT), 404),
        ("abc.shard", 404),
        ("0.index", 404),
        ("0", 404),
        (f"{2**64}.index", 400),
        (str(10**39), 400),
        (f"{'9' * 300}.index", 404),
        (f"0{OTHER}", 404),
        ("-5.index", 404),
        ("٣.index", 404),
        ("..", 404),
        ("%2e%2e", 404),
        ("%2e%2e%2finfo", 404),
        ("..%2finfo", 404),
        ("..%5cinfo", 404),
        ("%252e%252e%252finfo", 404),
        ("info%00", 404),
        ("x/info", 404),
        ("..%2f..%2finfo/info", 404),
        ("segment_properties/info", 404),
        (".writing-x", 404),
    ],
)
@pytest.mark.parametrize("place", ["here", "http", "chain"])
def test_what_is_no_file_of_meshes_is_said_so(http, url, place, name, status):
    answer = http.get(f"{url}/{place}/files/seg/-/mesh/{name}")
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_segment_without_a_stored_mesh_has_none_for_readers_and_one_on_demand_for_who_asks(tmp_path, http, root):
    shutil.copytree(root / "files/seg", tmp_path / "seg")
    for name in (f"{APART}.index", str(APART)):
        (tmp_path / "seg/mesh" / name).unlink()
    with suite_of({"lab": RemoteConfig(uri=tmp_path.as_uri())}) as suite:
        url = f"{suite.gateway.url}/ng/lab/seg/-/mesh"
        answer = http.get(f"{url}/{APART}.index")
        assert (answer.status_code, answer.json()["error"]["remedy"]) == (
            404,
            "segments without a stored mesh have ID:0, made when it is asked for",
        )
        assert "origin=computed" in http.get(f"{url}/{APART}:0").headers["x-voxgate-mesh"]


@pytest.mark.parametrize("place", ["here", "http", "s3", "chain"])
def test_properties_that_the_meshes_name_are_found_below_them(http, url, root, place):
    address = f"{url}/{place}/named/seg/-/mesh"
    assert http.get(f"{address}/info").json()["segment_properties"] == "segment_properties"
    expected = (root / "named/seg/mesh/segment_properties/info").read_bytes()
    assert http.get(f"{address}/segment_properties/info").content == expected
    assert http.get(f"{address}/other/info").status_code == 404


@pytest.mark.parametrize("named", ["../../elsewhere", "/etc", "..", 7])
def test_properties_that_lead_elsewhere_are_refused(tmp_path, http, root, named):
    shutil.copytree(root / "files/seg", tmp_path / "lab/seg")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/info").write_text('{"secret": 1}')
    path = tmp_path / "lab/seg/mesh/info"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"segment_properties": named}))
    with suite_of({"lab": RemoteConfig(uri=(tmp_path / "lab").as_uri())}) as suite:
        asked = str(named).replace("/", "%2f").replace("..", "%2e%2e")
        answer = http.get(f"{suite.gateway.url}/ng/lab/seg/-/mesh/{asked}/info")
        assert answer.status_code in (403, 404)
        assert "secret" not in answer.text


def test_a_link_out_of_the_remote_is_refused_and_a_folder_is_no_file(tmp_path, http, root):
    shutil.copytree(root / "shards/seg", tmp_path / "lab/seg")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "lab/seg/mesh/a.shard").symlink_to(tmp_path / "secret")
    (tmp_path / "lab/seg/mesh/b.shard").mkdir()
    with suite_of({"lab": RemoteConfig(uri=(tmp_path / "lab").as_uri())}) as suite:
        url = f"{suite.gateway.url}/ng/lab/seg/-/mesh"
        assert http.get(f"{url}/a.shard").status_code == 403
        assert http.get(f"{url}/b.shard").status_code == 404


@pytest.mark.parametrize(
    ("place", "trouble"),
    [
        ("http", {"statuses": {r"3\.shard": 501}}),  # of a status that nobody asks for again, to be told at once
        ("chain-of-http", {"statuses": {r"3\.shard": 501}}),
        ("http", {"cut": r"3\.shard"}),
    ],
)
def test_a_store_that_is_down_or_breaks_off_is_503_and_comes_back(http, url, far, root, place, trouble):
    address = f"{url}/{place}/shards/seg/-/mesh/3.shard"
    data = (root / "shards/seg/mesh/3.shard").read_bytes()
    with troubled(far, **trouble):
        answer = http.get(address, headers={"range": "bytes=100-40000"})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert http.get(address, headers={"range": "bytes=100-40000"}).content == data[100:40001]


def test_meshes_whose_info_cannot_be_read_are_no_legacy_ones(http, url, far):
    with troubled(far, statuses={"mesh/info": 501}):
        assert http.get(f"{url}/http/files/seg/-/mesh/info").status_code == 503
    assert http.get(f"{url}/http/files/seg/-/mesh/info").json()["@type"] == "neuroglancer_multilod_draco"


@contextlib.contextmanager
def troubled(far, **knobs):
    """A web server in trouble, well again afterwards."""
    before = {name: getattr(far, name) for name in knobs}
    vars(far).update(knobs)
    try:
        yield
    finally:
        vars(far).update(before)


@pytest.mark.parametrize("is_far", [False, True])
def test_a_file_of_many_pieces_comes_whole_and_from_the_middle(tmp_path, http, root, is_far):
    shutil.copytree(root / "shards/seg", tmp_path / "seg")
    data = np.random.default_rng(1).bytes((9 << 20) + 5)
    (tmp_path / "seg/mesh/e.shard").write_bytes(data)
    with static_http(tmp_path) as files:
        with suite_of({"lab": RemoteConfig(uri=files.url if is_far else tmp_path.as_uri())}) as suite:
            address = f"{suite.gateway.url}/ng/lab/seg/-/mesh/e.shard"
            assert http.get(address).content == data
            assert http.get(address, headers={"range": "bytes=1048577-8388700"}).content == data[1048577:8388701]
            assert http.get(address, headers={"range": f"bytes=-{5 << 20}"}).content == data[-(5 << 20) :]
            with http.stream("GET", address) as answer:
                next(answer.iter_raw(1000))  # and hangs up
            assert http.head(address).headers["content-length"] == str(len(data))


def test_a_truncated_shard_has_the_bytes_that_are_left_and_never_others(tmp_path, http, root):
    shutil.copytree(root / "shards/seg", tmp_path / "seg")
    path = tmp_path / "seg/mesh/3.shard"
    data = path.read_bytes()
    path.write_bytes(data[:20_000])
    with suite_of({"lab": RemoteConfig(uri=tmp_path.as_uri())}) as suite:
        address = f"{suite.gateway.url}/ng/lab/seg/-/mesh/3.shard"
        part = http.get(address, headers={"range": "bytes=19000-30000"})
        assert (part.content, part.headers["content-range"]) == (data[19_000:20_000], "bytes 19000-19999/20000")
        assert http.get(address, headers={"range": "bytes=30000-30009"}).status_code == 416


def test_a_manifest_that_is_cut_short_is_an_error_and_no_mesh(tmp_path, http, root):
    shutil.copytree(root / "files/seg", tmp_path / "seg")
    path = tmp_path / f"seg/mesh/{OTHER}.index"
    path.write_bytes(path.read_bytes()[:-5])
    with suite_of({"lab": RemoteConfig(uri=tmp_path.as_uri())}) as suite:
        answer = http.get(f"{suite.gateway.url}/ng/lab/seg/-/mesh/{OTHER}.index")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (422, "CHUNK_CORRUPT")


def test_a_folder_without_info_is_of_legacy_meshes_and_finest_levels_come_as_such_on_demand(http, tmp_path):
    kept_volume(tmp_path / "kept", mesh="mesh")
    fragments, manifest, expected = multires(3)
    write_multires(tmp_path / "kept", {BIG: (fragments, manifest)})
    (tmp_path / "bare").mkdir()
    kept_volume(tmp_path / "bare", mesh="mesh")
    with suite_of({"lab": RemoteConfig(uri=tmp_path.as_uri())}) as suite:
        url = f"{suite.gateway.url}/ng/lab"
        assert http.get(f"{url}/bare/-/mesh/info").json() == {"@type": "neuroglancer_legacy_mesh"}
        assert http.get(f"{url}/bare/-/mesh/{BIG}.index").status_code == 404
        data = http.get(f"{url}/kept/-/mesh/{BIG}.ngmesh").content
        count = int.from_bytes(data[:4], "little")
        vertices = np.frombuffer(data, "<f4", 3 * count, 4).reshape(-1, 3)
        faces = np.frombuffer(data, "<u4", offset=4 + 12 * count).reshape(-1, 3)
        assert triangle_set(vertices[faces]) == triangle_set(expected)
