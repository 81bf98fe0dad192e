"""What ome-zarr makes of images at addresses, and what its models of the specification say of their metadata.

FOLDER URL…: the voxels of each level into the folder, as NUMBER-LEVEL.npy, numbers counting the addresses.
"""

import json
import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import open_ome_zarr


def main(folder, urls):
    told = []
    for number, url in enumerate(urls):
        (node, *_) = Reader(parse_url(url))()
        for index, level in enumerate(node.data):
            np.save(folder / f"{number}-{index}.npy", level.compute())
        metadata = node.metadata
        told.append(
            {
                "axes": [axis["name"] for axis in metadata["axes"]],
                "units": [axis.get("unit") for axis in metadata["axes"]],
                "transformations": metadata["coordinateTransformations"],
                "channels": metadata.get("channel_names"),
                "windows": metadata.get("contrast_limits"),
                "valid": type(open_ome_zarr(zarr.open_group(url, mode="r"))).__name__,
            }
        )
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
