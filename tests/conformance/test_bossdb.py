"""The suite on BossDB channels, over real sockets to a server of our own that does what the service's source does."""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest

from support.boss_remotes import boss_remote
from support.bossdb import BossServer, bossdb_server
from support.known_volumes import TIME, KnownVolume, opener
from support.references import image, segmentation
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance

CUBOID = Vec3(512, 512, 16)
AROUND_A_CORNER = (505, 509, 10)
"""A frame's start from which a few voxels reach into eight cuboids."""
NAMES = count()

Maker = Callable[[BossServer], KnownVolume]


def added(server: BossServer, voxels: np.ndarray, *facts: ScaleFacts, **told) -> KnownVolume:
    """A channel on the server, and what is true of it."""
    names = ("group", f"experiment{next(NAMES)}", "channel")
    channel = server.store.add_channel(*names, voxels, **told)
    kind = VolumeKind.IMAGE if channel.type == "image" else VolumeKind.SEGMENTATION
    times = channel.experiment.num_time_samples
    axes = "tzyx" if times > 1 else "zyx"
    return KnownVolume(facts, kind, axes, time_count=times, path="/".join(names))


def facts(voxels: np.ndarray, size: tuple[float, float, float], start: tuple[int, int, int] = (0, 0, 0)) -> ScaleFacts:
    return ScaleFacts(voxels=voxels, start=Vec3(*start), voxel_size_nm=VoxelSize(*size), chunk_shape=CUBOID)


def uint8_image(server: BossServer) -> KnownVolume:
    voxels = image((1, 9, 11, 17), "<u1")
    return added(server, voxels[0], facts(voxels, (4, 5, 40), AROUND_A_CORNER), start=AROUND_A_CORNER,
                 voxel_size=(4, 5, 40))  # fmt: skip


def uint16_in_micrometres(server: BossServer) -> KnownVolume:
    voxels = image((1, 5, 3, 14), "<u2")
    told = {"start": (3, 1000, 7), "voxel_size": (0.5, 0.25, 2), "voxel_unit": "micrometers"}
    return added(server, voxels[0], facts(voxels, (500, 250, 2000), (3, 1000, 7)), **told)


def uint32_image(server: BossServer) -> KnownVolume:
    voxels = image((1, 7, 4, 9), "<u4")
    return added(server, voxels[0], facts(voxels, (1, 1, 1), (1, 2, 3)), start=(1, 2, 3), type="image")


def uint64_annotation(server: BossServer) -> KnownVolume:
    voxels = segmentation((1, 8, 6, 15))
    return added(server, voxels[0], facts(voxels, (8, 8, 33), (500, 3, 12)), start=(500, 3, 12), voxel_size=(8, 8, 33))


def anisotropic_levels(server: BossServer) -> KnownVolume:
    """Of odd extents; z starts elsewhere and is the same at every level."""
    shapes = [(1, 5, 13, 29), (1, 5, 7, 15), (1, 5, 4, 8)]
    levels = [segmentation(shape, seed=seed) for seed, shape in enumerate(shapes)]
    known = [facts(level, (6 * 2**r, 6 * 2**r, 30), (0, 0, 20)) for r, level in enumerate(levels)]
    told = {"start": (0, 0, 20), "voxel_size": (6, 6, 30), "levels": [level[0] for level in levels[1:]]}
    return added(server, levels[0][0], *known, **told)


def isotropic_levels(server: BossServer) -> KnownVolume:
    shapes = [(1, 9, 13, 30), (1, 5, 7, 15), (1, 3, 4, 8)]
    levels = [image(shape, "<u1", seed) for seed, shape in enumerate(shapes)]
    known = [facts(level, (5 * 2**r, 5 * 2**r, 5 * 2**r)) for r, level in enumerate(levels)]
    told = {"voxel_size": (5, 5, 5), "levels": [level[0] for level in levels[1:]], "hierarchy_method": "isotropic"}
    return added(server, levels[0][0], *known, **told)


def levels_of_voxels_that_are_not_square(server: BossServer) -> KnownVolume:
    """The service cannot tell about their levels, and has them."""
    levels = [image(shape, "<u2", seed) for seed, shape in enumerate([(1, 4, 11, 21), (1, 4, 6, 11)])]
    known = [facts(levels[0], (4, 6, 40)), facts(levels[1], (8, 12, 40))]
    return added(server, levels[0][0], *known, voxel_size=(4, 6, 40), levels=[levels[1][0]])


def base_above_the_native_level(server: BossServer) -> KnownVolume:
    levels = [segmentation((1, 4, 7, 15)), segmentation((1, 4, 4, 8), seed=1)]
    known = [facts(levels[0], (8, 8, 40)), facts(levels[1], (16, 16, 40))]
    told = {"stop": (29, 13, 4), "voxel_size": (4, 4, 40), "base_resolution": 1, "num_hierarchy_levels": 3}
    return added(server, levels[0][0], *known, levels=[levels[1][0]], **told)


def time_series(server: BossServer) -> KnownVolume:
    voxels = image((4, 5, 6, 13), "<u2")
    truth = voxels[TIME][None]
    return added(server, voxels, facts(truth, (1, 1, 2), (9, 0, 15)), start=(9, 0, 15), voxel_size=(1, 1, 2),
                 num_time_samples=4)  # fmt: skip


def frame_below_zero(server: BossServer) -> KnownVolume:
    """No voxel below 0 has an address."""
    voxels = image((1, 12, 9, 33), "<u1")
    truth = np.ascontiguousarray(voxels[:, 5:, 3:, 20:])
    return added(server, voxels[0], facts(truth, (1, 1, 1)), start=(-20, -3, -5))


def levels_that_cannot_be_asked_for(server: BossServer) -> KnownVolume:
    """The service holds level 1, which starts at 50, against a frame that starts at 100."""
    voxels = image((1, 4, 5, 30), "<u1")
    told = {"start": (100, 0, 0), "levels": [voxels[0, :, :3, :15]]}
    return added(server, voxels[0], facts(voxels, (1, 1, 1), (100, 0, 0)), **told)


WRITABLE: list[Maker] = [uint8_image, uint16_in_micrometres, uint32_image, uint64_annotation, time_series]
READABLE: list[Maker] = [
    *WRITABLE,
    anisotropic_levels,
    isotropic_levels,
    levels_of_voxels_that_are_not_square,
    base_above_the_native_level,
    frame_below_zero,
    levels_that_cannot_be_asked_for,
]


@pytest.fixture(scope="module")
def server() -> Iterator[BossServer]:
    with bossdb_server(serves_uint32=True) as running:
        yield running


def case_of(server: BossServer, make: Maker, *, writable: bool) -> VolumeCase:
    volume = make(server)
    return volume.case(opener(boss_remote(server, writable=writable)), writable=writable)


@pytest.fixture(scope="module", params=READABLE, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, server: BossServer) -> VolumeCase:
    return case_of(server, request.param, writable=False)


class TestReadingBossDB(ReadConformance):
    pass


class TestWritingBossDB(WriteConformance):
    @pytest.fixture(params=WRITABLE, ids=lambda make: make.__name__)
    def case(self, request: pytest.FixtureRequest, server: BossServer) -> VolumeCase:
        return case_of(server, request.param, writable=True)
