"""What ome-zarr makes of images in a folder, and what its models of the specification say of their metadata.

FOLDER NAME…: the voxels of each level beside it, as NAME-LEVEL.npy.
"""

import json
import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import open_ome_zarr


def main(folder, names):
    told = {}
    for name in names:
        (node, *_) = Reader(parse_url(folder / name))()
        for index, level in enumerate(node.data):
            np.save(folder / f"{name}-{index}.npy", level.compute())
        metadata = node.metadata
        told[name] = {
            "axes": [axis["name"] for axis in metadata["axes"]],
            "units": [axis.get("unit") for axis in metadata["axes"]],
            "transformations": metadata["coordinateTransformations"],
            "channels": metadata.get("channel_names"),
            "windows": metadata.get("contrast_limits"),
            "colors": metadata.get("colormap"),
            "valid": type(open_ome_zarr(zarr.open_group(folder / name, mode="r"))).__name__,
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
