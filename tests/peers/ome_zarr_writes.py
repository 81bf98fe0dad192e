"""Writes an image of two times and three channels, with windows and labels, as ome-zarr does.

FOLDER VERSION: `FOLDER/movie.zarr`, and beside it the voxels that it has, as numpy files.
"""

import json
import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.format import FormatV04, FormatV05
from ome_zarr.writer import write_image, write_labels

CHANNELS = [
    {"label": "DAPI", "color": "0000FF", "active": True, "window": {"start": 3, "end": 1200, "min": 0, "max": 65535}},
    {"label": "GFP", "color": "00FF00", "active": True, "window": {"start": 0, "end": 777.5, "min": 0, "max": 4095}},
    {"label": "", "color": "FF0000", "active": False, "window": {"start": 1, "end": 2, "min": -5, "max": 9}},
]
SCALE = {"t": 1.0, "c": 1.0, "z": 0.04, "y": 0.005, "x": 0.004}
UNITS = {"z": "micrometer", "y": "micrometer", "x": "micrometer"}


def main(folder, version):
    fmt = FormatV05() if version == "0.5" else FormatV04()
    image = np.random.default_rng(5).integers(0, 2**16, (2, 3, 7, 22, 38), dtype=np.uint16)
    labels = np.random.default_rng(6).integers(2**53, 2**63, (2, 1, 7, 22, 38), dtype=np.int64).astype(np.uint64)
    group = zarr.open_group(folder / "movie.zarr", mode="w", zarr_format=fmt.zarr_format)
    told = {"scale": SCALE, "axes_units": UNITS, "axes": "tczyx", "fmt": fmt, "scale_factors": [2]}
    told["storage_options"] = {"chunks": (1, 1, 4, 9, 16)}
    write_image(image, group, omero={"channels": CHANNELS}, **told)
    write_labels(labels, group, name="cells", **told)
    where = zarr.open_group(folder / "movie.zarr", mode="r")
    for name, at in (("image", where), ("labels", where["labels/cells"])):
        attributes = dict(at.attrs)
        datasets = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
        for index, each in enumerate(datasets):
            np.save(folder / f"{name}-{index}.npy", at[each["path"]][...])
    print(json.dumps({"attributes": dict(where.attrs), "levels": len(datasets)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
