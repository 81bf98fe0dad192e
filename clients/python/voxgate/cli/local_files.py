"""Files of this machine as a volume: what a shell's pattern, several names or one path mean."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.model.errors import InvalidArgument, UnknownVolume

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray

_PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


@contextmanager
def opened_files(said: list[str]) -> Iterator[VolumeArray]:
    """What is meant, as an array served within this process: the same readers as a server's.

    Args:
        said: one path or URI as `voxgate.open` takes it; or patterns and names of numbered pictures in one folder.

    Raises:
        UnknownVolume: when no file matches, or what does holds no volume.
        InvalidArgument: for pictures of several folders.
        Unimplemented: without `voxgate[server]`, which reads files.
    """
    from voxgate.client.opening import open_volume  # noqa: PLC0415  (grpc is slow to import)

    if len(said) == 1 and not _is_pattern(said[0]):
        yield open_volume(said[0])
        return
    files = _matching(said)
    if len(files) == 1:
        yield open_volume(str(files[0]))
        return
    with _folder_of(files) as folder:
        yield open_volume(str(folder))


def _is_pattern(text: str) -> bool:
    return "://" not in text and glob.has_magic(text) and not Path(text).exists()


def _matching(said: list[str]) -> list[Path]:
    """The files of some patterns and names, each once, sorted."""
    found: set[Path] = set()
    for text in said:
        names = glob.glob(text) if _is_pattern(text) else [text]
        files = {Path(name) for name in names if Path(name).is_file()}
        if not files:
            raise UnknownVolume(f"no file is called {text!r}", "name pictures, quoted: 'slices/*.png'")
        found |= files
    return sorted(found)


@contextmanager
def _folder_of(files: list[Path]) -> Iterator[Path]:
    """The folder that holds exactly these pictures: their own, or one of links to them beside it.

    Links in the file system, because stores follow no symbolic ones out of their folder.
    """
    folders = {file.parent for file in files}
    if len(folders) > 1:
        raise InvalidArgument("the files are in several folders", "put the slices of one volume into one folder")
    folder = folders.pop()
    if {file.name for file in files} == {file.name for file in folder.iterdir() if _is_picture(file)}:
        yield folder
        return
    with contextlib.ExitStack() as stack:
        try:
            beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".voxgate-", dir=folder.parent)))
            chosen = beside / "slices"
            chosen.mkdir()
            for file in files:
                os.link(file.resolve(), chosen / file.name)
        except OSError:
            raise InvalidArgument(
                "some pictures of the folder are left out, and no folder with the others can be made beside it",
                "move them into a folder of their own",
            ) from None
        yield chosen


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in _PICTURES and not file.name.startswith(".") and file.is_file()
