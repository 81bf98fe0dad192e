"""How a store says that it is read fastest is how it is read."""

import threading

import numpy as np
import pytest

from support.array_volume import ArrayVolume, scale_of
from voxgate.model.geometry import Box, Vec3, covered_once
from voxgate.model.volumes import CallContext, ReadTuning, Tuned
from voxgate_volume.cutouts import Cutout, CutRequest

SHAPE_ZYX = (97, 101, 103)


class Told(ArrayVolume):
    """A volume that says how it is read fastest, and remembers how it was read."""

    def __init__(self, tuning):
        super().__init__(np.ones((1, 1, *SHAPE_ZYX), np.uint8), [scale_of(SHAPE_ZYX)])
        self.tuning = tuning
        self.boxes = []
        self.threads = set()
        self.meeting = threading.Barrier(tuning.parallel_reads)

    def capability(self, kind):
        return self if kind is Tuned else None

    def read(self, box, **options):
        self.boxes.append(box)
        self.threads.add(threading.get_ident())
        if len(self.boxes) <= self.tuning.parallel_reads:
            self.meeting.wait(30)  # so many are at work at once, or this breaks
        return super().read(box, **options)


def read_by_service(volume, budget_bytes):
    request = CutRequest(volume.info.scales[0].bounds, piece_bytes=10_000)
    for _ in Cutout(volume, request).pieces(budget_bytes=budget_bytes, context=CallContext()):
        pass
    return volume


@pytest.mark.parametrize("parallel_reads", [1, 3])
def test_reads_are_as_large_and_as_many_as_the_store_says(parallel_reads):
    volume = read_by_service(Told(ReadTuning(parallel_reads, request_bytes=200_000)), 10_000_000)
    assert covered_once(volume.info.scales[0].bounds, volume.boxes)
    sizes = sorted(box.voxel_count for box in volume.boxes)
    assert 100_000 < sizes[-1] <= 200_000
    assert len(volume.boxes) <= 1 + volume.info.scales[0].bounds.voxel_count // 100_000
    assert len(volume.threads) == parallel_reads


def test_the_budget_counts_more_than_what_the_store_likes():
    volume = read_by_service(Told(ReadTuning(2, request_bytes=500_000)), 90_000)
    assert max(box.voxel_count for box in volume.boxes) <= 90_000 // 3
    assert covered_once(Box.at(volume.info.scales[0].bounds.start, Vec3(*reversed(SHAPE_ZYX))), volume.boxes)


def test_a_small_budget_is_for_fewer_reads_rather_than_for_smaller_ones():
    """Of ten threads only so many work as have blocks of a fifth of the budget."""
    tuning = ReadTuning(10, request_bytes=20_000)
    volume = Told(tuning)
    volume.meeting = threading.Barrier(1)
    read_by_service(volume, 100_000)
    assert 10_000 < max(box.voxel_count for box in volume.boxes) <= 20_000
    assert covered_once(volume.info.scales[0].bounds, volume.boxes)
