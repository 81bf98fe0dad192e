"""Which scale answers a wish for fewer triangles."""

from dataclasses import replace

import numpy as np
import pytest

from support.mesh_volumes import segmentation
from voxgate.model.errors import InvalidArgument, LimitExceeded, MissingCapability, SegmentNotFound, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.mesh_facts import Simplification
from voxgate.model.mesh_stream import MeshEnding
from voxgate.model.meshes import MeshRequest
from voxgate_mesh.leveling import Superseded, leveled, scales_to_try

SIZES = ((4, 6, 40), (8, 12, 40), (16, 24, 40), (32, 48, 80))
"""Scales that are halved along x and y first, as those of flat voxels are."""
SOME, OTHER, TINY, ABSENT = 2**63 + 7, 2**53 + 1, 5, 6
COUNTS = {
    0: {SOME: 64_000, OTHER: 1_200, TINY: 20},
    1: {SOME: 16_000, OTHER: 300, TINY: 8},
    2: {SOME: 4_000, OTHER: 80},
    3: {SOME: 900, OTHER: 24},
}


def pyramid(sizes=SIZES):
    info = segmentation(np.ones((3, 4, 5), np.uint8)).info
    scales = [
        replace(info.scales[0], key=str(i), voxel_size_nm=size and VoxelSize(*size)) for i, size in enumerate(sizes)
    ]
    return replace(info, scales=tuple(scales))


def wished(error=None, faces=None, **request):
    return MeshRequest((SOME, OTHER), simplification=Simplification(error, faces), **request)


class Meshing:
    """Answers how many triangles segments have at a scale; remembers what it was asked for."""

    def __init__(self, *, refused=None, broken=None):
        self.asked = []
        self._refused = refused or {}
        self._broken = broken or {}

    def __call__(self, request):
        self.asked.append((request.scale, request.segment_ids))
        self.search = request.search
        if request.scale in self._refused:
            raise self._refused[request.scale]
        return self._events(request)

    def _events(self, request):
        for segment_id in request.segment_ids:
            if request.scale in self._broken and segment_id != SOME:
                raise self._broken[request.scale]
            count = COUNTS[request.scale].get(segment_id)
            error = SegmentNotFound(f"no {segment_id}") if count is None else None
            yield MeshEnding(segment_id, count or 0, count or 0, error, scale=request.scale)


def answered(meshing, *ids, error=None, faces=None, **request):
    asked = MeshRequest(ids, simplification=Simplification(error, faces), **request)
    events = list(leveled(pyramid(), asked, meshing))
    endings = {event.segment_id: event for event in events if isinstance(event, MeshEnding)}
    assert sorted(endings) == sorted(ids)
    assert len([event for event in events if isinstance(event, MeshEnding)]) == len(ids)
    return endings, [event.segment_id for event in events if isinstance(event, Superseded)]


@pytest.mark.parametrize(
    ("error", "scales"),
    [(79.9, (0,)), (80, (2, 0)), (95.9, (2, 0)), (159, (2, 0)), (160, (3, 0)), (1e6, (3, 0)), (1e-9, (0,))],
)
def test_voxels_are_at_most_half_as_long_as_the_error_on_every_axis(error, scales):
    assert scales_to_try(pyramid(), wished(error)) == scales


def test_a_number_of_triangles_is_looked_for_from_the_coarsest_and_no_coarser_than_the_error_allows():
    assert scales_to_try(pyramid(), wished(faces=100)) == (3, 2, 1, 0)
    assert scales_to_try(pyramid(), wished(100, 100)) == (2, 1, 0)
    assert scales_to_try(pyramid(), wished(3, 100)) == (0,)


def test_a_named_scale_and_a_wish_for_nothing_choose_nothing():
    assert scales_to_try(pyramid(), wished(1e6, scale=1)) == (1,)
    assert scales_to_try(pyramid(), MeshRequest((SOME,))) == (0,)
    assert scales_to_try(pyramid(SIZES[:1]), wished(1e6)) == (0,)


def test_scales_of_unknown_voxel_size_are_left_out():
    assert scales_to_try(pyramid((SIZES[0], None, SIZES[2], (0, 1, 1))), wished(faces=4)) == (2, 0)
    assert scales_to_try(pyramid((None, None)), wished(faces=4)) == (0,)


