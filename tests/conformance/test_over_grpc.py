"""The suite on the client's volume: real servers on loopback sockets, over memory, computed and stored volumes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import precomputed_volumes, zarr_volumes
from support.any_volumes import registered
from support.known_volumes import Maker, Writer
from support.memory_volumes import IN_MEMORY
from support.procedural_volumes import COMPUTED
from support.servers import volume_server
from voxgate.client.connection import connect
from voxgate_remotes.testing import ReadConformance, VolumeCase, WriteConformance

WRITABLE: list[Writer] = [
    precomputed_volumes.raw_pyramid,
    precomputed_volumes.raw_channels,
    precomputed_volumes.compressed_segmentation,
    zarr_volumes.v3_blosc_float,
    zarr_volumes.v3_sharded,
    zarr_volumes.ome_v05_with_channels_and_time,
]
READABLE: list[Writer] = [
    *WRITABLE,
    precomputed_volumes.png,
    precomputed_volumes.jpeg,
    precomputed_volumes.gzip_by_cloud_volume,
    precomputed_volumes.sharded_compressed_segmentation,
    zarr_volumes.v2_big_endian_fortran_order,
    zarr_volumes.ome_v04,
]


@contextlib.contextmanager
def served(make: Maker | Writer, root: Path, *, writable: bool) -> Iterator[VolumeCase]:
    """The case of a volume on a server of its own."""
    volume, registry = registered(make, root, writable=writable)
    with volume_server(registry) as server, connect(f"localhost:{server.port}") as client:
        yield volume.case(client.open, writable=writable)


@pytest.fixture(scope="module", params=[*COMPUTED, *READABLE], ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VolumeCase]:
    with served(request.param, tmp_path_factory.mktemp("served"), writable=False) as served_case:
        yield served_case


class TestReadingOverGrpc(ReadConformance):
    pass


class TestReadingMemoryOverGrpc(ReadConformance):
    @pytest.fixture(params=IN_MEMORY, ids=lambda make: make.__name__)
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VolumeCase]:
        with served(request.param, tmp_path, writable=True) as served_case:
            yield served_case


class TestWritingOverGrpc(WriteConformance):
    @pytest.fixture(params=[*IN_MEMORY, *WRITABLE], ids=lambda make: make.__name__)
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VolumeCase]:
        with served(request.param, tmp_path, writable=True) as served_case:
            yield served_case
