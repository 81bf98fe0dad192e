"""Meshes as objects of other libraries; plotly, navis and napari themselves are asked in tests/peers."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
import trimesh

from support.mesh_volumes import meshed as meshed_of
from support.mesh_volumes import segmentation
from support.surfaces import ball_mesh, box_mesh, known
from voxgate.client.array import VolumeArray
from voxgate.model.errors import InvalidArgument, Unimplemented
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh
from voxgate_remotes.memory import MemoryVolume

HUGE = 2**63 + 7
OFFSET, SIZE = Vec3(-7, 12, 100), VoxelSize(4.0, 6.0, 40.0)
BLOCK = Box.of(x=(-4, 1), y=(14, 16), z=(101, 105))
BOX = known(box_mesh(HUGE, (8_000_000.0, -20.5, 40.0), (4.5, 70.0, 900.0)))
BALL = ball_mesh(2**53 + 1, (7.25, 100.0, -3.0), (10.0, 21.0, 33.0))
EMPTY = Mesh(4, np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32))


def block_of_voxels():
    labels = np.zeros((7, 6, 9), np.uint64)
    labels[BLOCK.slices_zyx(OFFSET)] = HUGE
    return labels


@pytest.fixture(scope="module")
def meshed():
    """The mesh of a block of voxels as the mesher makes it, and an array of those voxels."""
    volume = segmentation(block_of_voxels(), offset=OFFSET, size=SIZE)
    return meshed_of(volume, [HUGE])[HUGE], VolumeArray(volume)


def test_trimesh_gets_the_same_rows_in_nanometres_and_what_is_known():
    made = BOX.to_trimesh()
    assert isinstance(made, trimesh.Trimesh)
    assert np.array_equal(made.vertices, BOX.vertices)
    assert np.array_equal(made.faces, BOX.faces)
    assert made.is_watertight
    assert made.volume == pytest.approx(4.5 * 70 * 900)
    assert made.units == "nm"
    assert made.metadata["segment_id"] == str(HUGE)
    assert made.metadata["statistics"]["voxel_count"] == 2**53 + 1
    assert made.metadata["provenance"]["volume"] == "fib25/seg"


def test_trimesh_gets_the_normals_of_the_mesh():
    turned = Mesh(7, BALL.vertices, BALL.faces, normals=BALL.normals[:, [1, 2, 0]])
    assert np.allclose(turned.to_trimesh().vertex_normals, turned.normals)


def test_napari_gets_z_y_x_with_faces_that_still_look_outside(meshed):
    mesh, _ = meshed
    (vertices, faces, values), settings, kind = mesh.to_napari()
    assert kind == "surface"
    assert np.array_equal(vertices[:, ::-1], mesh.vertices)
    assert trimesh.Trimesh(vertices, faces, process=False).volume == pytest.approx(mesh.to_trimesh().volume)
    assert values.tolist() == [1.0] * len(vertices)
    assert settings["name"] == f"mesh {HUGE}"
    assert "scale" not in settings
    assert settings["metadata"]["segment_id"] == str(HUGE)


def world_bounds_of_the_block(scale, translate, first):
    """Where napari draws the block's voxels: a voxel's centre is at index * scale + translate."""
    start, stop = (np.array((end - first).zyx, float) for end in (BLOCK.start, BLOCK.stop))
    return np.stack([(start - 0.5) * scale + translate, (stop - 0.5) * scale + translate])


def test_napari_draws_it_over_an_image_that_is_placed_in_nanometres(meshed):
    mesh, array = meshed
    # As docs/how-to/use-with-dask-xarray-napari.md places images.
    translate = array.to_nm(array.bounds.start, center=True)[::-1]
    expected = world_bounds_of_the_block(np.array(SIZE.zyx), translate, array.bounds.start)
    (vertices, _, _), _, _ = mesh.to_napari()
    assert np.array_equal([vertices.min(axis=0), vertices.max(axis=0)], expected)


def test_napari_draws_it_over_an_image_that_is_not_placed(meshed):
    mesh, array = meshed
    (vertices, _, _), settings, _ = mesh.to_napari(over=array)
    world = vertices * np.array(settings["scale"]) + np.array(settings["translate"])
    expected = world_bounds_of_the_block(1.0, 0.0, array.bounds.start)
    assert np.allclose([world.min(axis=0), world.max(axis=0)], expected, atol=1e-5)


def test_an_array_of_unknown_voxel_size_has_no_place_for_a_mesh():
    array = VolumeArray(MemoryVolume.from_array(block_of_voxels(), voxel_offset=OFFSET, voxel_size_nm=None))
    with pytest.raises(InvalidArgument, match="voxel size"):
        BOX.to_napari(over=array)


@pytest.fixture
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_matplotlib_draws_every_face_in_equal_nanometres(pyplot):
    axes = BALL.to_matplotlib()
    (collection,) = axes.collections
    axes.figure.canvas.draw()
    assert len(collection.get_facecolors()) == len(BALL.faces)
    low, high = BALL.bounds_nm
    limits = np.array([axes.get_xlim3d(), axes.get_ylim3d(), axes.get_zlim3d()])
    assert (limits[:, 0] <= low).all()
    assert (limits[:, 1] >= high).all()
    assert axes.get_xlabel() == "x (nm)"
    sides = np.ptp(limits, axis=1)
    assert np.allclose(axes._box_aspect / axes._box_aspect[0], sides / sides[0])


def test_axes_of_matplotlib_grow_with_a_second_mesh_and_an_empty_one_draws_nothing(pyplot):
    axes = pyplot.figure().add_subplot(projection="3d")
    assert BALL.to_matplotlib(axes) is axes
    far = box_mesh(3, (500, 600, 700), (10, 20, 30))
    assert EMPTY.to_matplotlib(far.to_matplotlib(axes)) is axes
    assert len(axes.collections) == 2
    assert axes.get_xlim3d()[0] <= BALL.bounds_nm[0, 0]
    assert axes.get_zlim3d()[1] >= 730


@pytest.mark.parametrize(
    ("view", "module", "remedy"),
    [
        (Mesh.to_trimesh, "trimesh", "pip install 'voxgate[trimesh]'"),
        (Mesh.to_navis, "navis", "pip install 'voxgate[navis]'"),
        (Mesh.to_plotly, "plotly", "pip install 'voxgate[plotly]'"),
        (Mesh.to_matplotlib, "mpl_toolkits", "pip install 'voxgate[matplotlib]'"),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch, view, module, remedy):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unimplemented, match="is not installed here") as caught:
        view(BALL)
    assert caught.value.remedy == remedy


def test_a_library_that_lacks_a_part_of_its_own_is_not_called_missing(monkeypatch, tmp_path):
    (tmp_path / "navis.py").write_text("import a_module_that_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_nobody_has"):
        BALL.to_navis()
