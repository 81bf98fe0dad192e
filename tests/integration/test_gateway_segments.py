"""Meshes, skeletons and segment properties over HTTP, made or kept, as cloud-volume reads them."""

from __future__ import annotations

import json
import struct
import threading

import httpx
import numpy as np
import pytest
from cloudvolume import CloudVolume

from support.gateways import suite_over
from support.kept_files import (
    ABSENT,
    BIG,
    OTHER,
    kept_volume,
    legacy_by_cloud_volume,
    line,
    surface,
    triangle_set,
    triangles_of,
    write_skeletons,
)
from support.servers import SAMPLES

BODY = 2491
SHIFTED = [1, 0, 0, -16, 0, 1, 0, 32, 0, 0, 1, 8]
PROPERTIES = {
    "@type": "neuroglancer_segment_properties",
    "inline": {
        "ids": [str(OTHER), str(BIG)],
        "properties": [
            {"id": "name", "type": "label", "values": ["DA1", "ü<b>"]},
            {"id": "kind", "type": "tags", "tags": ["left", "right"], "values": [[1], [0, 1]]},
            {"id": "size", "type": "number", "data_type": "uint32", "values": [7, 4294967295]},
        ],
    },
}


@pytest.fixture(scope="module")
def legacy_pieces():
    return [surface(1), surface(2)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory, legacy_pieces):
    root = tmp_path_factory.mktemp("kept")
    (root / "legacy").mkdir()
    kept_volume(root / "legacy", mesh="mesh", skeletons="skeletons", segment_properties="props")
    legacy_by_cloud_volume(root / "legacy", BIG, legacy_pieces)
    write_skeletons(root / "legacy", [line(BIG, 3), line(OTHER, 4)], SHIFTED, None)
    (root / "legacy/props").mkdir()
    (root / "legacy/props/info").write_text(json.dumps(PROPERTIES))
    return root


@pytest.fixture(scope="module")
def url(kept):
    with suite_over({"kept": kept, "samples": SAMPLES}) as url:
        yield f"{url}/ng"


@pytest.fixture(scope="module")
def http():
    with httpx.Client(timeout=120) as client:
        yield client


def volume(url: str, name: str) -> CloudVolume:
    return CloudVolume(f"precomputed://{url}/{name}/-", progress=False)


def test_a_mesh_that_is_made_when_it_is_asked_for_lies_around_its_segment(url):
    mesh = volume(url, "samples/fib25/seg").mesh.get(BODY)
    voxels = volume(url, "samples/fib25/seg")[:, :, :][..., 0] == BODY
    start = np.array(volume(url, "samples/fib25/seg").voxel_offset)
    inside = np.argwhere(voxels) + start
    size = np.array([10.0, 10.0, 10.0])
    assert np.allclose(mesh.vertices.min(0), inside.min(0) * size, atol=10)
    assert np.allclose(mesh.vertices.max(0), (inside.max(0) + 1) * size, atol=10)
    assert len(mesh.faces) > 1000


def test_a_mesh_of_an_id_above_2_to_the_63_of_flat_voxels_comes_too(url):
    ids = np.unique(np.asarray(volume(url, "samples/aniso/seg")[:, :, :]))
    assert int(ids[-1]) > 2**63
    assert len(volume(url, "samples/aniso/seg").mesh.get(int(ids[-1])).faces) > 4


def test_a_manifest_names_one_fragment_and_says_what_was_meshed(http, url):
    answer = http.get(f"{url}/samples/fib25/seg/-/mesh/{BODY}:0")
    told = answer.json()
    assert told["voxgate"] == {"origin": "computed", "scale": "10_10_10", "faces": told["voxgate"]["faces"]}
    assert answer.headers["x-voxgate-mesh"].startswith("origin=computed; scale=0")
    (fragment,) = told["fragments"]
    data = http.get(f"{url}/samples/fib25/seg/-/mesh/{fragment}").content
    (count,) = struct.unpack_from("<I", data)
    assert len(data) == 4 + 12 * count + 12 * told["voxgate"]["faces"]


