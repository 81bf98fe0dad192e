"""What the clients make of answers that the real server does not give on demand: odd floats, broken streams."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from languages.programs import Client, without_comments
from languages.scripted import UNKNOWN_FIELD, ScriptedMeshes, end, message, part, serving

from voxgate.model.errors import LimitExceeded, StoreUnavailable, Unauthenticated
from voxgate.model.meshes import Mesh
from voxgate.v1 import mesh_pb2 as pb

pytestmark = pytest.mark.full

HUGE_ID = 2**63 + 2**53 + 1
EVERYTHING = slice(0, None)


@pytest.fixture
def meshes() -> ScriptedMeshes:
    return ScriptedMeshes()


@pytest.fixture
def address(meshes: ScriptedMeshes) -> Iterator[str]:
    for port in serving(meshes, lambda server: server.add_insecure_port("127.0.0.1:0")):
        yield f"127.0.0.1:{port}"


def surface(vertices: npt.NDArray[np.float32], face_count: int = 20, *, normals: bool = False) -> Mesh:
    """Some faces over the given vertices, which need not make sense as a surface."""
    faces = np.random.default_rng(5).integers(0, len(vertices), (face_count, 3)).astype("<u4")
    return Mesh(HUGE_ID, vertices, faces, normals=-vertices if normals else None)


def small(*, normals: bool = False) -> Mesh:
    return surface(np.random.default_rng(7).normal(0, 1e5, (50, 3)).astype("<f4"), normals=normals)


def whole(mesh: Mesh) -> pb.GetMeshesResponse:
    return message(part(mesh, EVERYTHING, EVERYTHING), end(mesh))


def sdk_obj(mesh: Mesh, folder: pathlib.Path) -> list[str]:
    """What the SDK saves."""
    mesh.save(folder / "sdk.obj")
    return without_comments(folder / "sdk.obj")


def odd_floats() -> npt.NDArray[np.float32]:
    """Numbers whose nine digits are hard: any bits, ties between two decimals, and where exponents begin."""
    dice = np.random.default_rng(11)
    bits = dice.integers(0, 2**32, 90_000, dtype=np.uint32).view(np.float32)
    ties = [
        (dice.integers(10 ** (9 - k), min(10 ** (10 - k), 2 ** (24 - k)), 900) * 2**k + odd) / 2**k
        for k in range(3, 10)
        for odd in (1, 3, 5, 7)
    ]
    # Around the powers of ten, where the number of digits before the point and the notation change.
    powers = np.float32(10.0) ** np.arange(-45, 39, dtype=np.float32)
    edges = [np.nextafter(powers, np.float32(to)) for to in (0, np.inf)]
    zeros = np.array([0.0, -0.0, 1e9, 999999999, 123456792, 1234567890, 1e-4, 1e-5], np.float32)
    some = np.concatenate([bits, np.concatenate(ties).astype(np.float32), powers, *edges, zeros])
    every = np.concatenate([some, -some])
    every = every[np.isfinite(every)]
    return np.ascontiguousarray(every[: len(every) // 3 * 3].reshape(-1, 3))


def test_every_float_is_written_as_the_sdk_writes_it(client: Client, meshes: ScriptedMeshes, address: str) -> None:
    mesh = surface(odd_floats())
    texts = ["%.9g" % number for number in mesh.vertices.ravel().tolist()]  # noqa: UP031  (what is under test)
    assert {"-0", "100000", "1e+09", "9.99999975e-06", "9.99999975e-05", "123456792", "1.23456794e+09"} <= set(texts)
    assert "100000.062" in {"%.9g" % np.float32(100000.0625)}  # noqa: UP031  (a tie: not .063)
    cuts = list(range(0, len(mesh.vertices), 40_000))
    parts = [message(part(mesh, slice(cut, cut + 40_000), slice(0, 0))) for cut in cuts]
    last = slice(len(mesh.vertices), len(mesh.vertices))
    meshes.answer = [*parts, message(part(mesh, last, EVERYTHING)), message(end(mesh))]
    assert client.obj(address, "any/seg", str(HUGE_ID)) == sdk_obj(mesh, client.folder)


def test_parts_are_appended_and_progress_is_passed_over(client: Client, meshes: ScriptedMeshes, address: str) -> None:
    mesh = small()
    early = np.flatnonzero((mesh.faces < 30).all(axis=1))
    mesh = Mesh(mesh.segment_id, mesh.vertices, np.concatenate([mesh.faces[early], np.delete(mesh.faces, early, 0)]))
    first = part(mesh, slice(0, 30), slice(0, len(early)))
    second = part(mesh, slice(30, 50), slice(len(early), None))
    waiting = pb.GetMeshesResponse()
    waiting.progress.SetInParent()
    meshes.answer = [waiting, message(first), waiting, message(second), message(end(mesh))]
    assert client.obj(address, "any/seg", str(HUGE_ID)) == sdk_obj(mesh, client.folder)
    assert list(meshes.specs[0].segment_ids) == [HUGE_ID]
    assert meshes.specs[0].volume == "any/seg"


def test_normals_between_vertices_and_faces_are_saved_beside_them(
    client: Client, meshes: ScriptedMeshes, address: str
) -> None:
    mesh = small(normals=True)
    meshes.answer = [whole(mesh)]
    assert client.obj(address, "any/seg", str(HUGE_ID), "--normals") == sdk_obj(mesh, client.folder)
    assert [spec.normals for spec in meshes.specs] == [True]


def test_fields_of_a_later_release_are_passed_over(client: Client, meshes: ScriptedMeshes, address: str) -> None:
    mesh = small()
    piece = pb.MeshPart.FromString(part(mesh, EVERYTHING, EVERYTHING).SerializeToString() + UNKNOWN_FIELD)
    ending = pb.MeshEnd.FromString(end(mesh).SerializeToString() + UNKNOWN_FIELD)
    answer = pb.GetMeshesResponse.FromString(message(piece, ending).SerializeToString() + UNKNOWN_FIELD)
    assert answer.SerializeToString().count(b"later") == 3
    meshes.answer = [answer]
    assert client.obj(address, "any/seg", str(HUGE_ID)) == sdk_obj(mesh, client.folder)


def broken_streams() -> dict[str, list[pb.GetMeshesResponse]]:
    mesh, other = small(), small()
    piece, ending = part(mesh, EVERYTHING, EVERYTHING), end(mesh)
    half = part(small(normals=True), EVERYTHING, slice(0, 0))
    changed = {name: pb.MeshPart.FromString(piece.SerializeToString()) for name in ("short", "late", "foreign")}
    changed["short"].data = piece.data[:-1]
    changed["late"].first_vertex = 1
    changed["foreign"].segment_id = HUGE_ID + 1
    beyond = Mesh(HUGE_ID, other.vertices, np.full((1, 3), 50, "<u4"))
    fewer = pb.MeshEnd(segment_id=HUGE_ID, vertex_count=50, face_count=19)
    two = Mesh(HUGE_ID, np.concatenate([mesh.vertices, mesh.vertices]), mesh.faces)
    return {
        "nothing": [],
        "no end": [message(piece)],
        "two ends": [message(piece), message(ending, ending)],
        "a part after the end": [message(piece, ending), message(part(two, slice(50, 100), EVERYTHING))],
        "a part of another segment": [message(piece, changed["foreign"], ending)],
        "a part too late": [message(changed["late"], ending)],
        "a part cut short": [message(changed["short"], ending)],
        "a face out of range": [whole(beyond)],
        "a face fewer than said": [message(piece, fewer)],
        "normals for half": [message(half), message(part(two, slice(50, 100), EVERYTHING), end(two))],
    }


@pytest.mark.parametrize("trouble", broken_streams())
def test_a_broken_stream_is_no_mesh(client: Client, meshes: ScriptedMeshes, address: str, trouble: str) -> None:
    meshes.answer = broken_streams()[trouble]
    # Longer than a test may take: what is broken is left at once.
    ran = client.run(address, "any/seg", str(HUGE_ID), "--deadline-s=99999")
    assert (ran.status, ran.printed) == (1, [])
    assert ran.complained[0].startswith("error 15: ")
    assert not list(client.folder.iterdir())


def test_a_store_that_is_away_is_told_with_when_to_try_again(
    client: Client, meshes: ScriptedMeshes, address: str
) -> None:
    meshes.answer = StoreUnavailable("the store is away", "wait for it", retry_after_s=2.5)
    ran = client.run(address, "any/seg", "7")
    assert (ran.status, ran.printed) == (1, [])
    assert ran.complained == [
        "error 14 STORE_UNAVAILABLE: the store is away",
        "remedy: wait for it",
        "try again in 2.5 s",
    ]


def test_a_refusal_has_its_reason_and_no_hint_to_retry(client: Client, meshes: ScriptedMeshes, address: str) -> None:
    meshes.answer = LimitExceeded("too large", "ask for a coarser scale")
    ran = client.run(address, "any/seg", "7")
    assert ran.status == 1
    assert ran.complained[0].endswith(" LIMIT_EXCEEDED: too large")
    assert ran.complained[1:] == ["remedy: ask for a coarser scale"]


def test_a_server_that_does_not_answer_is_left_at_the_deadline(
    client: Client, meshes: ScriptedMeshes, address: str
) -> None:
    meshes.answer = None
    ran = client.run(address, "any/seg", "7", "--deadline-s=0.75")
    assert (ran.status, ran.printed) == (1, [])
    assert ran.complained[0].startswith("error 4: ")


def test_nothing_listening_is_told_by_its_code(client: Client) -> None:
    ran = client.run("127.0.0.1:1", "fib25/em")
    assert (ran.status, ran.complained[0][:9]) == (1, "error 14:")
    assert ran.complained[-1] == "try again, and look whether a server listens there"


def test_a_token_of_the_environment_travels_and_is_not_shown(
    client: Client, meshes: ScriptedMeshes, address: str
) -> None:
    meshes.answer = Unauthenticated("who are you?", "log in")
    with_token = client.run(address, "any/seg", "7", VOXGATE_TOKEN="s3cret")
    client.run(address, "any/seg", "7")
    assert [call.get("authorization") for call in meshes.calls] == ["Bearer s3cret", None]
    assert with_token.complained[0].startswith("error 16 ")
    assert "s3cret" not in "".join(with_token.complained)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_over_tls_only_a_known_authority_gets_the_token(
    client: Client, meshes: ScriptedMeshes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("authority")
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run(["openssl", *request.split(), *files], check=True, capture_output=True, timeout=120)
    certificate = (folder / "certificate").read_bytes()
    credentials = grpc.ssl_server_credentials([((folder / "key").read_bytes(), certificate)])
    trusting = {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(folder / "certificate"),
        "NODE_EXTRA_CA_CERTS": str(folder / "certificate"),
    }
    mesh = small()
    meshes.answer = [whole(mesh)]
    for port in serving(meshes, lambda server: server.add_secure_port("localhost:0", credentials)):
        asked = (f"localhost:{port}", "any/seg", str(HUGE_ID), "--tls")
        refused = client.run(*asked, VOXGATE_TOKEN="s3cret")
        assert (refused.status, meshes.calls) == (1, [])
        assert client.obj(*asked, VOXGATE_TOKEN="s3cret", **trusting) == sdk_obj(mesh, client.folder)
    assert [call["authorization"] for call in meshes.calls] == ["Bearer s3cret"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["any/seg"],
        ["any/seg", "-7"],
        ["any/seg", str(2**64)],
        ["any/seg", "2491.0"],
        ["any/seg", "7", "8"],
        ["any/seg", "--cutout=0:9,0:9"],
        ["any/seg", "7", "--cutout=0:9,0:9,0:9"],
        ["any/seg", "7", "--deadline-s=0"],
        ["any/seg", "--unknown"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused_before_any_call(
    client: Client, meshes: ScriptedMeshes, address: str, arguments: list[str]
) -> None:
    given = arguments if len(arguments) == 1 else [address, *arguments]
    ran = client.run(*given)
    assert (ran.status, ran.printed, meshes.calls) == (2, [], [])
    assert "voxgate_client ADDRESS VOLUME SEGMENT_ID" in "\n".join(ran.complained)


def test_a_file_that_cannot_be_written_is_told(client: Client, meshes: ScriptedMeshes, address: str) -> None:
    meshes.answer = [whole(small())]
    ran = client.run(address, "any/seg", str(HUGE_ID), "-o", "no-such-folder/body.obj")
    assert ran.status == 1
    assert ran.complained[0].startswith("error: ")
    assert "no-such-folder/body.obj" in ran.complained[0]
