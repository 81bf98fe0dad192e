"""The same lines with the published intern and with voxgate.array, on the same BossDB test server."""

import numpy as np
import pytest

import voxgate
from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.peers import run_peer
from support.servers import volume_server
from voxgate.client.connection import connect
from voxgate_remotes.config import RemotesConfig
from voxgate_remotes.registry import Registry

RANDOM = np.random.default_rng(17)
VOXELS = {
    "uint8": RANDOM.integers(0, 255, (17, 74, 43), np.uint8, endpoint=True),
    "uint64": RANDOM.choice(np.array([0, 7, 2**53 + 1, 2**63 + 7], np.uint64), (17, 74, 43)),
}


@pytest.fixture(scope="module")
def meeting(tmp_path_factory):
    """What intern told while it wrote and read, its folder, and a client of a server that has the same BossDB."""
    folder = tmp_path_factory.mktemp("door")
    for dtype, voxels in VOXELS.items():
        np.save(folder / f"{dtype}.npy", voxels)
    with bossdb_server() as boss:
        told = {"write": run_peer("intern", "intern_door.py", boss.address, boss.token, folder, "write")}
        registry = Registry.from_config(RemotesConfig(remotes={"boss": boss_config(boss)}))
        with volume_server(registry) as server, connect(server.address) as client:
            for dtype, voxels in VOXELS.items():
                a = voxgate.array(
                    f"door/by_voxgate/{dtype}",
                    create_new=True,
                    dtype=dtype,
                    extents=(40, 90, 70),
                    voxel_size=(33, 5, 5),
                    voxel_unit="nanometers",
                    client=client,
                )
                a[3:20, 11:85, 7:50] = voxels
            told["read"] = run_peer("intern", "intern_door.py", boss.address, boss.token, folder, "read")
            yield told, folder, client


@pytest.mark.parametrize("dtype", VOXELS)
def test_what_intern_wrote_is_read_and_described_alike(meeting, dtype):
    told, _, client = meeting
    a = voxgate.array(f"bossdb://door/by_intern/{dtype}", client=client)
    assert np.array_equal(a[3:20, 11:85, 7:50], VOXELS[dtype])
    assert not a[:3].any()
    intern = told["write"][dtype]
    assert (list(a.shape), a.dtype, a.voxel_unit) == (intern["shape"], intern["dtype"], intern["unit"])
    assert [a.collection_name, a.experiment_name, a.channel_name] == intern["names"]
    assert a.downsample_status == intern["status"]
    # intern answers x, y, z where it was told z, y, x.
    assert list(a.voxel_size) == intern["size"][::-1]


@pytest.mark.parametrize("dtype", VOXELS)
def test_what_voxgate_created_and_wrote_intern_reads(meeting, dtype):
    told, folder, client = meeting
    assert np.array_equal(np.load(folder / f"read_{dtype}.npy"), VOXELS[dtype])
    plane = np.zeros((90, 70), dtype)
    plane[11:85, 7:50] = VOXELS[dtype][2]
    assert np.array_equal(np.load(folder / f"plane_{dtype}.npy"), plane)
    assert np.array_equal(voxgate.array(f"door/by_voxgate/{dtype}", client=client)[5], plane)
    assert told["read"][dtype] == told["write"][dtype] | {"names": ["door", "by_voxgate", dtype]}
