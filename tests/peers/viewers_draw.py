"""In an environment with navis, plotly and napari: what they make of a mesh of ours; prints one JSON document.

Arguments: the folder with our client, a .npz of vertices, faces and labels (z, y, x), the segment's id, the voxel size
(x,y,z), the offset (x,y,z).
"""

import base64
import json
import sys

import numpy as np


def numbers(text):
    return tuple(float(each) for each in text.split(","))


def drawn_by_napari(mesh, labels, size, offset):
    """World bounds of the image's voxels of the segment and of the surface, z, y, x; placed, and in indices."""
    from napari.layers import Layer

    from voxgate.model.geometry import Box, Vec3, VoxelSize

    class Placed:
        bounds = Box.at(Vec3(*map(int, offset)), Vec3.from_zyx(labels.shape))
        voxel_size_nm = VoxelSize(*size)

    step = np.array(size[::-1])
    # The centre of the first voxel, as the guide for napari says.
    placed = {"scale": step, "translate": (np.array(offset[::-1]) + 0.5) * step}
    found = {}
    for name, settings, over in (("nm", placed, None), ("indices", {}, Placed())):
        image = Layer.create(labels, settings, "labels")
        surface = Layer.create(*mesh.to_napari(over=over))
        rows = np.argwhere(labels == mesh.segment_id)
        # A voxel reaches half of it to each side of where napari says its index is.
        corners = [image.data_to_world(rows.min(axis=0) - 0.5), image.data_to_world(rows.max(axis=0) + 0.5)]
        # As napari itself reckons where the first voxel begins; its public `extent` speaks of centres.
        assert np.allclose(image._extent_world_augmented[0], image.data_to_world(np.full(3, -0.5)))
        middle = surface.data_to_world(np.asarray(surface.vertices, float).mean(axis=0))
        found[name] = {
            "image": np.array(corners).tolist(),
            "surface": np.array(surface.extent.world).tolist(),
            "label_in_the_middle": str(image.data[tuple(np.rint(image.world_to_data(middle)).astype(int))]),
            "name": surface.name,
        }
    return found


def drawn_by_navis(mesh):
    neuron = mesh.to_navis()
    return {
        "units": str(neuron.units),
        "id": str(neuron.id),
        "name": neuron.name,
        "same": bool(np.array_equal(neuron.vertices, mesh.vertices) and np.array_equal(neuron.faces, mesh.faces)),
        "volume": float(neuron.volume),
        "extents": [float(each) for each in neuron.bbox.ravel()],
    }


def drawn_by_plotly(mesh):
    figure = mesh.to_plotly()
    # What a browser gets.
    sent = json.loads(figure.to_json())
    (surface,), scene = sent["data"], sent["layout"]["scene"]
    rows, faces = (
        np.stack([np.frombuffer(base64.b64decode(surface[each]["bdata"]), surface[each]["dtype"]) for each in names], 1)
        for names in ("xyz", "ijk")
    )
    return {
        "same": bool(np.array_equal(rows, mesh.vertices) and np.array_equal(faces, mesh.faces)),
        "name": surface["name"],
        "titles": [scene[f"{axis}axis"]["title"]["text"] for axis in "xyz"],
        "aspect": scene["aspectmode"],
        "shown_in_a_notebook": "text/html" in figure._repr_mimebundle_() or bool(figure._repr_html_()),
    }


def main(client, data, segment_id, size, offset):
    sys.path.insert(0, client)
    from voxgate.model.meshes import Mesh

    kept = np.load(data)
    mesh = Mesh(int(segment_id), kept["vertices"], kept["faces"])
    found = {
        "napari": drawn_by_napari(mesh, kept["labels"], numbers(size), numbers(offset)),
        "navis": drawn_by_navis(mesh),
        "plotly": drawn_by_plotly(mesh),
    }
    print(json.dumps(found))


main(*sys.argv[1:])
