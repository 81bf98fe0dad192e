"""Reading the small JSON files that describe volumes, and writing them so that nobody sees half of one."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from voxgate.model.errors import MetadataInvalid, StoreUnavailable

JSON_LIMIT_BYTES = 64 * 2**20

Stamp = tuple[tuple[int, int, int] | None, ...]
"""What a file system knows of files: (modification time, size, inode) of each, None for an absent one."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        MetadataInvalid: when the file is absent, truncated, not JSON or not an object; names the file, not its folder.
        StoreUnavailable: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(JSON_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise MetadataInvalid(f"the volume has no `{path.name}`", "restore it from the volume's source") from None
    except OSError as error:
        raise StoreUnavailable(f"`{path.name}` cannot be read: {error.strerror}", "look at the store's host") from None
    except ValueError:  # a name that no file can have
        text = b""
    return json_object(path.name, text if len(text) <= JSON_LIMIT_BYTES else b"")


def json_object(name: str, data: bytes) -> dict[str, Any]:
    """The JSON object that bytes say.

    Raises:
        MetadataInvalid: when they are truncated or say something else.
    """
    try:
        content = json.loads(data)
        if b"\\u" in data:
            json.dumps(content, ensure_ascii=False).encode()  # half a character, which no text can have in it
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise MetadataInvalid(f"`{name}` is truncated or not a JSON object", "restore it from the volume's source")
    return content


def is_file(path: Path) -> bool:
    """Whether a file is there; False also for a name that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_size(value: object) -> bool:
    """Whether JSON says three positive, finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(number) in (int, float) and 0 < number < math.inf for number in value)
    )


def stamp(paths: Iterable[Path]) -> Stamp:
    """What tells whether any of some files was replaced, changed, added or removed."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):  # absent, or a name that no file can have
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, durably and at once: readers see all of it or nothing.

    Raises:
        StoreUnavailable: when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(content, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o666 & ~umask())
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreUnavailable(
            f"`{path.name}` cannot be written: {error.strerror}", "look at the store's host"
        ) from None


def umask() -> int:
    """The process's umask, read where that does not change it (Linux); else the usual one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0o022
    return next((int(line.split()[1], 8) for line in lines if line.startswith("Umask:")), 0o022)
