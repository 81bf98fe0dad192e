"""In an environment with napari and its plug-in for OME-Zarr: the layers that it makes of images at addresses.

FOLDER URL…: what each layer shows of each level into the folder, as NUMBER-LAYER-LEVEL.npy, numbers counting the
addresses; prints what the layers are as one JSON document.
"""

import json
import sys
from pathlib import Path

import numpy as np
from napari.layers import Layer
from napari.layers.utils.stack_utils import split_channels
from napari_ome_zarr import napari_get_reader


def main(folder, urls):
    told = []
    for number, url in enumerate(urls):
        layers = [layer for made in napari_get_reader(url)(url) for layer in layers_of(*made)]
        for index, layer in enumerate(layers):
            for level, data in enumerate(layer.data if layer.multiscale else [layer.data]):
                np.save(folder / f"{number}-{index}-{level}.npy", np.asarray(data))
        told.append([described(layer) for layer in layers])
    print(json.dumps(told))


def layers_of(data, settings, kind):
    """The layers that a viewer adds: one for each channel."""
    if "channel_axis" not in settings:
        return [Layer.create(data, settings, kind)]
    return [Layer.create(*each) for each in split_channels(data, **settings)]


def described(layer):
    finest = layer.data[0] if layer.multiscale else layer.data
    low, high = (layer.data_to_world(corner) for corner in ([-0.5] * layer.ndim, np.array(finest.shape) - 0.5))
    return {
        "kind": type(layer).__name__,
        "name": layer.name,
        "levels": len(layer.data) if layer.multiscale else 1,
        "extent": (np.array(high) - np.array(low)).tolist(),
        "units": [str(unit) for unit in layer.units],
        "window": [float(each) for each in getattr(layer, "contrast_limits", [])],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
