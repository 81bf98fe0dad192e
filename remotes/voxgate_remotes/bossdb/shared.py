"""What all volumes of one BossDB remote share."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.model.geometry import Vec3
from voxgate.model.volumes import ReadTuning
from voxgate_remotes.bossdb.channels import CUBOID, Channels
from voxgate_remotes.bossdb.client import BossClient
from voxgate_remotes.bossdb.options import BossOptions
from voxgate_remotes.bossdb.regions import Regions
from voxgate_remotes.bossdb.workers import Workers
from voxgate_remotes.config import TuningConfig

PARALLEL_REQUESTS = 8
REQUEST_BYTES = 512 * 512 * 48
"""12.6 MB, three cuboids of bytes. See "What a request should be" in docs/explanations/performance.md: far away, eight
of these are read as fast as four of twice the size, and more of them fit what a server holds of a cutout."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One remote's connections, threads, descriptions, writers and settings."""

    client: BossClient
    channels: Channels
    workers: Workers
    regions: Regions
    options: BossOptions
    tuning: ReadTuning

    def request_shape(self, voxel_bytes: int) -> Vec3:
        """The grid on which writes are cut: whole cuboids, as many along z as the wanted size has room for."""
        layers = max(1, self.tuning.request_bytes // (CUBOID.product * voxel_bytes))
        return Vec3(CUBOID.x, CUBOID.y, CUBOID.z * layers)


def tuning_of(stated: TuningConfig) -> ReadTuning:
    """The adapter's numbers, the operator's in their place."""
    parallel, size = stated.parallel_reads or PARALLEL_REQUESTS, stated.request_bytes or REQUEST_BYTES
    return ReadTuning(parallel, size, CUBOID)
