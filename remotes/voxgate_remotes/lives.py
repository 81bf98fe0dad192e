"""Volumes that may be deleted while they are read: what a reader gets then is an error, never background.

Whoever deletes a volume takes its metadata away before the first chunk. So a read is good when the metadata file is
still there after it, whoever deletes, be it another process of this machine. (Another machine's view of a network file
system may lag behind.)
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, cast

from voxgate.model.errors import MissingCapability, StoreRefused, StoreUnavailable, UnknownVolume, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.volumes import (
    ChunkPresence,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    Volume,
    VolumeInfo,
    Voxels,
    Writable,
)
from voxgate_remotes.readonly import refuse_write

C = TypeVar("C")
P = TypeVar("P")


class Life:
    """Whether a volume of this process is still there, and who is writing to it. Thread-safe."""

    def __init__(self, patience_s: float = 30.0) -> None:
        """Begin.

        Args:
            patience_s: how long writers are waited for.
        """
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._is_ending = False
        self._is_over = False
        self._writers = 0

    @property
    def is_over(self) -> bool:
        """Whether the volume was deleted."""
        return self._is_over

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A block in which the volume is not deleted.

        Raises:
            UnknownVolume: when it was, or is being.
        """
        with self._changed:
            if self._is_ending:
                raise gone()
            self._writers += 1
        try:
            yield
        finally:
            with self._changed:
                self._writers -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """A block that takes the volume away: begins when nobody writes any more; when it fails, life goes on.

        Raises:
            StoreRefused: when somebody goes on writing.
        """
        self._is_ending = True
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._writers == 0, self._patience_s):
                    raise StoreRefused("the volume is being written to", "delete it when its writer has ended")
            self._is_over = True
            yield
        except BaseException:
            self._is_over = self._is_ending = False
            raise


class LivingVolume:
    """A volume of files that answers as long as they are there. Thread-safe as the inner one is."""

    def __init__(self, inner: Volume, life: Life, witness: str, gone: Callable[[], VoxgateError]) -> None:
        """Watch a volume.

        Args:
            inner: the volume.
            life: of the volume in this process.
            witness: the path of a metadata file, without which it is none.
            gone: the error of a volume that lost it.
        """
        self._inner = inner
        self._life = life
        self._witness = witness
        self._gone = gone

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._inner.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`.

        Raises:
            UnknownVolume: when the volume was deleted meanwhile.
        """
        with self._alive():
            return self._inner.read(box, scale=scale, channels=channels, out=out)

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`.

        Raises:
            UnknownVolume: when the volume was deleted meanwhile. ReadOnly: when it takes no writes.
        """
        with self._life.writing(), self._alive():
            self._power(Writable).write(box, voxels, scale=scale)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`.

        Raises:
            UnknownVolume: when the volume was deleted meanwhile.
        """
        with self._alive():
            return self._power(ChunkPresence).is_absent(box, scale=scale)

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        """What chunks may come in; see `voxgate.model.volumes.EncodedChunks.encodings_of`."""
        return self._power(EncodedChunks).encodings_of(scale)

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        """Stored chunks; see `voxgate.model.volumes.EncodedChunks.read_encoded`.

        Raises:
            UnknownVolume: when the volume was deleted meanwhile.
        """
        with self._alive():
            return self._power(EncodedChunks).read_encoded(cells, scale=scale)

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do; what touches voxels only through here."""
        found = self._inner.capability(kind)
        if found is not None and kind in (Writable, ChunkPresence, EncodedChunks):
            return cast("C", self)
        return found

    def _power(self, kind: type[P]) -> P:
        found = self._inner.capability(kind)
        if found is not None:
            return found
        if kind is Writable:
            refuse_write()
        raise MissingCapability(f"this volume has no {kind.__name__}", details={"capability": kind.__name__})

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        """A block whose outcome counts only when the volume outlived it."""
        try:
            yield
        except VoxgateError:
            self._check()
            raise
        self._check()

    def _check(self) -> None:
        if self._life.is_over:
            raise gone()
        try:
            os.stat(self._witness)
        except (FileNotFoundError, NotADirectoryError):
            raise self._gone() from None
        except OSError as error:
            raise StoreUnavailable(
                f"the volume's metadata cannot be looked at any more: {error.strerror}", "look at the store's host"
            ) from None


def gone() -> UnknownVolume:
    """What a caller is told whose volume went away."""
    return UnknownVolume("the volume was deleted", "list the remote to see what it has")
