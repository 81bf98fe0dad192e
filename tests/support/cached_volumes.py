"""Remotes behind a cache, over stores that count what they are asked and can be held up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from support.known_volumes import PATH
from voxgate.model.geometry import Box
from voxgate.model.remotes import CallerBound, ListEntry, Remote, ResolvedUri
from voxgate.model.volumes import (
    C,
    CallContext,
    ChunkPresence,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    OpenOptions,
    Volume,
    VolumeInfo,
    VolumeSpec,
    Voxels,
    Writable,
)
from voxgate_remotes.caching import CachedRemote
from voxgate_remotes.config import RemoteConfig

ASKED = "read", "read_encoded", "is_absent"
NAME = tuple(PATH.split("/"))
UNALIGNED = Box.of(x=(-7, 13), y=(8, 22), z=(1001, 1010))
"""Of `two_scales`: cuts chunks on every side; they are 8 x 6 x 4, and the volume starts at -13, 7, 1000."""
HELD_UP_S = 60.0
"""How long a store is held up at most."""


class Watched:
    """A remote that notes every question about chunks, and calls `before` ahead of each."""

    def __init__(self, inner: Remote, change: Callable[[VolumeInfo], VolumeInfo] = lambda info: info) -> None:
        self.inner = inner
        self.change = change
        self.before: Callable[[str, Box], None] = lambda what, box: None
        self.asked: list[tuple[str, Box, int]] = []
        self.callers: list[str] = []
        self.is_bound = False
        self._lock = threading.Lock()

    def note(self, what: str, box: Box, scale: int) -> None:
        with self._lock:
            self.asked.append((what, box, scale))
        self.before(what, box)

    def taken(self) -> list[tuple[str, Box, int]]:
        """What was asked since the last time."""
        with self._lock:
            asked, self.asked = self.asked, []
        return asked

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        self.callers.append(options.context.caller)
        return cast("Volume", _WatchedVolume(self.inner.open(path, options), self))

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        return self.inner.list(parent)

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        return cast("Volume", _WatchedVolume(self.inner.create(path, spec), self))

    def resolve(self, uri: str) -> ResolvedUri | None:
        return self.inner.resolve(uri)

    def for_caller(self, context: CallContext) -> Watched:
        return self

    def capability(self, kind: type[C]) -> C | None:
        if kind is CallerBound:
            return cast("C", self) if self.is_bound else None
        return self.inner.capability(kind)


class _WatchedVolume:
    def __init__(self, inner: Volume, watch: Watched) -> None:
        self._inner, self._watch = inner, watch
        self.info = watch.change(inner.info)

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        self._watch.note("read", box, scale)
        return self._inner.read(box, scale=scale, channels=channels, out=out)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        self._watch.note("is_absent", box, scale)
        return cast("Any", self._inner).is_absent(box, scale=scale)

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        return cast("Any", self._inner).encodings_of(scale)

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        for cell in cells:
            self._watch.note("read_encoded", cell, scale)
        return cast("Any", self._inner).read_encoded(cells, scale=scale)

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        self._watch.note("write", box, scale)
        cast("Any", self._inner).write(box, voxels, scale=scale)

    def capability(self, kind: type[C]) -> C | None:
        found = self._inner.capability(kind)
        if found is not None and kind in (Writable, ChunkPresence, EncodedChunks):
            return cast("C", self)
        return found


def cached(
    inner: Remote,
    *,
    disk: Path | None = None,
    writable: bool = False,
    immutable: bool = False,
    clock: Callable[[], float] | None = None,
    name: str = "far",
    **stated: Any,
) -> CachedRemote:
    """A remote behind a cache with these settings."""
    table = {**stated, **({} if disk is None else {"disk": str(disk)})}
    config = RemoteConfig.model_validate(
        {"uri": "memory://", "writable": writable, "immutable": immutable, "cache": table}
    )
    return CachedRemote(name, inner, config, clock=clock)


def counted(remote: CachedRemote) -> dict[str, int]:
    """What a cache did, without what it did not."""
    return {name: count for name, count in remote.report().counts.items() if count}
