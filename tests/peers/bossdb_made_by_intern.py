"""A user of the published intern makes volumes through a gateway, writes, reads, erases and meshes them.

HOST FOLDER COLLECTION…: box.json and {dtype}.npy are in the folder; what intern read comes beside them, as
COLLECTION_NAME.npy, and its mesh as COLLECTION.obj. Prints what intern says. Only the peer and numpy are imported here.
"""

import json
import sys
import warnings

import numpy as np
from intern import array
from intern.remote.boss import BossRemote
from intern.resource.boss import CollectionResource
from intern.service.boss.httperrorlist import HTTPErrorList
from requests import HTTPError

EXTENTS, VOXEL_SIZE = (40, 90, 70), (33, 5, 5)


def status_of(call, *args):
    """The HTTP status that intern was refused with; 0 for none."""
    try:
        call(*args)
    except HTTPErrorList as errors:
        return errors.http_errors[0].response.status_code
    except HTTPError as error:
        return error.response.status_code
    return 0


def play(config, folder, collection, asked):
    save = lambda name, voxels: np.save(f"{folder}/{collection}_{name}.npy", np.asarray(voxels))  # noqa: E731
    inside = tuple(slice(*asked[axis]) for axis in "zyx")
    ranges = [asked[axis] for axis in "xyz"]
    told = {}
    for dtype in ("uint8", "uint16", "uint64"):
        name = f"{collection}/of_{dtype}/voxels"
        made = array(name, create_new=True, dtype=dtype, extents=EXTENTS, voxel_size=VOXEL_SIZE, boss_config=config)
        made[inside] = np.load(f"{folder}/{dtype}.npy")
        again = array(name, boss_config=config)
        save(f"{dtype}_part", again[inside])
        save(f"{dtype}_whole", again[0:40, 0:90, 0:70])
        told[dtype] = [list(again.shape), str(again.dtype), list(again.voxel_size), again.voxel_unit]
    remote = BossRemote(config)
    channel = remote.get_channel("voxels", collection, "of_uint64")
    save("split", remote.get_cutout(channel, 0, *ranges, parallel=False, chunk_size=(17, 13, 5)))
    save("filtered", remote.get_cutout(channel, 0, *ranges, id_list=[asked["label"]]))
    mesh = remote.mesh(channel, 0, *ranges, id_list=[asked["label"]], voxel_size=[5, 5, 33])
    with open(f"{folder}/{collection}.obj", "wb") as file:
        file.write(mesh.obj_mesh())
    told["ids"] = [int(each) for each in remote.get_ids_in_region(channel, 0, *ranges)]
    x, y, z = ([ends[0], ends[0] + 6] for ends in ranges)
    image = remote.get_channel("voxels", collection, "of_uint8")
    remote.create_cutout(image, 0, x, y, z, np.eye(6, dtype=np.uint8)[np.newaxis].repeat(6, 0) * 200)
    save("after_zeros", remote.get_cutout(image, 0, x, y, z))
    remote.create_cutout_to_black(image, 0, x, [y[0] + 1, y[1]], z)
    save("after_black", remote.get_cutout(image, 0, x, y, z))
    outside = status_of(remote.create_cutout, image, 0, [66, 72], y, z, np.ones((6, 6, 6), np.uint8))
    told["refused"] = {"outside": outside, "again": status_of(remote.create_project, CollectionResource(collection))}
    told["metadata"] = metadata(remote, channel) if asked["metadata"] else None
    return told


def metadata(remote, channel):
    remote.create_metadata(channel, {"licence": "CC0", "by": "us"})
    remote.update_metadata(channel, {"by": "them"})
    found = remote.get_metadata(channel, ["licence", "by"])
    remote.delete_metadata(channel, ["licence"])
    return [found, remote.list_metadata(channel)]


def main(host, folder, collections):
    warnings.simplefilter("ignore")
    with open(f"{folder}/box.json") as file:
        asked = json.load(file)
    config = {"protocol": "http", "host": host, "token": "somebody"}
    kept = asked.pop("keep_metadata")
    print(json.dumps({c: play(config, folder, c, {**asked, "metadata": c in kept}) for c in collections}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
