"""BossDB, a cloud database of volumes, over its REST interface v1."""

from voxgate_remotes.bossdb.remote import BossRemote

__all__ = ["BossRemote"]
