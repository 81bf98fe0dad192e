"""A cache before a slow store: a remote whose volumes keep the stored chunks that were read, in memory and on disk."""

from voxgate_remotes.caching.counts import CacheReport
from voxgate_remotes.caching.remote import CachedRemote

__all__ = ["CacheReport", "CachedRemote"]
