"""Folders whose names outlive a loss of power."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make what happened to the names in a folder durable.

    Raises:
        OSError: when the file system cannot, or there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def made_folders(folder: Path) -> list[Path]:
    """Make a folder and those that it lies in.

    Returns:
        What got a new folder and is yet to be synchronised, outermost first.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
    return [each.parent for each in reversed(missing)]
