"""What z5py writes and reads of N5. Argument: a JSON file, a list of jobs, done in order.

{"do": "create", "container", "dataset", "array", "chunks", "compression", "attributes", "absent"}: a dataset of a .npy
file; of `absent`, a chunk's index, nothing is written. {"do": "group", "container", "name", "attributes"}: a group.
{"do": "write", "container", "dataset", "array", "start"}: into a dataset. {"do": "read", "container", "dataset",
"array"}: into a .npy file. Arrays, chunks and starts are z, y, x, as z5py shows them.
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import z5py

made = set()
jobs = json.loads(Path(sys.argv[1]).read_text())
for job in jobs:
    container = job["container"]
    begin = job["do"] in ("create", "group") and container not in made and not Path(container).exists()
    mode = "w" if begin else "r" if job["do"] == "read" else "r+"
    made.add(container)
    file = z5py.File(container, mode, use_zarr_format=False)
    if job["do"] == "create":
        voxels = np.load(job["array"])
        options = {"chunks": tuple(job["chunks"]), "compression": job["compression"]}
        dataset = file.create_dataset(job["dataset"], shape=voxels.shape, dtype=voxels.dtype, **options)
        counts = [range(-(-extent // chunk)) for extent, chunk in zip(voxels.shape, job["chunks"], strict=True)]
        for index in itertools.product(*counts):
            if list(index) != job.get("absent"):
                cut = tuple(
                    slice(i * c, min((i + 1) * c, e))
                    for i, c, e in zip(index, job["chunks"], voxels.shape, strict=True)
                )
                dataset[cut] = voxels[cut]
        for key, value in job.get("attributes", {}).items():
            dataset.attrs[key] = value
    elif job["do"] == "group":
        group = file.require_group(job["name"])
        for key, value in job["attributes"].items():
            group.attrs[key] = value
    elif job["do"] == "write":
        voxels = np.load(job["array"])
        file[job["dataset"]][tuple(slice(s, s + n) for s, n in zip(job["start"], voxels.shape, strict=True))] = voxels
    else:
        np.save(job["array"], file[job["dataset"]][:])
print(json.dumps({"version": z5py.__version__, "jobs": len(jobs)}))
