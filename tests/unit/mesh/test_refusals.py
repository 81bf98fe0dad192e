"""Everything that can be refused is refused before a voxel is read."""

from dataclasses import replace

import numpy as np
import pytest

from support.mesh_volumes import SIZE, CountingVolume, segmentation
from voxgate.model import errors
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.mesh_facts import Simplification
from voxgate.model.meshes import MeshRequest
from voxgate.model.requests import check_opened
from voxgate.model.volumes import (
    CallContext,
    Channel,
    LabelView,
    OpenOptions,
    VolumeKind,
)
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.computing import compute_segments
from voxgate_mesh.meshing import MeshingSettings, mesh_segments
from voxgate_serving.workers import WorkerPool

LABELS = np.ones((4, 5, 6), np.uint32)
DEFAULTS = MeshLimits()
LIMITS = MeshLimits(max_segment_count=3, max_scan_voxel_count=100)


def start(volume, request, limits=DEFAULTS):
    settings = MeshingSettings(limits)
    return mesh_segments(volume, request, workers=WorkerPool(0), context=CallContext(), settings=settings)


def refused(error, request, *, limits=DEFAULTS, match=None, **changed_info):
    volume = CountingVolume(segmentation(LABELS))
    volume.info = replace(volume.info, **changed_info)
    with pytest.raises(error, match=match) as caught:
        start(volume, request, limits)
    assert volume.boxes == []
    assert type(caught.value) is error
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("ids", "error", "match"),
    [
        ((), errors.InvalidArgument, "no segment id"),
        ((1, 0), errors.InvalidSegmentId, "background"),
        ((-4,), errors.InvalidSegmentId, "-4"),
        ((2**64,), errors.InvalidSegmentId, str(2**64)),
        ((5, 2**63 + 1, 2**63 + 1), errors.InvalidArgument, f"{2**63 + 1} was asked for twice"),
    ],
)
def test_bad_ids_are_refused(ids, error, match):
    refused(error, MeshRequest(ids), match=match)


def test_too_many_ids_and_too_many_voxels_are_refused_with_the_limit():
    error = refused(errors.LimitExceeded, MeshRequest((1, 2, 3, 4)), limits=LIMITS)
    assert error.details == {"limit": "3", "asked": "4"}
    error = refused(errors.LimitExceeded, MeshRequest((1,)), limits=LIMITS)
    assert error.details == {"limit": "100", "asked": "120"}
    assert "bounds" in error.remedy
    assert "coarser" in error.remedy


def test_bad_scales_and_boxes_are_refused():
    refused(errors.UnknownScale, MeshRequest((1,), scale=1))
    refused(errors.UnknownScale, MeshRequest((1,), scale=-1))
    refused(errors.EmptyBox, MeshRequest((1,), bounds=Box(Vec3(0, 14, 102), Vec3(0, 16, 103))))
    refused(errors.OutOfBounds, MeshRequest((1,), bounds=Box(Vec3(-8, 12, 100), Vec3(-1, 16, 103))))


def test_an_open_border_needs_two_voxels():
    box = Box(Vec3(-7, 12, 100), Vec3(-1, 13, 104))
    refused(errors.InvalidArgument, MeshRequest((1,), bounds=box, closed=False), match="open border")


def test_what_has_no_segments_is_refused():
    for changed in (
        {"kind": VolumeKind.IMAGE},
        {"dtype": np.dtype("<f4")},
        {"dtype": np.dtype("<i8")},
        {"axes": "czyx", "channels": (Channel("a"), Channel("b"))},
    ):
        error = refused(errors.MissingCapability, MeshRequest((1,)), **changed)
        assert error.details == {"capability": "segmentation"}


def test_a_volume_of_unknown_kind_with_unsigned_voxels_is_meshed_when_asked():
    assert list(start(segmentation(LABELS, kind=VolumeKind.UNKNOWN), MeshRequest((1,))))


def test_an_unknown_voxel_size_is_refused_with_the_line_to_configure():
    volume = segmentation(LABELS, size=None)
    volume._info = replace(volume.info, name="lab/deep/seg")
    with pytest.raises(errors.ConfigInvalid) as caught:
        start(volume, MeshRequest((1,)))
    assert 'voxel_size_nm = [x, y, z] under [remotes.lab.volumes."deep/seg"]' in caught.value.remedy


@pytest.mark.parametrize("size", [(4.0, 0.0, 40.0), (4.0, -6.0, 40.0), (float("nan"), 6.0, 40.0)])
@pytest.mark.parametrize("wishes", [{}, {"simplification": Simplification(9.0)}, {"normals": True}])
def test_voxels_without_extent_are_refused_with_the_line_to_configure(size, wishes):
    volume = CountingVolume(segmentation(LABELS))
    scale = replace(volume.info.scales[0], voxel_size_nm=VoxelSize(*size))
    volume.info = replace(volume.info, name="lab/deep/seg", scales=(scale, scale))
    with pytest.raises(errors.ConfigInvalid, match="have no extent") as caught:
        compute_segments(
            volume,
            MeshRequest((1,), **wishes),
            workers=WorkerPool(0),
            context=CallContext(),
            settings=MeshingSettings(),
        )
    assert 'voxel_size_nm = [x, y, z] under [remotes.lab.volumes."deep/seg"]' in caught.value.remedy
    assert volume.boxes == []


def test_an_unknown_mesher_is_refused():
    refused(errors.InvalidArgument, MeshRequest((1,), mesher="nope"), match="zmesh")


def test_a_time_must_be_picked_and_a_label_view_must_exist():
    info = segmentation(LABELS, size=SIZE).info
    check_opened(info, OpenOptions())
    with pytest.raises(errors.InvalidArgument, match="3 time points"):
        check_opened(replace(info, axes="tzyx", time_count=3), OpenOptions())
    check_opened(replace(info, axes="tzyx", time_count=3), OpenOptions(time_index=2))
    with pytest.raises(errors.MissingCapability):
        check_opened(info, OpenOptions(label_view=LabelView.SUPERVOXELS))
