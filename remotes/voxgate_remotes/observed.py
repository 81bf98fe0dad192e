"""A remote whose requests are counted and traced; in every other respect the one that it wraps."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar, cast

from voxgate.model.geometry import Box
from voxgate.model.remotes import CallerBound, Deletable, ListEntry, Remote, ResolvedUri
from voxgate.model.tracing import NO_TRACE, Trace
from voxgate.model.volumes import (
    CallContext,
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
from voxgate_remotes.traffic import Traffic

C = TypeVar("C")


class ObservedRemote:
    """A remote. Thread-safe as far as the inner one is."""

    def __init__(self, inner: Remote, traffic: Traffic) -> None:
        self._inner = inner
        self._traffic = traffic
        self._trace = NO_TRACE

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open a volume; see `Remote.open`."""
        name, trace = "/".join(path), options.context.trace
        opened = self._traffic.notice("open", trace, lambda: self._inner.open(path, options), volume=name)
        return ObservedVolume(opened, self._traffic, trace, name)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under `parent`."""
        return self._traffic.notice("list", self._trace, lambda: self._inner.list(parent), volume="/".join(parent))

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume; see `Remote.create`."""
        name = "/".join(path)
        made = self._traffic.notice("create", self._trace, lambda: self._inner.create(path, spec), volume=name)
        return ObservedVolume(made, self._traffic, self._trace, name)

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete a volume; see `Deletable.delete`."""
        deletable = self._inner.capability(Deletable)
        if deletable is not None:
            self._traffic.notice("delete", self._trace, lambda: deletable.delete(path), volume="/".join(path))

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote."""
        return self._inner.resolve(uri)

    def capability(self, kind: type[C]) -> C | None:
        """What the inner remote can do; deleting and binding to a caller only through here."""
        found = self._inner.capability(kind)
        return cast("C", self) if found is not None and kind in (Deletable, CallerBound) else found

    def for_caller(self, context: CallContext) -> ObservedRemote:
        """The same remote and counts, for one caller."""
        bound = self._inner.capability(CallerBound)
        if bound is None:
            return self
        observed = copy.copy(self)
        observed._inner = bound.for_caller(context)
        observed._trace = context.trace
        return observed


class ObservedVolume:
    """An opened volume of such a remote."""

    def __init__(self, inner: Volume, traffic: Traffic, trace: Trace, name: str) -> None:
        self._inner = inner
        self._traffic = traffic
        self._trace = trace
        self._name = name

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._inner.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`."""
        return self._traffic.notice(
            "read",
            self._trace,
            lambda: self._inner.read(box, scale=scale, channels=channels, out=out),
            volume=self._name,
            size_of=lambda voxels: voxels.nbytes,
        )

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do; voxels written and chunks as they are stored are counted, too."""
        found = self._inner.capability(kind)
        if found is not None and kind is EncodedChunks:
            return cast("C", _ObservedChunks(cast("EncodedChunks", found), self))
        if found is not None and kind is Writable:
            return cast("C", _ObservedWrites(cast("Writable", found), self))
        return found


class _ObservedChunks:
    def __init__(self, inner: EncodedChunks, volume: ObservedVolume) -> None:
        self._inner = inner
        self._volume = volume

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        return self._inner.encodings_of(scale)

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        return self._volume._traffic.notice(
            "read_encoded",
            self._volume._trace,
            lambda: self._inner.read_encoded(cells, scale=scale),
            volume=self._volume._name,
            size_of=lambda chunks: sum(len(chunk.data) for chunk in chunks if chunk is not None),
        )


class _ObservedWrites:
    def __init__(self, inner: Writable, volume: ObservedVolume) -> None:
        self._inner = inner
        self._volume = volume

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        self._volume._traffic.notice(
            "write",
            self._volume._trace,
            lambda: self._inner.write(box, voxels, scale=scale),
            volume=self._volume._name,
            size_of=lambda _: voxels.nbytes,
        )
