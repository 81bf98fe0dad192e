"""Volumes that misbehave on purpose, over any Volume: slow, failing, counting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from voxgate.model.geometry import Box
from voxgate.model.volumes import (
    C,
    OpenOptions,
    Tuned,
    Volume,
    VolumeInfo,
    Voxels,
    Writable,
)


class Hooked:
    """Calls `before` ahead of each read and `before_write` ahead of each write; remembers when reads began."""

    def __init__(
        self,
        volume: Volume,
        *,
        before: Callable[[Box], None] | None = None,
        before_write: Callable[[Box], None] | None = None,
        options: OpenOptions | None = None,
    ) -> None:
        self._volume = volume
        self._before = before
        self._before_write = before_write
        self._options = options or OpenOptions()
        self.read_times: list[float] = []
        self._lock = threading.Lock()

    def bound_to(self, options: OpenOptions) -> Hooked:
        """The same volume with a caller's patience; shares the record of reads."""
        bound = Hooked(self._volume, before=self._before, before_write=self._before_write, options=options)
        bound.read_times = self.read_times
        return bound

    @property
    def info(self) -> VolumeInfo:
        return self._volume.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        with self._lock:
            self.read_times.append(time.monotonic())
        if self._before:
            self._before(box)
        return self._volume.read(box, scale=scale, channels=channels, out=out)

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        if self._before_write:
            self._before_write(box)
        writable = self._volume.capability(Writable)
        if writable is None:
            raise TypeError("the wrapped volume is not writable")
        writable.write(box, voxels, scale=scale)

    def capability(self, kind: type[C]) -> C | None:
        if kind is Writable and self._volume.capability(Writable) is not None:
            return self  # type: ignore[return-value]
        if kind is Tuned:
            return None  # whoever misbehaves has to be waited for
        return self._volume.capability(kind)
