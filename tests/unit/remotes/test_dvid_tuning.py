"""How many requests a read of DVID is, and how many at a time: ours, or what the operator states."""

from collections.abc import Iterator

import numpy as np
import pytest

from support.dvid import DvidServer, dvid_server
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.dvid import DvidRemote
from voxgate_remotes.dvid.volume import DvidVolume

BOX = Box.of(x=(3, 60), y=(17, 46), z=(5, 33))


@pytest.fixture(scope="module")
def server() -> Iterator[DvidServer]:
    with dvid_server() as running:
        root = running.store.add_repo(alias="cells")
        instance = running.store.add_instance(root, "em", "uint8blk", BlockSize="16,16,16")
        voxels = np.random.default_rng(3).integers(0, 256, (48, 64, 80), np.uint8)
        instance.write(running.store.resolve(root)[1], (0, 0, 0), (80, 64, 48), voxels.tobytes())
        yield running


def opened(server: DvidServer, **tuning: int) -> DvidVolume:
    config = RemoteConfig.model_validate({"uri": f"dvid://{server.url}", "tuning": tuning})
    return DvidRemote(config).open(("cells", "em"), OpenOptions())


def requests_of(server: DvidServer, volume: DvidVolume) -> int:
    before = len(server.requests)
    volume.read(BOX)
    return len(server.requests) - before


def test_a_small_box_is_one_request(server: DvidServer):
    assert requests_of(server, opened(server)) == 1


def test_an_operator_states_smaller_requests_and_gets_the_same_voxels(server: DvidServer):
    tuned = opened(server, request_bytes=4096, parallel_reads=3)
    assert (tuned.tuning.request_bytes, tuned.tuning.parallel_reads) == (4096, 3)
    assert tuned.tuning.alignment == Vec3(16, 16, 16)
    assert requests_of(server, tuned) == 4 * 2 * 3
    assert np.array_equal(tuned.read(BOX), opened(server).read(BOX))


def test_requests_are_counted_from_the_first_block_of_the_box(server: DvidServer):
    """From voxel 0 a box of 32 voxels that starts at 16 would be cut at 32, although one request has room for it."""
    tuned = opened(server, request_bytes=32 * 16 * 16)
    before = len(server.requests)
    tuned.read(Box.of(x=(16, 48), y=(16, 32), z=(1, 31)))
    asked = [one.path.split("/raw/0_1_2/")[1] for one in server.requests[before:]]
    assert sorted(asked) == ["32_16_15/16_16_1", "32_16_15/16_16_16"]


def test_what_is_not_stated_stays_as_we_declare_it(server: DvidServer):
    declared, tuned = opened(server).tuning, opened(server, parallel_reads=2).tuning
    assert tuned.request_bytes == declared.request_bytes
    assert tuned.parallel_reads == 2 != declared.parallel_reads
