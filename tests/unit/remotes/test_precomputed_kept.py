"""Meshes that a precomputed volume keeps: where they lie, and what is refused of what is broken."""

import json
import struct

import DracoPy
import numpy as np
import pytest
from cloudvolume import Mesh as TheirMesh
from cloudvolume.datasource.precomputed import mmh3
from cloudvolume.datasource.precomputed.sharding import ShardingSpecification
from hypothesis import given
from hypothesis import strategies as st

from support.kept_files import (
    ABSENT,
    BIG,
    OTHER,
    RAW_SHARDING,
    SMALL,
    grid_faces,
    kept_volume,
    legacy_by_cloud_volume,
    multires,
    ours,
    surface,
    triangle_set,
    triangles_of,
    write_multires,
)
from support.peer_files import SHARDING
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    DataLoss,
    InvalidSegmentId,
    MetadataInvalid,
    PathRefused,
    UnsupportedFormat,
)
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.volumes import CallContext, ChunkPresence, OpenOptions
from voxgate_remotes.precomputed_kept import draco
from voxgate_remotes.precomputed_kept.murmur import murmurhash3_low64
from voxgate_remotes.precomputed_kept.shards import parsed_sharding


def meshes_of(folder, **options):
    return ours(folder, options=OpenOptions(**options)).capability(StoredMeshes)


def fragment(vertices, faces):
    return TheirMesh(vertices.astype(np.float32), faces, segid=1).to_precomputed()


@pytest.fixture
def legacy(tmp_path):
    kept_volume(tmp_path, mesh="mesh")
    (tmp_path / "mesh").mkdir()
    return tmp_path


def keep(folder, manifest, **fragments):
    (folder / "mesh" / f"{SMALL}:0").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    for name, data in fragments.items():
        (folder / "mesh" / name).write_bytes(data)


def test_what_info_does_not_name_is_not_offered(tmp_path):
    kept_volume(tmp_path, mesh="", skeletons=None)
    volume = ours(tmp_path)
    assert [volume.capability(kind) for kind in (StoredMeshes, StoredSkeletons, SegmentProperties)] == [None] * 3
    assert volume.capability(ChunkPresence) is volume


def test_fragments_of_a_legacy_mesh_are_joined_in_order(legacy):
    first, second = surface(1), surface(2, size=4)
    legacy_by_cloud_volume(legacy, BIG, [first, second])
    assert [path.name.endswith(".gz") for path in sorted((legacy / "mesh").iterdir())].count(True) == 1
    mesh = meshes_of(legacy).stored_mesh(BIG)
    np.testing.assert_array_equal(mesh.vertices, np.concatenate([first[0], second[0]]).astype(np.float32))
    np.testing.assert_array_equal(mesh.faces, np.concatenate([first[1], second[1] + 36]))
    assert (mesh.segment_id, mesh.origin, mesh.vertices.dtype, mesh.faces.dtype) == (BIG, "stored", "<f4", "<u4")
    assert meshes_of(legacy).stored_mesh(ABSENT) is None


def test_a_fragment_that_is_compressed_under_its_own_name_is_read(legacy):
    import gzip

    vertices, faces = surface(3)
    keep(legacy, {"fragments": ["a"]}, a=gzip.compress(fragment(vertices, faces)))
    np.testing.assert_array_equal(meshes_of(legacy).stored_mesh(SMALL).faces, faces)


def test_a_fragment_named_twice_is_there_once_and_no_faces_are_no_mesh(legacy):
    vertices, faces = surface(4)
    keep(legacy, {"fragments": ["a", "a"]}, a=fragment(vertices, faces))
    assert len(meshes_of(legacy).stored_mesh(SMALL).faces) == len(faces)
    keep(legacy, {"fragments": []})
    assert meshes_of(legacy).stored_mesh(SMALL) is None
    keep(legacy, {"fragments": ["a"]}, a=struct.pack("<I", 0))
    assert meshes_of(legacy).stored_mesh(SMALL) is None


