"""Files of stored meshes by the adapter alone: names, parts, tags, and sizes that nobody tells."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.kept_files import BIG, kept_volume, multires, write_multires
from support.static_http import static_http
from voxgate.model.errors import IncompleteAnswer, InvalidArgument, InvalidSegmentId, StoreUnavailable
from voxgate.model.kept_mesh_files import PIECE_BYTES, MeshFileKind, MeshFilePiece, StoredMeshFiles, mesh_file_kind
from voxgate.v1 import mesh_pb2
from voxgate.wire.mesh_files import mesh_file_messages, mesh_file_pieces
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A volume with one mesh, beside which lie shards of all sizes that a search for a size could get wrong."""
    folder = tmp_path_factory.mktemp("lab") / "seg"
    folder.mkdir()
    kept_volume(folder, mesh="mesh")
    write_multires(folder, {BIG: multires(1)[:2]})
    data = np.random.default_rng(2).bytes(SIZES[-1])
    for size in SIZES:
        (folder / f"mesh/{size:x}.shard").write_bytes(data[:size])
    return folder


SIZES = (0, 1, 2, 7, 8, 9, 4096, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 11_000_003)


@pytest.fixture(scope="module")
def far(folder):
    with static_http(folder.parent) as files:
        yield files


def files_of(uri: str) -> StoredMeshFiles:
    registry = Registry.from_config(RemotesConfig(remotes={"lab": RemoteConfig(uri=uri)}))
    found = registry.open("lab/seg").capability(StoredMeshFiles)
    assert found is not None
    return found


@pytest.fixture(params=["here", "far"])
def files(request, folder, far):
    return files_of(folder.parent.as_uri() if request.param == "here" else far.url)


def taken(pieces) -> tuple[MeshFilePiece, bytes]:
    """What is said of a file, the same in every piece, and its bytes."""
    pieces = list(pieces)
    assert len({(piece.tag, piece.byte_count) for piece in pieces}) == 1
    assert max(len(piece.data) for piece in pieces) <= PIECE_BYTES
    return pieces[0], b"".join(piece.data for piece in pieces)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_that_is_looked_at_says_its_size_and_reads_whole(files, folder, size):
    data = (folder / f"mesh/{size:x}.shard").read_bytes()
    looked, none = taken(files.read_mesh_file(f"{size:x}.shard", 0, 0))
    assert (looked.byte_count, none) == (size, b"")
    assert taken(files.read_mesh_file(f"{size:x}.shard")) == (MeshFilePiece(looked.tag, size, data[:PIECE_BYTES]), data)


@pytest.mark.parametrize("name", [f"{11_000_003:x}.shard", f"{BIG}.index", str(BIG), "info"])
def test_a_part_is_what_the_file_has_of_it(files, folder, name):
    data = (folder / "mesh" / name).read_bytes()
    size = len(data)
    parts = ((0, 1), (3, 20), (size - 1, size), (size - 2, size + 9), (size, size + 5), (size + 7, None), (5, None))
    for start, stop in (*parts, (2, size - 1), (1, size + 4 * PIECE_BYTES)):
        facts, found = taken(files.read_mesh_file(name, start, stop))
        assert found == data[start:stop]
        assert facts.byte_count in (size, None)
        if stop is None or stop > size:
            assert facts.byte_count == size


def test_what_is_not_there_is_none(files):
    for name in (f"{BIG + 1}.index", str(BIG + 1), "fff.shard", f"{BIG}:0", "x:y", "segment_properties"):
        assert files.read_mesh_file(name) is None
        assert files.read_mesh_file(name, 5, 9) is None


def test_a_file_that_is_replaced_far_away_while_it_is_read_is_not_mixed(tmp_path):
    (tmp_path / "seg").mkdir()
    kept_volume(tmp_path / "seg", mesh="mesh")
    (tmp_path / "seg/mesh").mkdir()
    path = tmp_path / "seg/mesh/1.shard"
    path.write_bytes(b"a" * 3 * PIECE_BYTES)
    with static_http(tmp_path) as server:
        pieces = files_of(server.url).read_mesh_file("1.shard")
        assert next(pieces).data == b"a" * PIECE_BYTES
        path.write_bytes(b"b" * 3 * PIECE_BYTES)
        with pytest.raises(StoreUnavailable, match="replaced"):
            list(pieces)


