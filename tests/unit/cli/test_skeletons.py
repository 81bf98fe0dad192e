"""skeleton: what is asked for, and what is saved and said."""

import os

import numpy as np
import pytest

from support.array_volume import segmentation
from voxgate.client.array import VolumeArray
from voxgate.model.errors import SegmentNotFound
from voxgate.model.skeletons import Skeleton, SkeletonFailure, SkeletonRequest, SkeletonSource, Teasar

HUGE, ABSENT = (1 << 63) + 5, 3
VERTICES = np.array([[2, 3, 20], [6, 3, 20], [6, 6, 60], [90, 9, 60]], np.float32)
EDGES = np.array([[0, 1], [1, 2]], np.uint32)


class Tracer:
    """A segmentation whose skeletons somebody computes; keeps what was asked."""

    def __init__(self):
        self._volume = segmentation()
        self.info = self._volume.info
        self.asked = []

    def read(self, box, **wishes):
        return self._volume.read(box, **wishes)

    def capability(self, kind):
        return self if kind is SkeletonSource else None

    def skeletons(self, request, *, progress=None):
        self.asked.append(request)
        if progress is not None:
            progress("reading", 1, 2)
        for segment_id in request.segment_ids:
            if segment_id == ABSENT:
                yield SkeletonFailure(segment_id, SegmentNotFound("segment 3 does not occur there"))
            else:
                radii = np.ones(4, np.float32)
                yield Skeleton(segment_id, VERTICES, EDGES, radii, "", "computed", request.scale or 0)


@pytest.fixture
def tracer(client):
    volume = Tracer()
    client.arrays["lab/deep/seg"] = VolumeArray(volume)
    return volume


def test_a_skeleton_is_saved_and_described(voxgate, tracer):
    answer = voxgate("skeleton", "lab/deep/seg", str(HUGE), "-o", "body.swc")
    assert answer.code == 0
    assert answer.out == "body.swc: computed, 4 vertices, 2 edges, 44 nm\n"
    with open("body.swc") as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    assert [row[6] for row in rows] == ["-1", "1", "2", "-1"]
    assert tracer.asked == [SkeletonRequest((HUGE,))]


def test_scale_source_and_parameters_are_passed_on(voxgate, tracer):
    wishes = ("--source", "computed", "--scale", "half", "--teasar-scale", "2", "--teasar-const-nm", "40")
    document = voxgate("skeleton", "lab/deep/seg", str(HUGE), "-o", "body.swc", *wishes, "--json").document
    assert tracer.asked == [SkeletonRequest((HUGE,), "computed", 1, Teasar(2.0, 40.0))]
    assert {key: document[key] for key in ("segment_id", "origin", "scale", "tree_count", "edge_count")} == {
        "segment_id": str(HUGE),
        "origin": "computed",
        "scale": 1,
        "tree_count": 2,
        "edge_count": 2,
    }
    voxgate("skeleton", "lab/deep/seg", str(HUGE), "-o", "other.swc", "--scale", "1")
    assert tracer.asked[-1] == SkeletonRequest((HUGE,), scale=1)


@pytest.mark.parametrize(
    ("segment", "wishes", "code"),
    [
        (str(ABSENT), (), 3),
        ("0", (), 1),
        (str(HUGE), ("--source", "elsewhere"), 1),
        (str(HUGE), ("--source", "stored", "--scale", "0"), 1),
        (str(HUGE), ("--teasar-scale", "-1"), 1),
        (str(HUGE), ("--scale", "9"), 3),
    ],
)
def test_what_cannot_be_leaves_no_file(voxgate, tracer, segment, wishes, code):
    assert voxgate("skeleton", "lab/deep/seg", segment, "-o", "body.swc", *wishes).code == code
    assert os.listdir() == []


def test_one_array_asks_for_several_in_one_request(tracer):
    array = VolumeArray(tracer)
    told = []
    found = array.skeletons([HUGE, 8, HUGE], teasar_scale=2.0, progress=lambda *step: told.append(step))
    assert [each.segment_id for each in found] == [HUGE, 8, HUGE]
    assert tracer.asked == [SkeletonRequest((HUGE, 8), teasar=Teasar(2.0, 300.0))]
    assert told == [("reading", 1, 2)]
    assert array.scale(1).skeleton(8).scale == 1
    with pytest.raises(SegmentNotFound):
        array.skeletons([8, ABSENT])
