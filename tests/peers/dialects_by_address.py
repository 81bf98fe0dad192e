"""In the environment of ome-zarr or of napari: a box of the finest level of images at addresses.

CLIENT FOLDER BOX URL…: the box's voxels into the folder, as NUMBER.npy, numbers counting the addresses; the box is the
JSON of [start, stop] for each axis, from 0. Prints the client with its release.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np


def ome_zarr(url, box):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    (node, *_) = Reader(parse_url(url))()
    return node.data[0][box].compute()


def napari(url, box):
    """What the one layer shows that a viewer makes of it."""
    from napari.layers import Layer
    from napari_ome_zarr import napari_get_reader

    (made,) = napari_get_reader(url)(url)
    layer = Layer.create(*made)
    finest = layer.data[0] if layer.multiscale else layer.data
    return np.asarray(finest[box])


CLIENTS = {"ome-zarr": ome_zarr, "napari-ome-zarr": napari}


def main(client, folder, spans, urls):
    box = tuple(slice(*span) for span in json.loads(spans))
    for number, url in enumerate(urls):
        np.save(folder / f"{number}.npy", CLIENTS[client](url, box))
    print(json.dumps(f"{client} {version(client)}"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
