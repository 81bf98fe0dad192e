"""What the published intern reads of a channel that somebody else made and wrote; prints it as JSON.

Arguments: address, token, collection, experiment, channel, folder. The voxels of the box in the folder's box.json are
put into its read.npy. Only the peer and numpy are imported here.
"""

import json
import sys
import warnings

import numpy as np
from intern.remote.boss import BossRemote


def main():
    warnings.simplefilter("ignore")
    address, token, collection, experiment, name, folder = sys.argv[1:7]
    remote = BossRemote({"protocol": "http", "host": address, "token": token})
    with open(f"{folder}/box.json") as file:
        asked = json.load(file)
    channel = remote.get_channel(name, collection, experiment)
    frame = remote.get_coordinate_frame(remote.get_experiment(collection, experiment).coord_frame)
    box = [asked[axis] for axis in "xyz"]
    times = [asked["t"]] if "t" in asked else []
    np.save(f"{folder}/read.npy", remote.get_cutout(channel, 0, *box, *times))
    told = {
        "channels": remote.list_channels(collection, experiment),
        "dtype": channel.datatype,
        "type": channel.type,
        "frame": [[frame.x_start, frame.x_stop], [frame.y_start, frame.y_stop], [frame.z_start, frame.z_stop]],
        "voxel_size": [frame.x_voxel_size, frame.y_voxel_size, frame.z_voxel_size],
        "keys": remote.list_metadata(channel),
    }
    told["values"] = remote.get_metadata(channel, told["keys"]) if told["keys"] else {}
    if "label" in asked:
        told["ids"] = [int(one) for one in remote.get_ids_in_region(channel, 0, *box)]
        told["bounds"] = remote.get_bounding_box(channel, 0, asked["label"], "tight")
        told["reserved"] = remote.reserve_ids(channel, 5)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
