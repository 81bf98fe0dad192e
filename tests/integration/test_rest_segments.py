"""Segments by REST against the labels that were written: listed, looked up, found; their meshes and skeletons as files.

Files are read back by trimesh and Google's Draco decoder.
"""

from __future__ import annotations

import io
import math

import DracoPy
import httpx
import numpy as np
import pytest
import trimesh

from support.bulk_meshes import APART, BIG, LARGE, OTHER, SIZE_NM, SMALL, START, registry_of, segmentation, stored
from support.gateways import suite_over
from support.kept_files import kept_volume, line, write_skeletons
from support.rest import on, problem_of, where
from support.servers import SAMPLES
from voxgate.model.geometry import Box

LABELS = segmentation()
WHOLE = Box.at(START, Box.of(x=(0, 87), y=(0, 61), z=(0, 38)).shape)
PART = Box.of(x=(3, 61), y=(27, 73), z=(303, 330))
SIZE = np.array([SIZE_NM.x, SIZE_NM.y, SIZE_NM.z])
FORMATS = ("obj", "ply", "stl", "glb", "drc")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    root = tmp_path_factory.mktemp("rest")
    (root / "lab").mkdir()
    stored(registry_of(root / "lab"), "lab/seg", LABELS)
    kept_volume(root / "kept", skeletons="skeletons")
    write_skeletons(root / "kept", [line(BIG, 3)], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], None)
    with suite_over({"lab": root / "lab", "kept": root, "samples": SAMPLES}) as url:
        yield url


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(base_url=url, timeout=120) as client:
        yield client


def ask(http, what, **parameters):
    return http.get(on("lab/seg", f"segments{what}"), params=parameters)


def inside(box: Box):
    return LABELS[box.slices_zyx(START)]


def counts_of(labels):
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    return {str(each): int(count) for each, count in zip(ids.tolist(), counts.tolist(), strict=True)}


def box_of(segment_id) -> dict[str, list[int]]:
    at = np.argwhere(segment_id == LABELS)[:, ::-1] + np.array(tuple(START))
    return {"start": at.min(0).tolist(), "stop": (at.max(0) + 1).tolist()}


@pytest.mark.parametrize("box", [PART, WHOLE])
def test_the_segments_of_a_box_are_those_that_were_written_there(http, box):
    told = ask(http, "", **where(box)).json()
    assert {each["id"]: each["voxel_count"] for each in told["segments"]} == counts_of(inside(box))
    assert told["box"] == {"start": list(box.start), "stop": list(box.stop)}
    assert (told["total_count"], told["next_page_token"]) == (len(counts_of(inside(box))), "")
    ids = [int(each["id"]) for each in told["segments"]]
    assert ids == sorted(ids)
    assert str(LARGE) in {each["id"] for each in told["segments"]}


def test_without_a_box_it_is_the_whole_scale(http):
    told = ask(http, "").json()
    assert {each["id"]: each["voxel_count"] for each in told["segments"]} == counts_of(LABELS)


def test_the_largest_come_first_page_by_page_where_that_is_wanted(http):
    found, token = [], ""
    while True:
        more = {"page_token": token} if token else {}
        page = ask(http, "", order="largest", page_size=2, **more).json()
        assert len(page["segments"]) <= 2
        found += page["segments"]
        token = page["next_page_token"]
        if not token:
            break
    counts = [each["voxel_count"] for each in found]
    assert counts == sorted(counts, reverse=True)
    assert {each["id"]: each["voxel_count"] for each in found} == counts_of(LABELS)


def test_ids_alone_have_no_counts(http):
    told = ask(http, "", counts="no", **where(PART)).json()
    assert {each["id"]: each["voxel_count"] for each in told["segments"]} == dict.fromkeys(counts_of(inside(PART)))


def test_each_point_has_the_segment_that_was_written_there(http):
    points = [
        tuple(np.argwhere(segment == LABELS)[0][::-1] + np.array(tuple(START))) for segment in (LARGE, BIG, OTHER)
    ]
    points.append((START.x, START.y, START.z))
    told = ask(http, "/at", points=";".join(",".join(map(str, point)) for point in points)).json()
    assert told["ids"] == [str(LARGE), str(BIG), str(OTHER), str(LABELS[0, 0, 0])]
    answer = ask(http, "/at", points="100000,0,0")
    assert problem_of(answer)["status"] == 404


@pytest.mark.parametrize("segment", [LARGE, BIG, OTHER, SMALL, APART])
def test_a_segment_is_where_it_was_written(http, segment):
    told = ask(http, f"/{segment}").json()
    assert told["id"] == str(segment)
    assert told["box"] == box_of(segment)
    assert told["is_exact"]
    assert told["voxel_count"] == int((segment == LABELS).sum())


@pytest.mark.parametrize("what", ["", "/mesh.ply"])
def test_a_segment_that_there_is_not_is_not_found(http, what):
    told = problem_of(ask(http, f"/{2**63 + 1}{what}"))
    assert (told["status"], told["reason"]) == (404, "SEGMENT_NOT_FOUND")


