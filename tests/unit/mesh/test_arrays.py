"""The mesher as a library: an array in, meshes out."""

import subprocess
import sys

import numpy as np
import pytest

from support.mesh_volumes import OFFSET, SIZE, as_trimesh, blobs, meshed, segmentation
from voxgate.model.errors import InvalidArgument, InvalidSegmentId, SegmentNotFound
from voxgate.model.geometry import Vec3
from voxgate.model.mesh_facts import Simplification
from voxgate_mesh import arrays
from voxgate_mesh.meshing import mesh_labels

HUGE = 2**63 + 9


@pytest.fixture(scope="module")
def labels():
    return blobs(17, shape=(19, 26, 31))


@pytest.fixture(scope="module")
def expected(labels):
    return meshed(segmentation(labels), [int(i) for i in np.unique(labels) if i])


def assert_same(meshes, expected):
    assert list(meshes) == sorted(expected)
    for segment_id, mesh in meshes.items():
        assert mesh.vertices.tobytes() == expected[segment_id].vertices.tobytes()
        assert mesh.faces.tobytes() == expected[segment_id].faces.tobytes()
        assert mesh.statistics == expected[segment_id].statistics


def test_an_array_meshes_as_a_volume_of_the_same_voxels_does(labels, expected):
    assert 2**53 < min(i for i in expected if i > 3) < 2**63 < HUGE
    assert_same(mesh_labels(labels, SIZE, offset=OFFSET), expected)
    assert_same(mesh_labels(labels, tuple(SIZE), offset=tuple(OFFSET), mesher="cubes"), expected)


@pytest.mark.parametrize(
    "view", [np.asfortranarray, lambda a: a.astype(">u8"), lambda a: np.repeat(a, 2, axis=1)[:, ::2]]
)
def test_the_order_of_bytes_and_axes_in_memory_changes_nothing(labels, expected, view):
    assert_same(mesh_labels(view(labels), SIZE, offset=OFFSET), expected)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "i8"])
def test_every_integer_dtype_is_meshed(labels, dtype):
    small = np.searchsorted(np.unique(labels), labels).astype(dtype)
    meshes = mesh_labels(small, SIZE, offset=OFFSET)
    assert [len(mesh.faces) for mesh in meshes.values()] == [
        len(mesh.faces) for mesh in mesh_labels(labels, SIZE, offset=OFFSET).values()
    ]


def test_a_mask_is_segment_one(labels, expected):
    (mesh,) = mesh_labels(labels == np.uint64(HUGE), SIZE, offset=OFFSET).values()
    assert mesh.segment_id == 1
    assert mesh.vertices.tobytes() == expected[HUGE].vertices.tobytes()


def test_some_segments_open_borders_and_another_mesher_are_chosen(labels, expected):
    (mesh,) = mesh_labels(labels, SIZE, segment_ids=[HUGE, HUGE], offset=OFFSET, mesher="skimage").values()
    assert mesh.mesher == "skimage"
    assert mesh.bounds_nm.tolist() == expected[HUGE].bounds_nm.tolist()
    opened = mesh_labels(labels, SIZE, segment_ids=iter([HUGE]), offset=OFFSET, closed=False)[HUGE]
    assert not opened.statistics.watertight
    assert opened.statistics.volume_nm3 is None


def test_normals_and_fewer_triangles_on_request(labels, expected):
    wish = Simplification(target_face_count=200)
    mesh = mesh_labels(labels, SIZE, segment_ids=[HUGE], simplification=wish, normals=True)[HUGE]
    assert len(mesh.faces) <= 200 < len(expected[HUGE].faces)
    assert mesh.normals.shape == mesh.vertices.shape
    assert mesh.statistics.voxel_count == np.count_nonzero(labels == np.uint64(HUGE))
    assert as_trimesh(mesh).is_watertight


def test_what_is_no_array_of_labels_is_refused(labels):
    for wrong, match in (
        (labels.astype(float), "float64"),
        (labels[0], "three axes"),
        (labels[:0], "three axes"),
        (labels.tolist(), "three axes"),
        (labels.astype(np.int64) * 0 - 3, "-3 is not a segment id"),
        (labels.astype(object), "integers"),
    ):
        with pytest.raises(InvalidArgument, match=match):
            mesh_labels(wrong, SIZE)
    for size in ((4, 0, 40), (4, -6, 40), (4, float("nan"), 40), (4, float("inf"), 40)):
        with pytest.raises(InvalidArgument, match="no extent"):
            mesh_labels(labels, size)
    with pytest.raises(InvalidSegmentId, match="background"):
        mesh_labels(labels, SIZE, segment_ids=[0])
    with pytest.raises(SegmentNotFound, match="77"):
        mesh_labels(labels, SIZE, segment_ids=[HUGE, 77])


def test_an_array_without_a_segment_has_no_mesh():
    assert mesh_labels(np.zeros((3, 4, 5), np.uint16), SIZE) == {}
    assert mesh_labels(np.ones((3, 4, 5), np.uint16), SIZE, segment_ids=[]) == {}


def test_blocks_are_copied_and_never_the_array(monkeypatch):
    labels = np.zeros((300, 150, 140), np.uint16)
    labels[100:260, 20:130, 30:90] = 7
    labels.setflags(write=False)
    largest = []
    read = arrays._ArrayVolume.read

    def noting(self, box, **options):
        voxels = read(self, box, **options)
        largest.append(voxels.nbytes)
        return voxels

    monkeypatch.setattr(arrays._ArrayVolume, "read", noting)
    (mesh,) = mesh_labels(labels, (1, 1, 1), offset=Vec3(-5, 0, 9)).values()
    assert mesh.bounds_nm.tolist() == [[25, 20, 109], [85, 130, 269]]
    assert mesh.statistics.voxel_count == 160 * 110 * 60
    assert max(largest) < labels.nbytes / 2


def test_the_library_imports_neither_grpc_nor_protobuf():
    code = (
        "import sys, numpy as np\n"
        "from voxgate_mesh.meshing import mesh_labels\n"
        "(mesh,) = mesh_labels(np.ones((2, 3, 4), np.uint8), (4, 4, 40), normals=True).values()\n"
        "assert mesh.bounds_nm.tolist() == [[0, 0, 0], [16, 12, 80]]\n"
        "print([name for name in sys.modules if name == 'grpc' or name.startswith(('grpc.', 'google.protobuf'))])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert told.stdout.strip() == "[]"


def test_an_unknown_name_of_the_module_is_unknown():
    import voxgate_mesh.meshing as module

    assert not hasattr(module, "mesh_everything")
