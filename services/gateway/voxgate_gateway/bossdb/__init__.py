"""The BossDB dialect, version 1: every volume is a channel of an experiment of a collection, under `/v1/`.

Facts of the service: its public sources (jhuapl-boss: boss, spdb, intern), and what published clients ask of it.
"""

from voxgate_gateway.bossdb.call import Dialect
from voxgate_gateway.bossdb.routes import ROUTES

__all__ = ["ROUTES", "Dialect"]