@pytest.mark.parametrize(
    ("what", "parameters", "field"),
    [
        (f"/{2**64}", {}, "segment"),
        ("/-1", {}, "segment"),
        ("/0x10", {}, "segment"),
        ("/007/mesh.ply", {}, "segment"),
        ("/12/mesh.off", {}, "format"),
        ("/12/mesh.ply", {"faces": "3"}, "faces"),
        ("/12/mesh.ply", {"max_error_nm": "0"}, "max_error_nm"),
        ("/12/mesh.ply", {"max_error_nm": "nan"}, "max_error_nm"),
        ("/12/mesh.ply", {"face": "100"}, "face"),
        ("/at", {"points": "1,2"}, "points"),
        ("/at", {"points": "1,2,3;"}, "points"),
        ("/at", {"points": ";".join(["1,2,3"] * 1001)}, "points"),
        ("", {"order": "smallest"}, "order"),
        ("", {"page_size": "0"}, "page_size"),
    ],
)
def test_what_means_nothing_is_refused_by_its_name(http, what, parameters, field):
    told = problem_of(ask(http, what, **parameters))
    assert (told["status"], told["details"]) == (400, {"field": field})


def test_background_images_and_boxes_outside_are_refused(http):
    assert problem_of(ask(http, "/0/mesh.ply"))["reason"] == "INVALID_SEGMENT_ID"
    assert problem_of(ask(http, "/0"))["reason"] == "INVALID_SEGMENT_ID"
    assert problem_of(ask(http, "", x="0:1000"))["status"] == 404
    assert problem_of(ask(http, "/12/mesh.ply", x="0:1000"))["status"] == 404
    assert problem_of(http.get(on("samples/fib25/em", "segments")))["reason"] == "MISSING_CAPABILITY"
    assert problem_of(http.get(on("samples/fib25/em", "segments/12/mesh.ply")))["reason"] == "MISSING_CAPABILITY"


def read_back(answer, fmt):
    """Vertices in nanometres, and triangles, of a file, by somebody else's reader."""
    assert answer.status_code == 200, answer.text
    if fmt == "drc":
        mesh = DracoPy.decode(answer.content)
        return trimesh.Trimesh(mesh.points, mesh.faces, process=True)
    mesh = trimesh.load(io.BytesIO(answer.content), file_type=fmt, force="mesh")
    if fmt == "glb":
        mesh.vertices = mesh.vertices * 1e9
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("segment", [LARGE, BIG])
def test_a_mesh_lies_around_its_segment_in_every_format(http, segment, fmt):
    answer = ask(http, f"/{segment}/mesh.{fmt}")
    mesh = read_back(answer, fmt)
    box = box_of(segment)
    assert np.allclose(mesh.bounds[0], np.array(box["start"]) * SIZE, atol=SIZE)
    assert np.allclose(mesh.bounds[1], np.array(box["stop"]) * SIZE, atol=SIZE)
    voxels = int((segment == LABELS).sum())
    assert mesh.volume == pytest.approx(voxels * math.prod(SIZE), rel=0.2)
    assert answer.headers["content-disposition"] == f'attachment; filename="seg-{segment}.{fmt}"'
    assert "content-length" not in answer.headers


def test_media_types_say_what_files_are(http):
    types = {fmt: ask(http, f"/{SMALL}/mesh.{fmt}").headers["content-type"] for fmt in FORMATS}
    assert types == {
        "obj": "model/obj",
        "ply": "model/ply",
        "stl": "model/stl",
        "glb": "model/gltf-binary",
        "drc": "application/octet-stream",
    }


def test_a_mesh_is_simplified_as_far_as_is_asked(http):
    whole = read_back(ask(http, f"/{LARGE}/mesh.ply"), "ply")
    few = read_back(ask(http, f"/{LARGE}/mesh.ply", faces=300), "ply")
    near = read_back(ask(http, f"/{LARGE}/mesh.ply", max_error_nm="5.5", scale=0), "ply")
    assert len(few.faces) <= 300 < len(near.faces) < len(whole.faces)
    assert near.volume == pytest.approx(whole.volume, rel=0.05)


def test_a_mesh_of_a_box_ends_at_its_border(http):
    mesh = read_back(ask(http, f"/{LARGE}/mesh.stl", **where(PART)), "stl")
    assert (mesh.bounds[0] >= np.array(tuple(PART.start)) * SIZE - SIZE).all()
    assert (mesh.bounds[1] <= np.array(tuple(PART.stop)) * SIZE + SIZE).all()
    assert mesh.is_watertight


def test_head_says_whether_there_is_a_mesh(http):
    found = http.head(on("lab/seg", f"segments/{BIG}/mesh.glb"))
    assert (found.status_code, found.content) == (200, b"")
    assert found.headers["content-type"] == "model/gltf-binary"
    assert http.head(on("lab/seg", f"segments/{2**63 + 1}/mesh.glb")).status_code == 404


def test_a_kept_skeleton_is_swc_in_nanometres(http):
    answer = http.get(on("kept/kept", f"segments/{BIG}/skeleton.swc"))
    assert answer.headers["content-type"].startswith("text/plain")
    rows = [each.split() for each in answer.text.splitlines() if each and not each.startswith("#")]
    expected = line(BIG, 3)
    assert np.allclose(sorted([float(v) for v in row[2:5]] for row in rows), sorted(expected.vertices.tolist()))
    assert [int(row[6]) for row in rows].count(-1) == 1
    assert problem_of(http.get(on("kept/kept", f"segments/{OTHER}/skeleton.swc")))["status"] == 404
