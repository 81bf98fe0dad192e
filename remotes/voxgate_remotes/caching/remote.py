"""A remote whose volumes are cached."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from voxgate.model.remotes import CallerBound, Deletable, ListEntry, Remote, ResolvedUri
from voxgate.model.volumes import CallContext, OpenOptions, Volume, VolumeInfo, VolumeSpec
from voxgate_remotes.caching.chunks import ChunkCache
from voxgate_remotes.caching.counts import CacheReport, Counts
from voxgate_remotes.caching.keys import Place, place_of, short_digest
from voxgate_remotes.caching.tier_disk import DiskTier, check_folder
from voxgate_remotes.caching.tier_memory import MemoryTier
from voxgate_remotes.caching.volume import CachedVolume, Shelf
from voxgate_remotes.config import CacheConfig, RemoteConfig, dotted
from voxgate_remotes.derived import Derived

C = TypeVar("C")


class CachedRemote:
    """A remote behind a cache of stored chunks; everything else is the inner one's. Thread-safe as that one is."""

    def __init__(
        self, name: str, inner: Remote, config: RemoteConfig, *, clock: Callable[[], float] | None = None
    ) -> None:
        """Make the cache, empty but for what is on disk.

        Args:
            name: the remote's.
            inner: the remote.
            config: the operator's, with a `cache`.
            clock: seconds since 1970; None for the real one.

        Raises:
            ConfigInvalid: when the folder of the disk tier cannot be written to.
        """
        stated = config.cache or CacheConfig()
        counts = Counts()
        self._name = name
        self._inner = inner
        self._config = config
        # What two remotes keep is never mixed, nor what one kept before it was told to ask otherwise.
        self._digest = short_digest(name, config.uri, config.options)
        disk = None
        if stated.disk:
            check_folder(Path(stated.disk), dotted("remotes", name, "cache", "disk"))
            disk = DiskTier(Path(stated.disk), self._digest, stated.disk_bytes, counts)
        timed = {} if clock is None else {"clock": clock}
        self._cache = ChunkCache(
            MemoryTier(stated.memory_bytes, counts),
            disk,
            counts,
            ttl_s=stated.ttl_s,
            is_written=config.writable,
            **timed,
        )
        self._context = CallContext()
        self._is_bound = inner.capability(CallerBound) is not None
        self._places: Derived[tuple[Place, ...]] = Derived()

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open a volume; see `Remote.open`. The store is asked whether it is there."""
        return self._cached(path, self._inner.open(path, options), options)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under `parent`."""
        return self._inner.list(parent)

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume; see `Remote.create`. Nothing that was kept under its name outlives that."""
        try:
            volume = self._inner.create(path, spec)
        finally:
            self._cache.forget(path)
        return self._cached(path, volume, OpenOptions(context=self._context))

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote."""
        return self._inner.resolve(uri)

    def capability(self, kind: type[C]) -> C | None:
        """What the inner remote can do; deleting and binding to a caller only through here."""
        found = self._inner.capability(kind)
        if found is not None and kind in (Deletable, CallerBound):
            return cast("C", self)
        return found

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete a volume, and all that was kept of it; see `Deletable.delete`."""
        deletable = self._inner.capability(Deletable)
        if deletable is None:
            return
        try:
            deletable.delete(path)
        finally:
            self._cache.forget(path)

    def for_caller(self, context: CallContext) -> CachedRemote:
        """The same remote and cache, for one caller."""
        bound = self._inner.capability(CallerBound)
        if bound is None:
            return self
        cached = copy.copy(self)
        cached._inner = bound.for_caller(context)
        cached._context = context
        return cached

    def report(self) -> CacheReport:
        """The cache as it is now."""
        return self._cache.report(self._name)

    def settle(self) -> None:
        """Wait until what is to be on disk is there."""
        self._cache.settle()

    def _cached(self, path: tuple[str, ...], volume: Volume, options: OpenOptions) -> Volume:
        stated = self._config.immutable or self._config.overrides(path).immutable
        # Whom a store is asked for may decide what it answers: then nobody is told what another was.
        caller = options.context.caller.name if self._is_bound else ""

        def derive(info: VolumeInfo) -> tuple[Place, ...]:
            never = stated or info.immutable
            return tuple(
                place_of(self._digest, path, info, options, (index, never, caller)) for index in range(len(info.scales))
            )

        key = (path, options.time_index, options.label_view, caller)
        return CachedVolume(volume, Shelf(self._cache, self._places.get(key, volume.info, derive)), options)
