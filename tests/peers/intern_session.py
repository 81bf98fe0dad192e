"""What a user of the published intern does with a BossDB, start to end; prints what intern answered, as JSON.

Arguments: address, token, folder, and the names of steps (all, where none is named). The folder has box.json,
{dtype}.npy, timed.npy and zeros.npy; what intern read is put beside them, as read_*.npy. Only the peer and numpy are
imported here.
"""

import json
import sys
import warnings

import intern
import numpy as np
from intern.remote.boss import BossRemote
from intern.resource.boss import ChannelResource, CollectionResource, CoordinateFrameResource, ExperimentResource
from intern.service.boss.httperrorlist import HTTPErrorList
from requests import HTTPError


def status_of(call, *args, **named):
    """The HTTP status that intern was refused with; 0 for none."""
    try:
        call(*args, **named)
    except HTTPErrorList as errors:
        return errors.http_errors[0].response.status_code
    except HTTPError as error:
        return error.response.status_code
    return 0


class Session:
    """One user's remote, and the folder that voxels are exchanged through."""

    def __init__(self, address, token, folder):
        self.folder = folder
        self.config = {"protocol": "http", "host": address, "token": token}
        self.public = BossRemote({**self.config, "token": "public"})
        self.remote = BossRemote(self.config)
        with open(f"{folder}/box.json") as file:
            self.box = json.load(file)

    def load(self, name):
        return np.load(f"{self.folder}/{name}.npy")

    def save(self, name, voxels):
        np.save(f"{self.folder}/read_{name}.npy", np.asarray(voxels))

    def arrays(self):
        """intern.array: creates everything, writes a box, reads it and more."""
        told = {}
        x, y, z = (slice(*self.box[axis]) for axis in "xyz")
        for dtype in ("uint8", "uint16", "uint64"):
            made = intern.array(
                f"arrays/of_{dtype}/voxels",
                create_new=True,
                dtype=dtype,
                extents=(40, 90, 70),
                voxel_size=(33, 5, 5),
                downsample_levels=3,
                boss_config=self.config,
            )
            made[z, y, x] = self.load(dtype)
            again = intern.array(f"arrays/of_{dtype}/voxels", boss_config=self.config)
            self.save(dtype, again[z, y, x])
            self.save(f"{dtype}_whole", again[0:40, 0:90, 0:70])
            told[dtype] = {
                "shape": list(again.shape),
                "dtype": str(again.dtype),
                "voxel_size": list(again.voxel_size),
                "unit": again.voxel_unit,
                "status": again.downsample_status,
                "resolutions": list(again.available_resolutions),
            }
        return told

    def projects(self):
        """BossRemote: a frame that starts elsewhere, time samples, renaming, deleting."""
        remote = self.remote
        frame = CoordinateFrameResource(
            "offset", "", 500, 560, 20, 61, 9, 40, x_voxel_size=4, y_voxel_size=4, z_voxel_size=40.5
        )
        remote.create_project(CollectionResource("moved", "first words"))
        remote.create_project(frame)
        made = ExperimentResource(
            "timed", "moved", "offset", num_hierarchy_levels=2, hierarchy_method="isotropic", num_time_samples=3
        )
        remote.create_project(made)
        channel = remote.create_project(ChannelResource("voxels", "moved", "timed", "image", datatype="uint16"))
        timed = self.load("timed")
        remote.create_cutout(channel, 0, [505, 523], [21, 30], [10, 17], timed, [1, 3])
        self.save("timed", remote.get_cutout(channel, 0, [505, 523], [21, 30], [10, 17], [1, 3]))
        self.save("default_time", remote.get_cutout(channel, 0, [505, 523], [21, 30], [10, 17]))
        extents = remote.get_extents(remote.get_experiment("moved", "timed"))
        refused = {
            "outside": status_of(remote.get_cutout, channel, 0, [499, 523], [21, 30], [10, 17]),
            "resolution": status_of(remote.get_cutout, channel, 2, [505, 523], [21, 30], [10, 17]),
            "again": status_of(remote.create_project, CollectionResource("moved")),
            "not_empty": status_of(remote.delete_project, CollectionResource("moved")),
            "public_writes": status_of(self.public.create_cutout, channel, 0, [505, 523], [21, 30], [10, 17], timed[0]),
        }
        remote.set_project_public_visibility(channel, True)
        frame.description = "other words"
        listed = {
            "collections": remote.list_collections(),
            "experiments": remote.list_experiments("moved"),
            "channels": remote.list_channels("moved", "timed"),
            "frames": remote.list_coordinate_frames(),
        }
        told = {
            "extents": [list(extent) for extent in extents],
            "refused": refused,
            "listed": listed,
            "public": remote.get_project(channel).public,
            "words": remote.update_project("offset", frame).description,
        }
        for resource in (channel, made, frame, CollectionResource("moved")):
            remote.delete_project(resource)
        told["after"] = {
            "deleted": status_of(remote.get_project, channel),
            "listed": remote.list_collections(),
        }
        return told

    def metadata(self):
        """Key-values: create, list, get, update, delete, and the refusals."""
        remote, resource = self.remote, CollectionResource("arrays")
        remote.create_metadata(resource, {"licence": "CC0", "by": "us"})
        refused = {
            "missing": status_of(remote.get_metadata, resource, ["none"]),
            "again": status_of(remote.create_metadata, resource, {"by": "them"}),
            "absent": status_of(remote.update_metadata, resource, {"none": "x"}),
        }
        remote.update_metadata(resource, {"by": "them"})
        told = {"got": remote.get_metadata(resource, ["licence", "by"]), "refused": refused}
        remote.delete_metadata(resource, ["licence"])
        return {**told, "left": remote.list_metadata(resource)}

    def objects(self):
        """Ids, bounding boxes, reserving and filtering, on the uint64 channel."""
        remote = self.remote
        channel = remote.get_channel("voxels", "arrays", "of_uint64")
        box = [self.box[axis] for axis in "xyz"]
        label = self.box["label"]
        self.save("filtered", remote.get_cutout(channel, 0, *box, id_list=[label]))
        self.save("split", remote.get_cutout(channel, 0, *box, parallel=False, chunk_size=(17, 13, 5)))
        return {
            "ids": remote.get_ids_in_region(channel, 0, *box),
            "tight": remote.get_bounding_box(channel, 0, label, "tight"),
            "loose": remote.get_bounding_box(channel, 0, label, "loose"),
            "unknown": status_of(remote.get_bounding_box, channel, 0, 12345, "tight"),
            "reserved": [remote.reserve_ids(channel, 10), remote.reserve_ids(channel, 1)],
        }

    def zeros(self):
        """Zeros are skipped on writing; create_cutout_to_black erases."""
        remote = self.remote
        channel = remote.get_channel("voxels", "arrays", "of_uint8")
        x, y, z = ([self.box[axis][0], self.box[axis][0] + size] for axis, size in zip("xyz", (6, 5, 4), strict=True))
        remote.create_cutout(channel, 0, x, y, z, self.load("zeros"))
        self.save("after_zeros", remote.get_cutout(channel, 0, x, y, z))
        remote.create_cutout_to_black(channel, 0, x, [y[0] + 1, y[1]], z)
        self.save("after_black", remote.get_cutout(channel, 0, x, y, z))
        return {}

    def seeded(self):
        """A channel with levels that the test put there, by the shared account, through intern.array."""
        channel = self.public.get_channel("levels", "seeded", "all")
        a = intern.array("seeded/all/levels", resolution=1, boss_config={**self.config, "token": "public"})
        self.save("level", a[5:17, 4:11, 3:14])
        return {"status": a.downsample_status, "type": channel.type}


def main():
    warnings.simplefilter("ignore")
    session = Session(*sys.argv[1:4])
    steps = sys.argv[4:] or ("arrays", "projects", "metadata", "objects", "zeros", "seeded")
    print(json.dumps({step: getattr(session, step)() for step in steps}))


if __name__ == "__main__":
    main()