def test_bounds_without_the_scale_that_they_are_in_are_refused():
    box = Box(Vec3(-7, 12, 100), Vec3(-3, 14, 102))
    with pytest.raises(InvalidArgument, match="no scale is named") as caught:
        scales_to_try(pyramid(), wished(5, bounds=box))
    assert caught.value.details == {"field": "bounds"}
    assert scales_to_try(pyramid(SIZES[:1]), wished(5, bounds=box)) == (0,)
    assert scales_to_try(pyramid(), wished(5, bounds=box, scale=1)) == (1,)


def test_each_segment_is_answered_from_the_coarsest_scale_with_more_than_twice_its_triangles():
    meshing = Meshing()
    endings, superseded = answered(meshing, SOME, OTHER, TINY, faces=150)
    assert {segment_id: ending.scale for segment_id, ending in endings.items()} == {SOME: 3, OTHER: 0, TINY: 0}
    assert meshing.asked == [(3, (SOME, OTHER, TINY)), (2, (OTHER, TINY)), (1, (OTHER, TINY)), (0, (OTHER, TINY))]
    assert superseded == [OTHER, TINY] * 3  # 300 is twice 150, and not more
    assert answered(Meshing(), OTHER, faces=149)[0][OTHER].scale == 1


def test_with_an_error_too_the_finer_of_both_is_meshed():
    assert answered(Meshing(), SOME, error=100, faces=100)[0][SOME].scale == 2
    assert answered(Meshing(), SOME, error=1e6, faces=1000)[0][SOME].scale == 2


def test_what_is_too_small_for_the_scale_of_an_error_is_looked_for_at_the_finest():
    meshing = Meshing()
    endings, _ = answered(meshing, SOME, TINY, ABSENT, error=200)
    assert [endings[each].scale for each in (SOME, TINY, ABSENT)] == [3, 0, 0]
    assert isinstance(endings[ABSENT].error, SegmentNotFound)
    assert meshing.asked == [(3, (SOME, TINY, ABSENT)), (0, (TINY, ABSENT))]


def test_the_first_scale_is_refused_at_once_and_a_store_that_fails_fails_the_call():
    with pytest.raises(LimitExceeded):
        leveled(pyramid(), wished(faces=9), Meshing(refused={3: LimitExceeded("too many voxels")}))
    with pytest.raises(LimitExceeded):
        list(leveled(pyramid(), wished(faces=9), Meshing(broken={3: LimitExceeded("too many voxels")})))
    with pytest.raises(StoreUnavailable):
        list(leveled(pyramid(), wished(faces=9_000), Meshing(broken={1: StoreUnavailable("no answer")})))


def test_where_a_finer_scale_is_refused_the_finest_that_was_meshed_is_the_answer():
    meshing = Meshing(refused={1: LimitExceeded("too many voxels")})
    endings, superseded = answered(meshing, SOME, OTHER, TINY, faces=100)
    assert [endings[each].scale for each in (SOME, OTHER)] == [3, 2]
    assert endings[OTHER].error is None
    assert isinstance(endings[TINY].error, LimitExceeded)  # at the scales that were meshed it does not occur
    assert superseded == [OTHER, TINY]


def test_a_limit_that_a_finer_scale_meets_under_way_is_the_failure_of_those_that_needed_it():
    endings, _ = answered(Meshing(broken={1: LimitExceeded("too many")}), SOME, OTHER, TINY, faces=1_000)
    assert endings[SOME].scale == 2
    assert all(isinstance(endings[each].error, LimitExceeded) for each in (OTHER, TINY))


def test_the_coarsest_scale_is_looked_at_whole_where_a_pyramid_is_asked_for():
    meshing = Meshing()
    answered(meshing, SOME, error=1e6, search="pyramid")
    assert meshing.search == "auto"
    answered(meshing, SOME, error=100, search="pyramid")
    assert meshing.search == "pyramid"
    with pytest.raises(MissingCapability):
        answered(Meshing(refused={2: MissingCapability("no index")}), SOME, error=100, search="index")
