import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, aligned_outward, covered_once, grid_cells
from voxgate.model.volumes import (
    Channel,
    Scale,
    VolumeInfo,
    VolumeKind,
)
from voxgate_transfer.planner import Task, plan_transfer

extents = st.builds(Vec3, st.integers(1, 23), st.integers(1, 19), st.integers(1, 17))
points = st.builds(Vec3, st.integers(-60, 60), st.integers(-60, 60), st.integers(-60, 60))
shapes = st.builds(Vec3, st.integers(1, 71), st.integers(1, 53), st.integers(1, 37))


def volume(*scales: Scale, dtype: str = "<u8", channels: int = 0) -> VolumeInfo:
    names = tuple(Channel(str(i)) for i in range(channels))
    axes = "czyx" if channels else "zyx"
    return VolumeInfo("", np.dtype(dtype), VolumeKind.IMAGE, scales, axes=axes, channels=names)


def scale(bounds: Box, chunk: Vec3, granule: Vec3 | None = None, origin: Vec3 | None = None) -> Scale:
    return Scale("0", bounds, chunk, granule or chunk, origin or bounds.start)


@st.composite
def transfers(draw: st.DrawFn) -> tuple[VolumeInfo, VolumeInfo, int]:
    source, destination = [], []
    for _ in range(draw(st.integers(1, 3))):
        bounds = Box.at(draw(points), draw(shapes))
        source.append(scale(bounds, draw(extents), origin=draw(points)))
        destination.append(scale(bounds, Vec3(1, 1, 1), draw(extents), origin=draw(points)))
    channels, dtype = draw(st.integers(0, 2)), draw(st.sampled_from(["<u1", "<u2", "<u8"]))
    budget = draw(st.integers(1, 200_000))
    one = volume(*source, dtype=dtype, channels=channels)
    return one, volume(*destination, dtype=dtype, channels=channels), budget


@settings(deadline=None, max_examples=150)
@given(transfers())
def test_the_tasks_of_each_scale_cover_its_voxels_exactly_once(case):
    source, destination, budget = case
    plan = plan_transfer(source, destination, task_bytes=budget)
    tasks = list(plan)
    for index, level in enumerate(source.scales):
        assert covered_once(level.bounds, [task.box for task in tasks if task.scale == index])
    assert plan.total_bytes == sum(task.box.voxel_count for task in tasks) * plan.voxel_bytes


@settings(deadline=None, max_examples=150)
@given(transfers())
def test_every_task_is_a_union_of_whole_destination_granules_clipped_to_the_bounds(case):
    source, destination, budget = case
    for task in plan_transfer(source, destination, task_bytes=budget):
        level = destination.scales[task.scale]
        whole = aligned_outward(task.box, level.write_granule_shape, level.grid_origin)
        assert whole.intersection(level.bounds) == task.box


@settings(deadline=None, max_examples=150)
@given(transfers())
def test_a_task_exceeds_its_budget_only_when_it_is_a_single_granule(case):
    source, destination, budget = case
    plan = plan_transfer(source, destination, task_bytes=budget)
    for task in plan:
        level = destination.scales[task.scale]
        if task.box.voxel_count * plan.voxel_bytes > budget:
            granules = list(grid_cells(task.box, level.write_granule_shape, level.grid_origin))
            assert len(granules) == 1


@settings(deadline=None, max_examples=100)
@given(transfers())
def test_tasks_are_numbered_through_all_scales(case):
    plan = plan_transfer(case[0], case[1], task_bytes=case[2])
    assert [plan.task(index) for index in range(plan.task_count)] == list(plan)
    for outside in (-1, plan.task_count):
        with pytest.raises(IndexError):
            plan.task(outside)


def chunk_reads(plan, level: Scale) -> int:
    return sum(len(list(grid_cells(task.box, level.stored_chunk_shape, level.grid_origin))) for task in plan)


def stored_chunks(level: Scale) -> int:
    return len(list(grid_cells(level.bounds, level.stored_chunk_shape, level.grid_origin)))


def test_a_task_grows_until_chunks_of_the_source_are_read_once():
    bounds = Box.of(x=(-37, 600), y=(5, 400), z=(13, 300))
    source = volume(scale(bounds, Vec3(64, 32, 16)), dtype="<u1")
    destination = volume(scale(bounds, Vec3(32, 16, 8)), dtype="<u1")
    plan = plan_transfer(source, destination, task_bytes=1 << 20)
    assert chunk_reads(plan, source.scales[0]) == stored_chunks(source.scales[0])
    assert plan.task_count > 1


def test_a_task_does_not_insist_on_the_common_multiple_of_unrelated_grids():
    bounds = Box.of(x=(0, 5000), y=(0, 5000), z=(0, 5000))
    source = volume(scale(bounds, Vec3(61, 67, 71)), dtype="<u1")
    destination = volume(scale(bounds, Vec3(59, 53, 47)), dtype="<u1")
    shape = plan_transfer(source, destination, task_bytes=8 << 20).scales[0].task_shape
    assert math.lcm(61, 59) * math.lcm(67, 53) * math.lcm(71, 47) > 8 << 30
    assert shape.product <= 8 << 20
    assert shape.product > 1 << 20


def test_unrelated_grids_are_read_less_often_with_a_larger_budget():
    bounds = Box.of(x=(-3, 301), y=(7, 310), z=(2, 290))
    source = volume(scale(bounds, Vec3(30, 20, 10), origin=Vec3(1, 2, 3)), dtype="<u1")
    destination = volume(scale(bounds, Vec3(16, 16, 16)), dtype="<u1")
    plans = [plan_transfer(source, destination, task_bytes=16**3 * factor) for factor in (1, 8, 64, 512)]
    reads = [chunk_reads(plan, source.scales[0]) for plan in plans]
    assert reads == sorted(reads, reverse=True)
    assert reads[0] > 4 * reads[-1]


def test_axes_are_not_mixed_up():
    bounds = Box.of(x=(-10, 90), y=(100, 130), z=(7, 12))
    source, destination = volume(scale(bounds, Vec3(50, 30, 5))), volume(scale(bounds, Vec3(50, 10, 5)))
    plan = plan_transfer(source, destination, task_bytes=50 * 10 * 5 * 8)
    assert list(plan) == [
        Task(0, Box.of(x=(x, x + 50), y=(y, y + 10), z=(7, 12)), 0) for y in (100, 110, 120) for x in (-10, 40)
    ]


def test_a_volume_of_a_million_voxels_a_side_is_planned_without_listing_its_tasks():
    bounds = Box.of(x=(-5, 10**6), y=(3, 10**6), z=(0, 10**6))
    plan = plan_transfer(volume(scale(bounds, Vec3(64, 64, 64))), volume(scale(bounds, Vec3(256, 256, 128))))
    assert plan.task_count > 10**10
    assert plan.task(plan.task_count - 1).box.stop == bounds.stop