def test_a_file_of_this_machine_that_is_replaced_while_it_is_read_goes_on_as_it_was(tmp_path):
    (tmp_path / "seg").mkdir()
    kept_volume(tmp_path / "seg", mesh="mesh")
    (tmp_path / "seg/mesh").mkdir()
    path = tmp_path / "seg/mesh/1.shard"
    path.write_bytes(b"a" * 3 * PIECE_BYTES)
    pieces = files_of(tmp_path.as_uri()).read_mesh_file("1.shard")
    first = next(pieces)
    (tmp_path / "new").write_bytes(b"b" * 3 * PIECE_BYTES)
    (tmp_path / "new").replace(path)
    assert b"".join([first.data, *(piece.data for piece in pieces)]) == b"a" * 3 * PIECE_BYTES
    assert next(files_of(tmp_path.as_uri()).read_mesh_file("1.shard")).tag != first.tag


@pytest.mark.parametrize("part", [(-1, None), (5, 4), (2**63, None), (0, 2**63)])
def test_a_part_that_cannot_be_meant_is_refused(files, part):
    with pytest.raises(InvalidArgument):
        files.read_mesh_file("info", *part)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("info", MeshFileKind.INFO),
        ("segment_properties", MeshFileKind.PROPERTIES),
        (f"{2**64 - 1}.index", MeshFileKind.INDEX),
        (str(2**53 + 1), MeshFileKind.FRAGMENTS),
        ("0af.shard", MeshFileKind.SHARD),
        (f"{2**63 + 7}:0", MeshFileKind.LEGACY_MANIFEST),
        ("7:0:0-64_0-64_3-17", MeshFileKind.LEGACY_FRAGMENT),
    ],
)
def test_a_name_says_what_a_file_is(name, kind):
    assert mesh_file_kind(name) is kind


@pytest.mark.parametrize("name", ["0", "0.index", "0:0", str(2**64), f"{2**64}.index", f"{10**39}:1"])
def test_an_id_that_is_none_is_refused(name):
    with pytest.raises(InvalidSegmentId):
        mesh_file_kind(name)


@given(st.text(st.sampled_from("./\\%:0a9-_~ \0\nشinfo"), max_size=12) | st.text(max_size=20))
def test_whatever_could_lead_elsewhere_is_no_name(name):
    try:
        mesh_file_kind(name)
    except InvalidArgument:
        return
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:,+=~-]*", name)


PIECES = [MeshFilePiece("t", 10, b"abc"), MeshFilePiece("t", 10, b"defg")]


def test_pieces_are_the_same_after_the_wire():
    assert list(mesh_file_pieces(mesh_file_messages(PIECES), 3, None)) == PIECES
    part = [MeshFilePiece("", None, b"abc")]
    assert list(mesh_file_pieces(mesh_file_messages(part), 3, 6)) == part


@pytest.mark.parametrize(
    ("messages", "start", "stop"),
    [
        ([], 0, 0),
        (list(mesh_file_messages(PIECES))[:1], 3, None),
        (list(mesh_file_messages(PIECES))[1:], 3, None),
        (list(mesh_file_messages(PIECES)), 4, None),
        (list(mesh_file_messages(PIECES)), 3, 9),
        ([*mesh_file_messages(PIECES[:1]), *mesh_file_messages(PIECES[1:])], 3, None),
        ([mesh_pb2.ReadMeshFileResponse(header=mesh_pb2.MeshFileHeader(tag="t"))], 0, None),
    ],
)
def test_a_stream_that_is_not_the_part_that_was_asked_for_is_incomplete(messages, start, stop):
    with pytest.raises(IncompleteAnswer):
        list(mesh_file_pieces(messages, start, stop))
