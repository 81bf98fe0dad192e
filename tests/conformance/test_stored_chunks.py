"""The suite of stored chunks on every volume that hands them out, and which do not."""

import pytest

from support import decoders, passing_volumes, precomputed_volumes, zarr_volumes
from support.known_volumes import PATH, TIME, Maker, Writer, opener
from support.memory_volumes import IN_MEMORY
from voxgate.model.volumes import EncodedChunks, OpenOptions
from voxgate_remotes.testing import Decode, EncodedConformance, VolumeCase

STORED: list[Writer] = [
    *precomputed_volumes.WRITABLE,
    *precomputed_volumes.READ_ONLY,
    zarr_volumes.v2_blosc,
    zarr_volumes.v2_plain_nested_with_a_fill_value,
    zarr_volumes.v3_gzip,
    zarr_volumes.v3_blosc_float,
    zarr_volumes.v3_sharded,
    zarr_volumes.v3_sharded_by_tensorstore,
    zarr_volumes.ome_v04,
    *passing_volumes.PASSING,
]
KEPT: list[Writer] = [
    zarr_volumes.v2_big_endian_fortran_order,
    zarr_volumes.v2_xyz_order,
    zarr_volumes.v3_big_endian,
    zarr_volumes.ome_v05_with_channels,
    zarr_volumes.ome_v05_with_channels_and_time,
    *passing_volumes.KEPT,
]


@pytest.fixture(scope="module", params=STORED, ids=lambda writer: writer.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    root = tmp_path_factory.mktemp("stored")
    volume = request.param(root / PATH)
    return volume.case(volume.registry(root, writable=False).open, writable=False)


@pytest.fixture
def decode() -> Decode:
    return decoders.decode


class TestStoredChunksOfFiles(EncodedConformance):
    pass


class TestStoredChunksOfMemory(EncodedConformance):
    @pytest.fixture(params=IN_MEMORY, ids=lambda make: make.__name__)
    def case(self, request: pytest.FixtureRequest) -> VolumeCase:
        make: Maker = request.param
        remote, volume = make()
        return volume.case(opener(remote), writable=True)


@pytest.mark.parametrize("writer", KEPT, ids=lambda writer: writer.__name__)
def test_chunks_in_another_order_or_behind_other_codecs_are_never_passed_on(writer, tmp_path):
    volume = writer(tmp_path / PATH)
    options = OpenOptions(time_index=TIME if volume.time_count > 1 else None)
    opened = volume.registry(tmp_path, writable=False).open(f"data/{PATH}", options)
    assert opened.capability(EncodedChunks) is None
    assert (opened.read(volume.scales[0].bounds) == volume.scales[0].voxels).all()
