"""The suites on volumes behind a cache: cold, warm, from disk, and with room for next to nothing."""

from pathlib import Path

import pytest

from support import decoders, passing_volumes, precomputed_volumes, zarr_volumes
from support.cached_volumes import cached
from support.known_volumes import PATH, Maker, Writer, opener
from support.memory_volumes import IN_MEMORY
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import Decode, EncodedConformance, ReadConformance, VolumeCase, WriteConformance

FILES: list[Writer] = [
    precomputed_volumes.sharded_compressed_segmentation,
    zarr_volumes.ome_v05_with_channels_and_time,
    zarr_volumes.v3_sharded,
    zarr_volumes.v2_plain_nested_with_a_fill_value,
]
TINY = {"memory_bytes": 3000}
ROOMY = {"memory_bytes": 1 << 24}


def of_files(writer: Writer, root: Path, cache: dict[str, object]) -> VolumeCase:
    """A volume of files whose operator configured a cache."""
    volume = writer(root / PATH)
    stated = {"uri": root.as_uri(), "immutable": True, "volumes": {volume.path: volume.stated}, "cache": cache}
    registry = Registry.from_config(RemotesConfig(remotes={"data": RemoteConfig.model_validate(stated)}))
    return volume.case(registry.open, writable=False)


@pytest.fixture(
    scope="module",
    params=[(w, kind) for w in FILES for kind in ("roomy", "tiny", "disk")],
    ids=lambda p: p[0].__name__ + "-" + p[1],
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    writer, kind = request.param
    root = tmp_path_factory.mktemp("stored")
    disk = {"memory_bytes": 0, "disk": str(tmp_path_factory.mktemp("kept"))}
    return of_files(writer, root, {"roomy": ROOMY, "tiny": TINY, "disk": disk}[kind])


class TestReadingThroughACache(ReadConformance):
    pass


class TestStoredChunksThroughACache(EncodedConformance):
    @pytest.fixture(
        params=[
            precomputed_volumes.sharded_compressed_segmentation,
            zarr_volumes.v2_blosc,
            *passing_volumes.PASSING[:2],
        ],
        ids=lambda writer: writer.__name__,
    )
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCase:
        return of_files(request.param, tmp_path, {**TINY, "disk": str(tmp_path / "kept")})

    @pytest.fixture
    def decode(self) -> Decode:
        return decoders.decode


@pytest.fixture(params=IN_MEMORY, ids=lambda make: make.__name__)
def written(request: pytest.FixtureRequest) -> VolumeCase:
    make: Maker = request.param
    remote, volume = make()
    return volume.case(opener(cached(remote, writable=True, **ROOMY)), writable=True)


class TestReadingMemoryThroughACache(ReadConformance):
    @pytest.fixture
    def case(self, written: VolumeCase) -> VolumeCase:
        return written


class TestWritingThroughACache(WriteConformance):
    @pytest.fixture
    def case(self, written: VolumeCase) -> VolumeCase:
        return written
