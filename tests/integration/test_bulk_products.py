"""What bulk meshing stores, as cloud-volume and our own reader read it, beside volumes and by itself."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cloudvolume import CloudVolume

from support.bulk_meshes import (
    APART,
    BIG,
    CHECKSUM,
    IDS,
    LARGE,
    OTHER,
    SIZE_NM,
    SMALL,
    START,
    opened,
    registry_of,
    run,
    segmentation,
    stored,
)
from voxgate.model.errors import ChunkCorrupt, ChunkMissing, StoreUnavailable
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import MeshJobMode, MeshJobSpec
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.skeletons import StoredMeshes
from voxgate_mesh.arrays import mesh_labels
from voxgate_mesh.simplifying.distances import farthest, target_of

EXACT = MeshJobSpec("lab/seg", chunk_shape=Vec3(24, 20, 16), max_error_nm=0)
ROUNDED_NM = 24 * 40 / 65535 * 4


@pytest.fixture(scope="module", params=[False, True], ids=["files", "shards"])
def meshed(request, tmp_path_factory):
    """A volume with meshes beside it, in files or in shards."""
    folder = tmp_path_factory.mktemp("lab")
    registry = registry_of(folder)
    stored(registry, "lab/seg", segmentation())
    work = opened(registry, replace(EXACT, sharded=request.param))
    return folder / "seg", work, run(work)


@pytest.fixture(scope="module")
def whole():
    """Surfaces made at once, without a job."""
    return mesh_labels(segmentation(), SIZE_NM, offset=START)


def theirs(folder, segment_id, lod=0):
    return CloudVolume(folder.as_uri(), progress=False).mesh.get(segment_id, lod=lod)[segment_id]


def kept(folder):
    return registry_of(folder.parent).open(f"lab/{folder.name}").capability(StoredMeshes)


def corners(vertices, faces):
    """The corners of triangles (n, 9), each from its least one on, in order."""
    cells = np.rint(vertices.astype(np.float64) / [SIZE_NM.x / 4, SIZE_NM.y / 4, SIZE_NM.z / 4]).astype(np.int64)
    rows = [tuple(map(tuple, cells[face])) for face in faces]
    return sorted(min(row[at:] + row[:at] for at in range(3)) for row in rows)


def put_together(work, first=0):
    """Run the last stage, from one of its blocks on."""
    for index in range(work.stage_starts[-1] + first, work.block_count):
        work.run_block(index)


def test_cloud_volume_reads_every_triangle_of_the_unsimplified_surfaces_where_it_is(meshed, whole):
    folder, _, result = meshed
    for segment_id in IDS:
        their, expected = theirs(folder, segment_id), whole[segment_id]
        assert corners(their.vertices, their.faces) == corners(expected.vertices, expected.faces)
    assert result.segment_count == len(IDS)
    assert result.face_count == sum(len(whole[segment_id].faces) for segment_id in IDS)
    assert result.destination == "lab/seg"


def test_our_own_reader_finds_the_same_meshes_right_after_the_job(meshed):
    folder, _, _ = meshed
    reader = kept(folder)
    for segment_id in IDS:
        mesh, their = reader.stored_mesh(segment_id), theirs(folder, segment_id)
        assert corners(mesh.vertices, mesh.faces) == corners(their.vertices, their.faces)
    assert reader.stored_mesh(5) is None


def test_coarser_levels_have_fewer_triangles_and_lie_within_their_error(meshed, whole):
    folder, work, _ = meshed
    exact = whole[LARGE].vertices.astype(np.float64), whole[LARGE].faces.astype(np.int32)
    counts = []
    for level in range(work.plan.level_count):
        mesh = theirs(folder, LARGE, level)
        counts.append(len(mesh.faces))
        surface = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int32)
        assert farthest(*surface, target_of(*exact), 4.0) <= work.plan.error_nm(level) * 1.1 + ROUNDED_NM * 2**level
        assert farthest(*exact, target_of(*surface), 4.0) <= work.plan.error_nm(level) * 1.1 + ROUNDED_NM * 2**level
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] / 3


def test_a_part_that_is_complete_in_one_chunk_is_in_the_coarser_levels_too(meshed, whole):
    folder, work, _ = meshed
    for level in range(2):
        vertices = theirs(folder, APART, level).vertices
        beyond = vertices[vertices[:, 0] > (START.x + 60) * SIZE_NM.x]
        expected = whole[APART].vertices
        far = expected[expected[:, 0] > (START.x + 60) * SIZE_NM.x]
        slack = work.plan.error_nm(level) + SIZE_NM.z / 2
        np.testing.assert_allclose(beyond.min(axis=0), far.min(axis=0), atol=slack)
        np.testing.assert_allclose(beyond.max(axis=0), far.max(axis=0), atol=slack)


def test_a_segment_that_one_chunk_holds_has_one_level(meshed):
    folder, _, _ = meshed
    source = CloudVolume(folder.as_uri(), progress=False).mesh
    manifests = {segment_id: source.get_manifest(segment_id) for segment_id in (SMALL, LARGE)}
    assert manifests[SMALL].num_lods == 1
    assert manifests[LARGE].num_lods == 3
    assert len(manifests[LARGE].fragment_positions[2]) == 1


def test_fragments_follow_the_z_curve_and_have_one_above_them(meshed):
    folder, _, _ = meshed
    manifest = CloudVolume(folder.as_uri(), progress=False).mesh.get_manifest(LARGE)
    below = None
    for positions in manifest.fragment_positions:
        rows = [tuple(map(int, row)) for row in positions]
        bits = [sum((row[axis] >> bit & 1) << 3 * bit + axis for bit in range(8) for axis in range(3)) for row in rows]
        assert bits == sorted(set(bits))
        if below is not None:
            assert {tuple(at >> 1 for at in row) for row in below} == set(rows)
        below = rows


def test_segment_properties_say_what_each_segment_measures(meshed, whole):
    folder, _, _ = meshed
    table = registry_of(folder.parent).open("lab/seg").capability(SegmentProperties).properties()
    columns = {column.name: column.values for column in table.columns}
    labels = segmentation()
    assert set(table.segment_ids.tolist()) == set(IDS)
    for row, segment_id in enumerate(table.segment_ids.tolist()):
        assert columns["voxel_count"][row] == (labels == segment_id).sum()
        assert columns["volume_nm3"][row] == pytest.approx(whole[segment_id].statistics.volume_nm3, rel=1e-5)
        assert columns["surface_nm2"][row] == pytest.approx(whole[segment_id].statistics.surface_nm2, rel=1e-5)


def test_nothing_is_left_of_what_was_needed_on_the_way(meshed):
    folder, work, result = meshed
    assert not [path for path in folder.rglob("*") if "voxgate" in path.name or path.name.startswith(".writing-")]
    assert not (folder / "mesh_2").exists()
    names = {path.name for path in (folder / "mesh").iterdir()}
    if work.plan.spec.sharded:
        assert all(name == "info" or name.endswith(".shard") for name in names)
    else:
        assert names == {"info", *(f"{each}{end}" for each in IDS for end in ("", ".index"))}
    sizes = [path.stat().st_size for path in (folder / "mesh").iterdir() if path.name != "info"]
    assert result.stored_bytes == sum(sizes)


def test_finishing_once_more_changes_nothing_and_answers_the_same(meshed):
    folder, work, result = meshed
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert work.finish(None, CHECKSUM) == result
    assert opened(registry_of(folder.parent), work.plan.spec).finish(None, CHECKSUM) == result
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_meshes_by_themselves_are_read_when_a_volume_names_them(tmp_path, whole):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation(), form="zarr3")
    run(opened(registry, replace(EXACT, destination="lab/products/alone", sharded=True)))
    info = json.loads((tmp_path / "products/alone/info").read_text())
    assert (info["segment_properties"], info["vertex_quantization_bits"]) == ("segment_properties", 16)
    stored(registry, "lab/named", segmentation()[:2, :2, :2])
    shutil.copytree(tmp_path / "products/alone", tmp_path / "named/mesh")
    named = json.loads((tmp_path / "named/info").read_text())
    (tmp_path / "named/info").write_text(json.dumps({**named, "mesh": "mesh"}))
    for segment_id in IDS:
        their, expected = theirs(tmp_path / "named", segment_id), whole[segment_id]
        assert corners(their.vertices, their.faces) == corners(expected.vertices, expected.faces)


@pytest.mark.parametrize("sharded", [False, True], ids=["files", "shards"])
def test_meshes_of_a_volume_are_replaced_when_all_of_the_new_ones_are_there(tmp_path, sharded):
    registry = registry_of(tmp_path)
    labels = segmentation()
    stored(registry, "lab/seg", labels)
    run(opened(registry, replace(EXACT, sharded=sharded)))
    before = len(kept(tmp_path / "seg").stored_mesh(BIG).faces)
    labels[labels == BIG] = 0
    labels[labels == OTHER] = BIG
    stored(registry, "lab/other", labels)
    work = opened(
        registry, MeshJobSpec("lab/other", destination="lab/seg", sharded=sharded, mode=MeshJobMode.OVERWRITE)
    )
    run(work, finish=False)
    reader = kept(tmp_path / "seg")
    assert len(reader.stored_mesh(BIG).faces) == before
    assert reader.stored_mesh(OTHER) is not None
    work.finish(None, CHECKSUM)
    reader = kept(tmp_path / "seg")
    assert len(reader.stored_mesh(BIG).faces) != before
    assert reader.stored_mesh(OTHER) is None
    assert json.loads((tmp_path / "seg/info").read_text())["mesh"] == "mesh_2"
    assert not (tmp_path / "seg/mesh").exists()


@pytest.mark.parametrize(("first", "second"), [(False, False), (False, True), (True, False), (True, True)])
def test_meshes_by_themselves_are_replaced_and_those_that_are_gone_go(tmp_path, first, second):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation())
    spec = MeshJobSpec("lab/seg", destination="lab/alone", chunk_shape=Vec3(30, 30, 20))
    run(opened(registry, replace(spec, sharded=first)))
    again = replace(spec, sharded=second, mode=MeshJobMode.OVERWRITE, minimum_voxel_count=2000)
    assert run(opened(registry, again)).segment_count == 1
    names = {path.name for path in (tmp_path / "alone").iterdir()} - {"info", "segment_properties"}
    if second:
        assert len(names) == 1
        assert names < {"0.shard", "1.shard"}
    else:
        assert names == {str(LARGE), f"{LARGE}.index"}


def test_a_job_that_was_given_up_leaves_no_mesh_to_the_one_after_it(tmp_path):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation())
    run(opened(registry, EXACT), finish=False)
    assert kept(tmp_path / "seg") is None
    run(opened(registry, replace(EXACT, minimum_voxel_count=1000)))
    reader = kept(tmp_path / "seg")
    assert [segment_id for segment_id in IDS if reader.stored_mesh(segment_id)] == [OTHER, LARGE]
    assert not [path for path in (tmp_path / "seg").rglob("*") if "partial" in path.name]


@pytest.mark.parametrize("sharded", [False, True], ids=["files", "shards"])
@pytest.mark.parametrize("stopped", range(4))
def test_a_job_that_died_between_partitions_goes_on_and_makes_the_same(tmp_path, sharded, stopped):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation())
    spec = replace(EXACT, sharded=sharded, destination="lab/one")
    expected = run(opened(registry, spec))
    other = replace(spec, destination="lab/two")
    work = opened(registry, other)
    for index in range(work.stage_starts[-1] + stopped):
        work.run_block(index)
    work = opened(registry_of(tmp_path), other)
    put_together(work, stopped)
    assert replace(work.finish(None, CHECKSUM), destination="lab/one") == expected
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file() and path != tmp_path / "one/info":
            assert (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("lost", ["nothing", "a row", "all"])
def test_a_job_that_died_while_it_cleaned_up_ends_as_if_it_had_not(tmp_path, lost):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation())
    run(opened(registry, replace(EXACT, minimum_voxel_count=1000)))
    work = opened(registry, replace(EXACT, mode=MeshJobMode.OVERWRITE))
    run(work, finish=False)
    (partials,) = (tmp_path / "seg/mesh_2").glob("voxgate-partial-*")
    shutil.copytree(partials, tmp_path / "copy")
    expected = work.finish(None, CHECKSUM)
    if lost != "all":
        shutil.copytree(tmp_path / "copy", partials)
    if lost == "a row":
        (partials / "properties/2").unlink()
    assert opened(registry_of(tmp_path), work.plan.spec).finish(None, CHECKSUM) == expected
    assert {path.name for path in (tmp_path / "seg").iterdir()} >= {"info", "mesh_2", "segment_properties"}
    assert not (tmp_path / "seg/mesh").exists()
    assert not partials.exists()
    assert len(kept(tmp_path / "seg").stored_mesh(SMALL).faces) == 8


def test_partial_files_that_are_gone_are_said_and_nothing_is_announced(tmp_path):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation())
    work = opened(registry, EXACT)
    run(work, finish=False)
    (rows,) = (tmp_path / "seg/mesh").glob("voxgate-partial-*/properties/1")
    rows.unlink()
    with pytest.raises(ChunkMissing, match="partial files"):
        work.finish(None, CHECKSUM)
    assert kept(tmp_path / "seg") is None
    (pieces,) = (tmp_path / "seg/mesh").glob("voxgate-partial-*/0/1_1_1")
    pieces.write_bytes(pieces.read_bytes()[:-9])
    with pytest.raises((ChunkCorrupt, StoreUnavailable), match="short"):
        put_together(work)
