"""What is said of skeletons where a volume is described."""

import numpy as np
import pytest

from support.mesh_volumes import CountingVolume, segmentation
from support.servers import OneVolume
from voxgate.model.skeletons import StoredSkeletons
from voxgate.model.volumes import CallContext, VolumeKind
from voxgate_remotes.registry import Registry
from voxgate_volume.catalog import Catalog

LABELS = np.ones((3, 4, 5), np.uint64)


class Keeper(CountingVolume):
    """A volume whose store keeps skeletons."""

    def capability(self, kind):
        return self if kind is StoredSkeletons else super().capability(kind)


@pytest.mark.parametrize(
    ("volume", "support", "why"),
    [
        (segmentation(LABELS), "surrogate", ""),
        (Keeper(segmentation(LABELS)), "native", ""),
        (segmentation(LABELS, size=None), "unavailable", "voxel size is unknown"),
        (Keeper(segmentation(LABELS, size=None)), "native", ""),
        (segmentation(LABELS, kind=VolumeKind.IMAGE), "unavailable", "is an image"),
        (segmentation(LABELS.astype(np.float32)), "unavailable", "unsigned integers"),
    ],
)
def test_skeletons_are_kept_or_computed_or_it_is_said_why_not(volume, support, why):
    facts = Catalog(Registry({"lab": OneVolume(volume)})).describe("lab/x", "", CallContext())
    (offer,) = (each for each in facts.info.services if each.name == "skeletons")
    assert offer.support == support
    assert why in offer.why
    assert bool(offer.why) == (support == "unavailable")
