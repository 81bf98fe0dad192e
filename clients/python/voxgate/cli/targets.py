"""Output files: never overwritten by accident, and there only when they are whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from voxgate.model.errors import AlreadyExists


def checked_target(path: Path, endings: tuple[str, ...], *, force: bool) -> str:
    """Check before any work that a file can be written; answers its ending, in lower case.

    Raises:
        typer.BadParameter: for another ending, or a folder that does not exist.
        AlreadyExists: when the file exists and `force` was not given.
    """
    ending = path.suffix.lower()
    if ending not in endings:
        raise typer.BadParameter(f"{path.name!r} says no format; end it in {', '.join(endings)}")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"the folder {str(path.parent)!r} does not exist")
    if path.is_dir():
        raise typer.BadParameter(f"{str(path)!r} is a folder")
    if path.exists() and not force:
        raise AlreadyExists(f"{str(path)!r} exists", "choose another name, or replace it with --force")
    return ending


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and is removed otherwise."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    # Made by `open` so that it gets the mode that the caller's umask says; "x" never follows what another put there.
    temporary.open("xb").close()
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
