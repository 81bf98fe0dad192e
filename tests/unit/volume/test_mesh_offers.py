"""What is said of segments, meshes and transfers where a volume is described, and that it is what the services do."""

from dataclasses import replace

import numpy as np
import pytest

from support.mesh_volumes import SIZE, CountingVolume, segmentation
from support.servers import OneVolume
from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import VoxelSize
from voxgate.model.meshes import MeshRequest
from voxgate.model.segments import SegmentIds
from voxgate.model.skeletons import StoredMeshes
from voxgate.model.volumes import CallContext, Channel, VolumeKind
from voxgate_mesh.checks import MeshLimits, plan_request
from voxgate_remotes.registry import Registry
from voxgate_volume.catalog import Catalog

LABELS = np.ones((3, 4, 5), np.uint64)
UNAVAILABLE = "unavailable"


class Having(CountingVolume):
    """A volume whose store has something of its own, and whose description may be changed."""

    def __init__(self, *kinds, labels=LABELS, size=SIZE, **changed):
        super().__init__(segmentation(labels, size=size))
        self._kinds = kinds
        self.info = replace(self.info, **changed)

    def capability(self, kind):
        return self if kind in self._kinds else super().capability(kind)


def flat(size):
    volume = Having()
    scale = replace(volume.info.scales[0], voxel_size_nm=size)
    volume.info = replace(volume.info, scales=(scale,))
    return volume


def offers(volume):
    facts = Catalog(Registry({"lab": OneVolume(volume)})).describe("lab/x", "", CallContext())
    return {offer.name: offer for offer in facts.info.services}


TWO = {"axes": "czyx", "channels": (Channel("a"), Channel("b"))}


@pytest.mark.parametrize(
    ("volume", "segments", "mesh", "why"),
    [
        (Having(), "surrogate", "surrogate", ""),
        (Having(StoredMeshes), "surrogate", "native", ""),
        (Having(SegmentIds), "native", "surrogate", ""),
        (Having(size=None), "surrogate", UNAVAILABLE, "voxel size is unknown"),
        (Having(StoredMeshes, size=None), "surrogate", "native", ""),
        (flat(VoxelSize(4.0, 0.0, 40.0)), "surrogate", UNAVAILABLE, "no extent"),
        (Having(kind=VolumeKind.IMAGE), UNAVAILABLE, UNAVAILABLE, "is an image"),
        (Having(labels=LABELS.astype(np.float32)), UNAVAILABLE, UNAVAILABLE, "unsigned integers"),
        (Having(labels=LABELS.astype(np.int64)), UNAVAILABLE, UNAVAILABLE, "unsigned integers"),
        (Having(**TWO), UNAVAILABLE, UNAVAILABLE, "2 channels"),
        (Having(StoredMeshes, **TWO), UNAVAILABLE, UNAVAILABLE, "2 channels"),
    ],
)
def test_a_volume_says_what_is_native_what_is_a_surrogate_and_why_the_rest_is_not_there(volume, segments, mesh, why):
    told = offers(volume)
    assert (told["segments"].support, told["mesh"].support) == (segments, mesh)
    assert why in told["mesh"].why
    assert all(bool(offer.why) == (offer.support == UNAVAILABLE) for offer in told.values())
    if mesh == UNAVAILABLE:
        with pytest.raises(VoxgateError):
            plan_request(volume.info, MeshRequest((1,)), MeshLimits())
    elif mesh == "surrogate":
        assert plan_request(volume.info, MeshRequest((1,)), MeshLimits())


def test_a_movie_is_meshed_by_its_time_points_and_not_transferred():
    told = offers(Having(axes="tzyx", time_count=3))
    assert told["mesh"].support == "surrogate"
    assert (told["transfer"].support, told["transfer"].why) == (UNAVAILABLE, "it has several time points")
