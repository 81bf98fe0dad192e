"""Levels that the store computes when it is asked to, asked for through a server."""

import numpy as np
import pytest

from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.servers import SAMPLES, volume_server
from voxgate.client.connection import connect
from voxgate.model.downsampling import Downsampling, DownsamplingState
from voxgate.model.errors import ReadOnly, StoreRefused
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

CORNERS = np.random.default_rng(2).integers(1, 2**63, (3, 6, 9), np.uint64)


@pytest.fixture
def client():
    with bossdb_server() as boss:
        voxels = CORNERS.repeat(4, axis=1).repeat(4, axis=2)
        boss.store.add_channel("lab", "deep", "seg", voxels, num_hierarchy_levels=3)
        options = {"believed_s": 0}
        remotes = {
            "boss": boss_config(boss, options=options),
            "looking": boss_config(boss, options=options, writable=False),
            "files": RemoteConfig(uri=SAMPLES.as_uri()),
        }
        registry = Registry.from_config(RemotesConfig(remotes=remotes))
        with volume_server(registry) as server, connect(server.address) as connected:
            yield connected


def power_of(client, name):
    return client.open(name).capability(Downsampling)


def test_levels_are_asked_for_and_read_when_they_are_there(client):
    power = power_of(client, "boss/lab/deep/seg")
    assert power.downsampling() is DownsamplingState.NONE
    state = power.start_downsampling()
    while state is not DownsamplingState.DONE:
        assert state in (DownsamplingState.QUEUED, DownsamplingState.RUNNING)
        state = power.downsampling()
    with pytest.raises(StoreRefused):
        power.start_downsampling()
    volume = client.open("boss/lab/deep/seg")
    assert len(volume.info.scales) == 3
    np.testing.assert_array_equal(volume.read(volume.info.scales[2].bounds, scale=2)[0], CORNERS)


def test_who_may_not_write_may_look(client):
    power = power_of(client, "looking/lab/deep/seg")
    assert power.downsampling() is DownsamplingState.NONE
    with pytest.raises(ReadOnly, match="takes no writes"):
        power.start_downsampling()
    assert power.downsampling() is DownsamplingState.NONE


def test_a_store_that_computes_nothing_has_no_such_power(client):
    assert power_of(client, "files/fib25/seg") is None