@pytest.mark.parametrize("manifest", ['{"fragments": ["a"', "[]", '{"fragments": "a"}', '{"fragments": [1]}', "\xff"])
def test_a_manifest_that_is_none_is_corrupt(legacy, manifest):
    keep(legacy, manifest)
    with pytest.raises(ChunkCorrupt, match="manifest"):
        meshes_of(legacy).stored_mesh(SMALL)


def test_fragments_that_lie_are_corrupt(legacy):
    vertices, faces = surface(5)
    whole = fragment(vertices, faces)
    nowhere = fragment(np.where(vertices == vertices[0, 0], np.nan, vertices), faces)
    beyond = fragment(vertices, np.where(faces == 0, len(vertices), faces))
    many = struct.pack("<I", 2**32 - 1) + whole[4:]
    for broken in (b"", whole[:3], whole[:-1], whole[:-4], many, nowhere, beyond, b"\x1f\x8b\x08\0cut short"):
        keep(legacy, {"fragments": ["a"]}, a=broken)
        with pytest.raises(ChunkCorrupt):
            meshes_of(legacy).stored_mesh(SMALL)
    keep(legacy, {"fragments": ["b"]})
    with pytest.raises(ChunkCorrupt, match="absent"):
        meshes_of(legacy).stored_mesh(SMALL)


