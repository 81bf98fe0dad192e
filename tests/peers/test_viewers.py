"""navis, plotly and napari themselves, on a mesh of a block of voxels."""

import numpy as np
import pytest

from support.house import ROOT
from support.mesh_volumes import meshed, segmentation
from support.peers import run_peer
from voxgate.model.geometry import Box, Vec3, VoxelSize

OFFSET, SIZE = Vec3(-7, 12, 100), VoxelSize(4.0, 6.0, 40.0)
BLOCK = Box.of(x=(-4, 1), y=(14, 16), z=(101, 105))
HUGE = 2**63 + 7
LOW, HIGH = (-16.0, 84.0, 4040.0), (4.0, 96.0, 4200.0)  # of the block, x, y, z, nanometres


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    labels = np.zeros((7, 6, 9), np.uint64)
    labels[BLOCK.slices_zyx(OFFSET)] = HUGE
    mesh = meshed(segmentation(labels, offset=OFFSET, size=SIZE), [HUGE])[HUGE]
    data = tmp_path_factory.mktemp("viewers") / "mesh.npz"
    np.savez(data, vertices=mesh.vertices, faces=mesh.faces, labels=labels)
    places = [",".join(map(str, each)) for each in (SIZE, OFFSET)]
    return run_peer("viewers", "viewers_draw.py", ROOT / "clients/python", data, str(HUGE), *places)


def test_napari_draws_the_surface_around_the_voxels_of_a_placed_image(drawn):
    found = drawn["napari"]["nm"]
    assert found["surface"] == found["image"] == [list(LOW[::-1]), list(HIGH[::-1])]
    assert found["label_in_the_middle"] == str(HUGE)
    assert found["name"] == f"mesh {HUGE}"


def test_napari_draws_the_surface_around_the_voxels_of_an_image_in_indices(drawn):
    found = drawn["napari"]["indices"]
    assert found["image"] == [[0.5, 1.5, 2.5], [4.5, 3.5, 7.5]]
    assert np.allclose(found["surface"], found["image"], atol=1e-5)
    assert found["label_in_the_middle"] == str(HUGE)


def test_navis_has_a_neuron_of_nanometres_with_the_id_of_the_segment(drawn):
    found = drawn["navis"]
    assert found["units"] == "1 nanometer"
    assert (found["id"], found["name"], found["same"]) == (str(HUGE), str(HUGE), True)
    assert found["extents"] == [each for pair in zip(LOW, HIGH, strict=True) for each in pair]
    whole = np.prod(np.subtract(HIGH, LOW))
    assert 0.7 * whole < found["volume"] < whole


def test_plotly_has_a_figure_of_the_same_surface_to_show_in_a_notebook(drawn):
    assert drawn["plotly"] == {
        "same": True,
        "name": str(HUGE),
        "titles": ["x (nm)", "y (nm)", "z (nm)"],
        "aspect": "data",
        "shown_in_a_notebook": True,
    }
