"""What an author states about a volume, and the boxes that are tried on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    OpenOptions,
    Volume,
    VolumeKind,
    Voxels,
)

PROPERTY = settings(
    max_examples=30,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    # The case outlives the examples on purpose: opening a store is slow, and reading must not change it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
"""How property tests of the suite run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFacts:
    """What is true of one scale.

    Attributes:
        voxels: array of shape (c, z, y, x), the volume's dtype: every voxel of the scale.
        start: global coordinates of the first voxel; better not 0, and different on each axis.
        voxel_size_nm: nanometres; None where the store does not say.
        chunk_shape: the stored chunk in voxels; None leaves it unchecked.
        absent: boxes, inside the scale, that no stored chunk overlaps; their voxels are the fill value.
    """

    voxels: Voxels
    start: Vec3 = field(default_factory=lambda: Vec3(0, 0, 0))
    voxel_size_nm: VoxelSize | None = None
    chunk_shape: Vec3 | None = None
    absent: tuple[Box, ...] = ()

    @property
    def bounds(self) -> Box:
        """The voxels that exist."""
        _, z, y, x = self.voxels.shape
        return Box.at(self.start, Vec3(x, y, z))

    def cut(self, box: Box) -> Voxels:
        """The true voxels of `box`."""
        return self.voxels[:, *box.slices_zyx(self.start)]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCase:
    """A volume and the truth about it.

    Attributes:
        open: opens the volume; called several times, and must hand on `options.context`. Where the volume has time
            points it replaces `options.time_index` itself.
        scales: the truth, finest first.
        kind: what the voxels mean.
        axes: the axes the store has: "zyx", "czyx", "tzyx" or "tczyx".
        time_count: time points.
        fill_value: the value of absent voxels.
        open_missing: tries to open what does not exist, and so raises UnknownVolume; None leaves that unchecked.
        writable: whether the volume takes writes.
        merges: of a writable volume, whether boxes that cut write granules are merged rather than refused.
        atomic_chunks: of a writable volume, whether a reader beside a writer of whole granules finds each stored chunk
            old or new, never between; a store that erases before it writes cannot promise that.
    """

    open: Callable[[OpenOptions], Volume]
    scales: tuple[ScaleFacts, ...]
    kind: VolumeKind
    axes: str = "zyx"
    time_count: int = 1
    fill_value: int | float = 0
    open_missing: Callable[[], object] | None = None
    writable: bool = False
    merges: bool = True
    atomic_chunks: bool = True

    def opened(self) -> Volume:
        """The volume, for a caller with endless patience."""
        return self.open(OpenOptions())


def expect(condition: object, message: str) -> None:
    """Fail the test unless `condition` is true (shipped code keeps `assert` for nobody)."""
    if not condition:
        raise AssertionError(message)


def expect_voxels(found: Voxels, true: Voxels, what: str) -> None:
    """Fail the test unless both arrays have the same shape, dtype and numbers, NaN included."""
    expect(found.shape == true.shape, f"{what}: shape {found.shape}, should be {true.shape}")
    expect(found.dtype == true.dtype, f"{what}: dtype {found.dtype}, should be {true.dtype}")
    np.testing.assert_array_equal(found, true, err_msg=what)


@st.composite
def boxes_in(draw: st.DrawFn, bounds: Box) -> Box:
    """Any non-empty box inside `bounds`; hypothesis leans towards the edges and towards single voxels."""
    ends = []
    for low, high in zip(bounds.start, bounds.stop, strict=True):
        start = draw(st.integers(low, high - 1))
        ends.append((start, draw(st.integers(start + 1, high))))
    x, y, z = ends
    return Box.of(x=x, y=y, z=z)


@st.composite
def scales_and_boxes(draw: st.DrawFn, case: VolumeCase) -> tuple[int, Box]:
    """Any scale of a volume and any box in it."""
    scale = draw(st.integers(0, len(case.scales) - 1))
    return scale, draw(boxes_in(case.scales[scale].bounds))


def telling_boxes(bounds: Box) -> list[Box]:
    """Boxes where adapters go wrong; the last one is an unaligned middle.

    Everything, a cube (whose shape does not give a transposition away), both corner voxels, a row along each axis.
    """
    start, stop, one = bounds.start, bounds.stop, Vec3(1, 1, 1)
    last = stop - one
    rows = [
        Box(start, Vec3(stop.x, start.y + 1, start.z + 1)),
        Box(Vec3(last.x, start.y, last.z), stop),
        Box(Vec3(start.x, last.y, start.z), Vec3(start.x + 1, stop.y, stop.z)),
    ]
    middle = Box(
        Vec3.minimum(last, start + Vec3(1, 2, 1)),
        Vec3.maximum(Vec3.minimum(last, start + Vec3(1, 2, 1)) + one, stop - Vec3(2, 1, 1)),
    )
    side = min(bounds.shape)
    cube = Box(stop - Vec3(side, side, side), stop)
    return [bounds, cube, Box.at(start, one), Box(last, stop), *rows, middle]


def bad_boxes(bounds: Box) -> list[Box]:
    """Boxes that reach outside of `bounds`: by one voxel on each side, and far off."""
    steps = [Vec3(1, 0, 0), Vec3(0, 1, 0), Vec3(0, 0, 1)]
    low = [Box(bounds.start - step, bounds.stop) for step in steps]
    high = [Box(bounds.start, bounds.stop + step) for step in steps]
    far = Box.at(bounds.stop + Vec3(1000, 1000, 1000), Vec3(1, 2, 3))
    return [*low, *high, far]


def empty_boxes(bounds: Box) -> list[Box]:
    """Boxes without a voxel: of no extent on one axis, and inverted."""
    start, stop = bounds.start, bounds.stop
    return [Box(start, start), Box(start, Vec3(stop.x, stop.y, start.z)), Box(stop, start)]