@pytest.mark.parametrize("name", ["../info", "/etc/passwd", "a/../../info", "link"])
def test_a_fragment_outside_of_the_remote_is_refused(legacy, name, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "fragment"
    outside.write_bytes(fragment(*surface(6)))
    (legacy / "mesh/link").symlink_to(outside)
    keep(legacy, {"fragments": [name]})
    with pytest.raises(PathRefused) as refused:
        meshes_of(legacy).stored_mesh(SMALL)
    assert str(legacy) not in str(refused.value)


@pytest.mark.parametrize("name", ["../mesh", "/mesh", "a/../../mesh", "link"])
def test_a_folder_of_meshes_elsewhere_is_refused_and_the_voxels_are_not(tmp_path, name):
    (tmp_path / "mesh").mkdir()
    kept_volume(tmp_path / "seg", mesh=name)
    info = json.loads((tmp_path / "seg/info").read_text())
    (tmp_path / "seg/info").write_text(json.dumps({**info, "skeletons": 7}))
    (tmp_path / "seg/link").symlink_to(tmp_path / "mesh")
    volume = ours(tmp_path / "seg")
    with pytest.raises(PathRefused):
        volume.capability(StoredMeshes).stored_mesh(SMALL)
    with pytest.raises(MetadataInvalid, match="`skeletons`"):
        volume.capability(StoredSkeletons).stored_skeleton(SMALL)
    assert volume.is_absent(volume.info.scales[0].bounds)


def test_other_kinds_of_meshes_background_and_impatience_are_refused(legacy):
    with pytest.raises(InvalidSegmentId):
        meshes_of(legacy).stored_mesh(0)
    with pytest.raises(InvalidSegmentId):
        meshes_of(legacy).stored_mesh(2**64)
    context = CallContext()
    context.stop.set()
    with pytest.raises(Cancelled):
        meshes_of(legacy, context=context).stored_mesh(SMALL)
    for info, error in (
        ({"@type": "neuroglancer_legacy_mesh", "transform": [2, 0, 0, 0] * 3}, UnsupportedFormat),
        ({"@type": "graphene"}, UnsupportedFormat),
        ({"@type": "neuroglancer_multilod_draco", "vertex_quantization_bits": 12}, UnsupportedFormat),
        ({"@type": "neuroglancer_multilod_draco", "vertex_quantization_bits": 10, "transform": [1]}, MetadataInvalid),
    ):
        (legacy / "mesh/info").write_text(json.dumps(info))
        with pytest.raises(error):
            meshes_of(legacy).stored_mesh(SMALL)
    (legacy / "mesh/info").write_text('{"@type": ')
    with pytest.raises(MetadataInvalid):
        meshes_of(legacy).stored_mesh(SMALL)


@pytest.mark.parametrize("sharding", [None, SHARDING, RAW_SHARDING], ids=["files", "gzip shards", "raw shards"])
def test_a_multiresolution_mesh_is_its_finest_level_in_nanometres(tmp_path, sharding):
    kept_volume(tmp_path, mesh="mesh")
    made = {segment_id: multires(index) for index, segment_id in enumerate((SMALL, OTHER, BIG, SMALL + 1, BIG + 64))}
    write_multires(tmp_path, {segment_id: both[:2] for segment_id, both in made.items()}, sharding)
    kept = meshes_of(tmp_path)
    for segment_id, (_, _, triangles) in made.items():
        mesh = kept.stored_mesh(segment_id)
        assert triangles_of(mesh) == triangle_set(triangles)
        assert (mesh.vertices.dtype, mesh.faces.dtype, mesh.origin) == ("<f4", "<u4", "stored")
    assert kept.stored_mesh(ABSENT) is None


def test_a_mesh_without_any_fragment_at_its_finest_level_is_none(tmp_path):
    kept_volume(tmp_path, mesh="mesh")
    manifest = struct.pack("<6fI", 1, 1, 1, 0, 0, 0, 1) + struct.pack("<4fI", 1, 0, 0, 0, 0)
    write_multires(tmp_path, {SMALL: (b"", manifest)})
    assert meshes_of(tmp_path).stored_mesh(SMALL) is None


def test_manifests_and_fragments_that_lie_are_corrupt(tmp_path):
    kept_volume(tmp_path, mesh="mesh")
    fragments, manifest, _ = multires(0)
    first = len(fragments) // 2
    wrong = [
        (fragments, b""),
        (fragments, manifest[:-1]),
        (fragments, manifest + b"\0"),
        (fragments, manifest[:24] + struct.pack("<I", 2**32 - 1) + manifest[28:]),
        (fragments, manifest[:24] + struct.pack("<I", 0) + manifest[28:]),
        (fragments, np.array([np.nan] * 3, "<f4").tobytes() + manifest[12:]),
        (fragments[:first], manifest),
        (b"\0" * len(fragments), manifest),
        (fragments[3:] + b"\0\0\0", manifest),
    ]
    for both in wrong:
        write_multires(tmp_path, {SMALL: both})
        with pytest.raises(ChunkCorrupt):
            meshes_of(tmp_path).stored_mesh(SMALL)
    (tmp_path / f"mesh/{SMALL}").unlink()
    (tmp_path / f"mesh/{SMALL}.index").write_bytes(manifest)
    with pytest.raises(ChunkCorrupt, match="without fragments"):
        meshes_of(tmp_path).stored_mesh(SMALL)


def test_shards_that_lie_are_corrupt_and_never_another_segments_mesh(tmp_path):
    kept_volume(tmp_path, mesh="mesh")
    write_multires(tmp_path, {SMALL: multires(0)[:2]}, {**SHARDING, "shard_bits": 0, "minishard_bits": 0})
    (shard,) = (tmp_path / "mesh").glob("*.shard")
    whole = shard.read_bytes()
    start, stop = struct.unpack("<2Q", whole[:16])
    for broken in (
        whole[:7],
        whole[: len(whole) // 2],
        whole[:-1],
        struct.pack("<2Q", stop, start) + whole[16:],
        struct.pack("<2Q", start, 2**63) + whole[16:],
        struct.pack("<2Q", 2**64 - 8, 2**64 - 1) + whole[16:],
        struct.pack("<2Q", start, stop - 1) + whole[16:],
    ):
        shard.write_bytes(broken)
        with pytest.raises(ChunkCorrupt):
            meshes_of(tmp_path).stored_mesh(SMALL)
    shard.write_bytes(whole)
    assert meshes_of(tmp_path).stored_mesh(SMALL + 1) is None


@given(st.binary(max_size=12), st.integers(0, 10**6))
def test_any_damage_of_a_fragment_is_an_error_or_a_mesh_whose_faces_have_vertices(damage, at):
    data = bytearray(DracoPy.encode(*surface(7, 1023), compression_level=7))
    at %= len(data)
    data[at : at + len(damage)] = damage
    try:
        vertices, faces = draco.decoded(bytes(data), 10)
    except (DataLoss, UnsupportedFormat):
        return
    assert not len(faces) or faces.max() < len(vertices)
    assert not len(vertices) or vertices.max() < 1024


@pytest.mark.parametrize("method", [0, 1])
def test_a_fragment_that_declares_more_than_its_bytes_can_say_is_never_given_to_draco(method, monkeypatch):
    monkeypatch.setattr(DracoPy, "decode", lambda data: pytest.fail("it was"))
    huge = b"\xff\xff\xff\xff\x0f"
    header = b"DRACO\x02\x02\x01" + bytes([method]) + b"\0\0" + (b"\0" if method else b"")
    for counts in (huge + huge, b"\x03" + huge, huge + b"\x03", huge + b"\xff"):
        with pytest.raises(ChunkCorrupt, match="declares"):
            draco.decoded(header + counts + bytes(500), 10)
    metadata = b"DRACO\x02\x02\x01" + bytes([method]) + b"\0\x80" + b"\0\0\x01" * 40
    for cut in (header, header + b"\xff" * 5, metadata, b"DRACO\x02\x02\0\0\0\0" + bytes(9)):
        with pytest.raises(ChunkCorrupt):
            draco.decoded(cut, 10)
    with pytest.raises(UnsupportedFormat, match=r"1\.1"):
        draco.decoded(b"DRACO\x01\x01" + header[7:] + bytes(99), 10)


def test_a_fragment_without_faces_is_empty(monkeypatch):
    points = DracoPy.decode(DracoPy.encode(surface(7, 1023)[0]))
    assert not hasattr(points, "faces")  # as DracoPy answers for some meshes, too
    whole = DracoPy.encode(*surface(7, 1023))
    monkeypatch.setattr(DracoPy, "decode", lambda data: points)
    assert [len(each) for each in draco.decoded(whole, 10)] == [0, 0]


def test_a_flat_sheet_in_a_thousand_bytes_is_no_bomb_and_other_vertices_are_refused():
    y, x = np.mgrid[:300, :300].reshape(2, -1)
    faces = grid_faces(300)
    sheet = np.stack([x, y, np.full_like(x, 7)], 1)
    small = DracoPy.encode(sheet.astype(np.uint32), faces, compression_level=7)
    assert len(small) < len(faces) / 100
    assert len(draco.decoded(small, 10)[1]) == len(faces)
    for vertices in (sheet.astype(np.uint32) * 4, sheet.astype(np.float32) + 0.5, sheet.astype(np.float32) - 1):
        with pytest.raises(ChunkCorrupt, match="no integers of 10 bits"):
            draco.decoded(DracoPy.encode(vertices, faces, quantization_bits=16), 10)


@given(st.integers(0, 2**64 - 1), st.integers(0, 12), st.integers(0, 9), st.integers(0, 30))
def test_segments_are_in_the_shards_that_cloud_volume_puts_them_in(segment_id, preshift, minishard, shard):
    assert murmurhash3_low64(segment_id) == mmh3.hash64(segment_id.to_bytes(8, "little"), x64arch=False)[0] % 2**64
    for hashed in ("identity", "murmurhash3_x86_128"):
        stated = {**SHARDING, "preshift_bits": preshift, "minishard_bits": minishard, "shard_bits": shard}
        stated["hash"] = hashed
        expected = ShardingSpecification.from_dict(stated).compute_shard_location(segment_id)
        assert parsed_sharding(stated).place(segment_id) == (
            f"{expected.shard_number}.shard",
            expected.minishard_number,
        )


@pytest.mark.parametrize(
    "change", [{"@type": "other"}, {"hash": "md5"}, {"shard_bits": 65}, {"preshift_bits": -1}, {"data_encoding": "br"}]
)
def test_a_sharding_that_is_none_is_invalid(change):
    with pytest.raises(MetadataInvalid):
        parsed_sharding({**SHARDING, **change})
    with pytest.raises(MetadataInvalid):
        parsed_sharding("sharded")
