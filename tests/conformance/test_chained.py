"""The suite on a server's volume as another server's client sees it: two connections and three codecs away."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import precomputed_volumes, zarr_volumes
from support.any_volumes import registered
from support.chains import chained_registry
from support.known_volumes import Maker, Writer
from support.memory_volumes import IN_MEMORY
from support.procedural_volumes import COMPUTED
from support.servers import volume_server
from voxgate.client.connection import connect
from voxgate_remotes.testing import ReadConformance, VolumeCase, WriteConformance

READABLE: list[Maker | Writer] = [
    *COMPUTED,
    *IN_MEMORY,
    precomputed_volumes.sharded_compressed_segmentation,
    zarr_volumes.ome_v05_with_channels_and_time,
]


@contextlib.contextmanager
def chained(make: Maker | Writer, root: Path, *, writable: bool) -> Iterator[VolumeCase]:
    """The case of a volume on a server that another server has as a remote."""
    volume, registry = registered(make, root, writable=writable)
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(volume_server(registry))
        near = stack.enter_context(volume_server(chained_registry(far.address, "/data", writable=writable)))
        client = stack.enter_context(connect(near.address))
        yield volume.case(
            lambda name, options=None: client.open(f"next{name.removeprefix('data')}", options), writable=writable
        )


@pytest.fixture(scope="module", params=READABLE, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VolumeCase]:
    with chained(request.param, tmp_path_factory.mktemp("far"), writable=False) as chained_case:
        yield chained_case


class TestReadingThroughAChain(ReadConformance):
    pass


class TestWritingThroughAChain(WriteConformance):
    @pytest.fixture(params=IN_MEMORY, ids=lambda make: make.__name__)
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VolumeCase]:
        with chained(request.param, tmp_path, writable=True) as chained_case:
            yield chained_case
