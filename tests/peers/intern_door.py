"""Run in the environment of the published intern: the lines of a user, before the change to voxgate.array.

intern_door.py ADDRESS TOKEN FOLDER write|read
"""

import json
import sys

import numpy as np
from intern import array

address, token, folder, phase = sys.argv[1:]
boss_config = {"protocol": "http", "host": address, "token": token}
told = {}
for dtype in ("uint8", "uint64"):
    if phase == "write":
        a = array(
            f"door/by_intern/{dtype}",
            create_new=True,
            dtype=dtype,
            extents=(40, 90, 70),
            voxel_size=(33, 5, 5),
            voxel_unit="nanometers",
            boss_config=boss_config,
        )
        a[3:20, 11:85, 7:50] = np.load(f"{folder}/{dtype}.npy")
    else:
        a = array(f"door/by_voxgate/{dtype}", boss_config=boss_config)
        np.save(f"{folder}/read_{dtype}.npy", a[3:20, 11:85, 7:50])
        np.save(f"{folder}/plane_{dtype}.npy", a[5, 0:90, 0:70])
    names = (a.collection_name, a.experiment_name, a.channel_name)
    told[dtype] = {"shape": a.shape, "dtype": a.dtype, "unit": a.voxel_unit, "size": a.voxel_size, "names": names}
    told[dtype]["status"] = a.downsample_status
print(json.dumps(told))
