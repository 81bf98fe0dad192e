"""Remotes over the BossDB test server."""

from typing import Any

import numpy as np

from support.bossdb import BossServer
from support.bossdb.voxels import Level, Region
from voxgate.model.geometry import Box
from voxgate_remotes.bossdb import BossRemote
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.policy import GovernedRemote

PATH = ("lab", "mouse", "em")
ROOT = "/v1/cutout/lab/mouse/em/0/"


def boss_config(server: BossServer, **keys: Any) -> RemoteConfig:
    """A configuration of the server's owner; options and the like by keyword."""
    told = {"uri": f"bossdb://http://{server.address}", "credentials": {"token": server.token}, "writable": True}
    return RemoteConfig.model_validate({**told, **keys})


def boss_remote(server: BossServer, **keys: Any) -> GovernedRemote:
    """A remote as a registry makes it."""
    config = boss_config(server, **keys)
    return GovernedRemote(BossRemote(config), config)


def bare_remote(server: BossServer, **keys: Any) -> BossRemote:
    """The adapter alone."""
    return BossRemote(boss_config(server, **keys))


def held(server: BossServer, box: Box, time: int = 0, path: tuple[str, ...] = PATH) -> np.ndarray:
    """What the server has in a box: array of shape (1, z, y, x), past the adapter."""
    region = Region(box.start.zyx, box.stop.zyx)
    return server.store.channel(*path).voxels.read(Level(0), region, range(time, time + 1))


def erase(server: BossServer, box: Box) -> None:
    """Make voxels of PATH zero, past the adapter."""
    server.store.channel(*PATH).voxels.erase(Level(0), Region(box.start.zyx, box.stop.zyx))
