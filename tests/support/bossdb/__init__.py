"""A server of the BossDB REST API, version 1, for tests: what the public service's source does, its traps included.

It follows the public sources of the service (jhuapl-boss: boss, spdb, boss-tools) and is held against the published
client `intern`. Left out: groups, permissions, users, tiles and images, ingest.
"""

from .messages import Record, Request, User
from .payloads import Compression
from .server import BossServer, bossdb_server

__all__ = ["BossServer", "Compression", "Record", "Request", "User", "bossdb_server"]
