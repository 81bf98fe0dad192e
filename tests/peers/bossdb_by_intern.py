"""The published intern on volumes that a gateway serves in BossDB's words.

FOLDER: its asked.json is a list of {"address": HOST/COLLECTION/EXPERIMENT/CHANNEL, "resolution", "x", "y", "z"}, ranges
of voxels. The voxels come into the folder, as NUMBER.npy, numbers counting the list: read through intern.array, or
through BossRemote where "remote" is true. Prints what intern says of each. Only the peer
and numpy are imported here.
"""

import json
import sys
import warnings
from importlib.metadata import version

import numpy as np
from intern import array
from intern.remote.boss import BossRemote


def look(asked, path):
    host, collection, experiment, channel = asked["address"].split("/")
    config = {"protocol": "http", "host": host, "token": "public"}
    remote = BossRemote(config)
    ranges = [asked[axis] for axis in "xyz"]
    a = array(f"{collection}/{experiment}/{channel}", resolution=asked["resolution"], boss_config=config)
    known = remote.get_channel(channel, collection, experiment)
    if asked.get("remote"):
        np.save(path, remote.get_cutout(known, asked["resolution"], *ranges))
    else:
        np.save(path, a[tuple(slice(*ends) for ends in reversed(ranges))])
    found = remote.get_experiment(collection, experiment)
    return {
        "shape": list(a.shape),
        "voxel_size": list(a.voxel_size),
        "unit": a.voxel_unit,
        "extents": [list(each) for each in remote.get_extents(found)],
        "resolutions": list(a.available_resolutions),
        "channels": remote.list_channels(collection, experiment),
        "listed": collection in remote.list_collections(),
        "type": known.type,
    }


def main(folder):
    warnings.simplefilter("ignore")
    with open(f"{folder}/asked.json") as file:
        told = [look(each, f"{folder}/{number}.npy") for number, each in enumerate(json.load(file))]
    print(json.dumps({"peer": f"intern {version('intern')}", "told": told}))


if __name__ == "__main__":
    main(sys.argv[1])
