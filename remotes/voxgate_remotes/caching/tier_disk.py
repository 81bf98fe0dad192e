"""The tier of a cache that is on disk: it survives a restart, and processes of one machine may share it.

Files lie below `FOLDER/voxgate-cache-1/REMOTE/VOLUME/PLACE`, and nothing beside them is ever touched. They are written
by one thread, behind the readers: a disk that is slow, full or gone makes nobody wait, and nothing fail.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.caching.counts import Counts
from voxgate_remotes.caching.entry_files import FILE_LIMIT, DamagedFile, entry_files, read_entry, write_entry
from voxgate_remotes.caching.keys import Kept, Key, short_digest

_FOLDER = "voxgate-cache-1"
_PENDING_BYTES = 64 << 20
_IDLE_S = 5.0
_PAUSE_S = 30.0
"""How long a disk that failed is not written to."""
_KEPT_SHARE = 0.9
"""Of the bytes that there is room for, how many stay when room is made."""
_LOOK_AGAIN_SHARE = 1 / 16
"""Of the bytes that there is room for, how many are written before it is looked what other processes wrote."""


def check_folder(folder: Path, key: str) -> None:
    """Refuse a folder that cannot be written to, or made. Makes nothing.

    Args:
        folder: the operator's.
        key: the path of the key of the configuration that names it.

    Raises:
        ConfigInvalid.
    """
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigInvalid(
            f"bad value at {key}: the folder cannot be made or written to",
            "name a folder that the server may write to",
            details={"key": key},
        )


class DiskTier:
    """Parts of chunks in files, within a number of bytes; of too many, those go that were not used for longest."""

    def __init__(
        self, folder: Path, remote: str, most_bytes: int, counts: Counts, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make nothing yet.

        Args:
            folder: the operator's.
            remote: a digest of the remote, whose files no other remote sees.
            most_bytes: of all files of this remote.
            counts: where things are counted.
            clock: seconds.
        """
        self._root = folder / _FOLDER / remote
        self._most_bytes = most_bytes
        self._counts = counts
        self._clock = clock
        self._changed = threading.Condition()
        self._pending: dict[Key, Kept] = {}
        self._pending_bytes = 0
        self._is_working = False
        self._writing = threading.Lock()
        self._held_bytes: int | None = None
        self._written_since = 0
        self._paused_until = -1.0

    @property
    def held_bytes(self) -> int:
        """Bytes on disk, as far as this process has seen; 0 before it wrote anything."""
        return self._held_bytes or 0

    def get(self, key: Key) -> Kept | None:
        """What is kept, if it is whole."""
        pending = self._pending.get(key)
        if pending is not None:
            return pending
        path = self._path(key)
        try:
            return read_entry(path, key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedFile:
            self._counts.add("disk_damaged")
            self.drop(key)
        except OSError:
            self._counts.add("disk_failures")
        return None

    def put(self, key: Key, kept: Kept) -> None:
        """Keep something, soon; not at all where the disk is behind, or has just failed."""
        if kept.cost > min(FILE_LIMIT, self._most_bytes) // 2:
            return
        with self._changed:
            if self._clock() < self._paused_until or self._pending_bytes + kept.cost > _PENDING_BYTES:
                self._counts.add("disk_skipped")
                return
            if key in self._pending:
                return
            self._pending[key] = kept
            self._pending_bytes += kept.cost
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._work, name="cache-writer", daemon=True).start()
            self._changed.notify_all()

    def drop(self, key: Key) -> None:
        """Remove what is in the place of a key, if it is a file; a failure is as good as none."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError:
            self._counts.add("disk_failures")

    def forget(self, path: tuple[str, ...]) -> None:
        """Remove everything of a volume, and whatever of it waits to be written."""
        with self._writing:
            with self._changed:
                for key in [key for key in self._pending if key.place.path == path]:
                    self._pending_bytes -= self._pending.pop(key).cost
            folder = self._root / short_digest(list(path))
            gone = folder.with_name(f"{folder.name}.gone-{os.urandom(4).hex()}")
            try:
                folder.rename(gone)
            except FileNotFoundError:
                return
            except OSError:
                self._counts.add("disk_failures")
                gone = folder
            shutil.rmtree(gone, ignore_errors=True)
            self._held_bytes = None

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing waits to be written; whether that came about."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, timeout_s)

    def _path(self, key: Key) -> Path:
        """Where a part of a chunk lies; a folder has a 256th of a place's."""
        shelf = f"{zlib.crc32(key.file_name.encode()) & 0xFF:02x}"
        return self._root / short_digest(list(key.place.path)) / key.place.identity / shelf / key.file_name

    def _work(self) -> None:
        """Write what waits, in order; end when nothing came for a while."""
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._pending, _IDLE_S):
                    self._is_working = False
                    return
                key = next(iter(self._pending))
            with self._writing:
                kept = self._pending.get(key)
                if kept is not None:  # else it was forgotten
                    self._write(key, kept)
                with self._changed:
                    if self._pending.pop(key, None) is not None and kept is not None:
                        self._pending_bytes -= kept.cost
                    self._changed.notify_all()

    def _write(self, key: Key, kept: Kept) -> None:
        if self._clock() < self._paused_until:
            self._counts.add("disk_skipped")
            return
        try:
            self._make_room(kept.cost)
            size = write_entry(self._path(key), key, kept)
        except OSError:
            self._counts.add("disk_failures")
            self._paused_until = self._clock() + _PAUSE_S
            return
        self._held_bytes = (self._held_bytes or 0) + size
        self._written_since += size

    def _make_room(self, size: int) -> None:
        """Remove what was not used for longest where the next file would be too much."""
        room = self._most_bytes - 2 * size - (8 << 10)  # the file, rounded up to blocks
        knows = self._held_bytes is not None and self._written_since < self._most_bytes * _LOOK_AGAIN_SHARE
        if knows and self.held_bytes <= room:
            return
        found = sorted(entry_files(self._root))
        held = sum(bytes_ for _, bytes_, _ in found)
        target = min(room, int(self._most_bytes * _KEPT_SHARE)) if held > room else held
        for _, bytes_, path in found:
            if held <= target:
                break
            Path(path).unlink(missing_ok=True)
            held -= bytes_
            self._counts.add("disk_evicted")
        self._held_bytes, self._written_since = held, 0
