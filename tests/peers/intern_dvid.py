"""The published intern on a DVID: reads a box of one instance, writes a box into another; prints what it was told.

Arguments: address, version, instance to read, type of it, instance to write, folder. The folder has box.json with the
two boxes, and write.npy; what was read is put into read.npy. Only the peer and numpy are imported here.
"""

import json
import sys
import warnings

import numpy as np
from intern.remote.dvid import DVIDRemote
from intern.resource.dvid import DataInstanceResource


def main():
    warnings.simplefilter("ignore")
    address, version, read, kind, write, folder = sys.argv[1:7]
    remote = DVIDRemote({"protocol": "http", "host": address})
    with open(f"{folder}/box.json") as file:
        asked = json.load(file)
    dtype = {"uint8blk": "uint8", "labelblk": "uint64"}[kind]
    source = DataInstanceResource(read, version, kind, datatype=dtype)
    np.save(f"{folder}/read.npy", remote.get_cutout(source, 0, *(asked["read"][axis] for axis in "xyz")))
    target = DataInstanceResource(write, version, "uint8blk", datatype="uint8")
    voxels = np.load(f"{folder}/write.npy")
    remote.create_cutout(target, 0, *(asked["write"][axis] for axis in "xyz"), voxels)
    print(json.dumps({"extents": remote.get_extents(source)}))


if __name__ == "__main__":
    main()
