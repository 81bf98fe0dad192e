"""A file that is read again when it has changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from voxgate.model.errors import ConfigInvalid, Unavailable
from voxgate_serving.logs import logger

T = TypeVar("T")


class Reread(Generic[T]):
    """What a file says now. Thread-safe; looks at the file's times and size, and reads it only when they differ.

    Args:
        path: of the file.
        parse: what its bytes mean; raises ConfigInvalid for those that mean nothing.
        what: what the file is, for messages, which never name its folder.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], what: str) -> None:
        self._path = path
        self._parse = parse
        self._what = what
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._value: T | None = None

    def get(self) -> T:
        """What the file says.

        Raises:
            Unavailable: when it cannot be read, or means nothing: what it said before may be what was revoked.
        """
        try:
            with self._lock:
                found = os.stat(self._path)
                stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
                if self._value is None or stamp != self._seen:
                    self._value = None
                    self._value = self._parse(self._path.read_bytes())
                    self._seen = stamp
                return self._value
        except (OSError, ConfigInvalid) as error:
            why = error.message if isinstance(error, ConfigInvalid) else error.strerror
            logger().error("a file of [auth] cannot be used", file=self._path.name, why=why)
            raise Unavailable(
                f"{self._what} cannot be read, so nobody can be let in by it",
                "tell the operator of the server",
                retry_after_s=10.0,
            ) from None