def test_a_fragment_can_be_had_in_parts_and_only_once(http, url):
    path = f"{url}/samples/fib25/seg/-/mesh/{BODY}.ngmesh"
    whole = http.get(path)
    part = http.get(path, headers={"range": "bytes=-100"})
    assert (part.status_code, part.content) == (206, whole.content[-100:])
    assert http.get(path, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    assert http.head(path).headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"mesh/{ABSENT}:0", 404),
        (f"mesh/{ABSENT}.ngmesh", 404),
        ("mesh/0:0", 404),
        (f"mesh/{2**64}:0", 400),
        (f"mesh/{10**39}:0", 400),
        (f"mesh/{BODY}:1", 404),
        (f"mesh/{BODY}", 404),
        ("mesh/-5:0", 404),
        ("mesh/..", 404),
        ("mesh/%2e%2e%2finfo", 404),
        ("skeletons/0", 404),
        ("skeletons/x", 404),
        ("segment_properties/info", 404),
        ("mesh/٣:0", 404),
    ],
)
def test_what_is_no_segment_is_said_so_and_never_a_fault(http, url, path, status):
    answer = http.get(f"{url}/samples/aniso/seg/-/{path}")
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_an_image_has_none_of_these(http, url):
    assert not {"mesh", "skeletons", "segment_properties"} & set(http.get(f"{url}/samples/fib25/em/-/info").json())
    for name in ("mesh/info", "skeletons/info", "segment_properties/info"):
        assert http.get(f"{url}/samples/fib25/em/-/{name}").status_code == 404


def test_a_mesh_that_the_store_keeps_comes_as_it_is(http, url, legacy_pieces):
    expected = set()
    for vertices, faces in legacy_pieces:
        expected |= triangle_set(np.asarray(vertices, np.float32)[np.asarray(faces)])
    mesh = volume(url, "kept/legacy").mesh.get(BIG)
    assert triangles_of(mesh) <= expected
    assert len(mesh.faces) > 0
    assert "origin=stored" in http.get(f"{url}/kept/legacy/-/mesh/{BIG}:0").headers["x-voxgate-mesh"]


def test_a_skeleton_that_the_store_keeps_comes_in_nanometres_with_its_radii(url, kept):
    theirs = CloudVolume((kept / "legacy").as_uri(), progress=False).skeleton.get(BIG)
    ours = volume(url, "kept/legacy").skeleton.get(BIG)
    assert np.allclose(ours.physical_space(copy=True).vertices, theirs.physical_space(copy=True).vertices)
    assert np.array_equal(ours.edges, theirs.edges)
    assert np.allclose(ours.radius, theirs.radius)


@pytest.mark.parametrize(("name", "status"), [(str(2**64), 400), (str(ABSENT), 404), ("0", 404), ("x", 404)])
def test_what_is_no_skeleton_is_said_so(http, url, name, status):
    assert http.get(f"{url}/kept/legacy/-/skeletons/{name}").status_code == status


def test_skeletons_are_announced_only_where_they_can_be_made(http, url):
    """The tests' own environment has no skeletonizer: its library is under another licence."""
    assert "skeletons" not in http.get(f"{url}/samples/fib25/seg/-/info").json()
    assert "skeletons" in http.get(f"{url}/kept/legacy/-/info").json()


def test_properties_come_inline_with_their_ids_as_texts(http, url):
    assert http.get(f"{url}/kept/legacy/-/info").json()["segment_properties"] == "segment_properties"
    assert http.get(f"{url}/kept/legacy/-/segment_properties/info").json() == PROPERTIES


def test_many_who_ask_for_a_mesh_at_once_all_get_it(http, url):
    answers = []
    paths = [f"{url}/samples/fib25/seg/-/mesh/60683.ngmesh"] * 6
    threads = [threading.Thread(target=lambda p=path: answers.append(httpx.get(p, timeout=120))) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
