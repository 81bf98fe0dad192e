"""What the published intern client does with a DVID server, as JSON. Arguments: host and port, an open version."""

import json
import sys

import numpy as np
from intern.remote.dvid import DVIDRemote
from intern.resource.dvid.resource import DataInstanceResource, RepositoryResource
from requests import HTTPError

host, uuid = sys.argv[1:]
remote = DVIDRemote({"protocol": "http", "host": host})
gray = DataInstanceResource("gray", uuid, "uint8blk", datatype="uint8")
seg = DataInstanceResource("seg", uuid, "labelblk", datatype="uint64")
told = {"created": [remote.create_project(each) for each in (gray, seg)]}

voxels = np.arange(32 * 64 * 32, dtype=np.uint8).reshape(32, 64, 32)
ids = voxels.astype(np.uint64) + np.uint64(2**63)
box = [32, 64], [-64, 0], [0, 32]
remote.create_cutout(gray, 0, *box, voxels)
remote.create_cutout(seg, 0, *box, ids)
part = [35, 61], [-60, -7], [5, 9]
told["equal"] = [
    bool(np.array_equal(remote.get_cutout(gray, 0, *part), voxels[5:9, 4:57, 3:29])),
    bool(np.array_equal(remote.get_cutout(seg, 0, *part), ids[5:9, 4:57, 3:29])),
]
told["extents"] = remote.get_extents(gray)
told["versioned"] = remote.get_info(gray)["Base"]["Versioned"]
told["alias"] = remote.get_info(RepositoryResource(uuid))["Alias"]
told["types"] = sorted(remote.get_server_types())


def refused(action, *args):
    """The status and the words of a refusal."""
    try:
        action(*args)
    except HTTPError as fault:
        return str(fault).replace(uuid, "UUID")
    return None


told["unaligned"] = refused(remote.create_cutout, gray, 0, [33, 65], *box[1:], voxels)
told["deleted"] = refused(remote.delete_project, gray)
remote.post_log(uuid, "one")
told["log"] = json.loads(remote.get_log(uuid))["log"][0].split("Z  ")[1]
told["committed"] = remote.commit(uuid, "done", "two") == uuid
told["branch"] = refused(remote.branch, uuid, "next")
told["locked"] = refused(remote.post_log, uuid, "late")
print(json.dumps(told))
