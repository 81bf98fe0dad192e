"""`voxgate export`: a volume as a folder of numbered pictures, or as one OME-TIFF."""

from __future__ import annotations

import contextlib
import enum
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.output import bytes_text, extent_text, print_json
from voxgate.cli.parsing import parse_box
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, BoxOption, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.slices import Slices, check_png, ome_target, write_slices
from voxgate.cli.streaming import shape_of, stream
from voxgate.cli.targets import checked_target, replacing
from voxgate.model.documents import box_document
from voxgate.model.errors import AlreadyExists, InvalidArgument

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray

_OME = (".ome.tif", ".ome.tiff")
_FILES = (".tif", ".tiff", ".png", ".npy")
_OURS = re.compile(r"z[0-9]+\.(tif|png)")


class Format(enum.Enum):
    """What the pictures of a folder are."""

    TIF = "tif"
    PNG = "png"


def export(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER|FILE", help="Where to: a new folder, or a .ome.tif.")
    ],
    *,
    format_: Annotated[Format, typer.Option("--format", help="The pictures of a folder.")] = Format.TIF,
    box: BoxOption = None,
    scale: ScaleOption = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Only this channel.", show_default=False)
    ] = None,
    time: Annotated[int | None, typer.Option(metavar="N", help="Only this time.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file, or the pictures of the folder.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Write a volume as numbered pictures, one for each z, or as one OME-TIFF.

    Every number stays as it is. The pictures of a folder count from 0; the voxel size is in each TIFF.
    """
    is_file = output.name.lower().endswith(_OME)
    if is_file:
        checked_target(output, (".tif", ".tiff"), force=force)
    else:
        _check_folder(output, force=force)
    with connected(context, server) as client:
        array = _selected(opened(client, name, scale), channel, time)
        where = array.bounds if box is None else parse_box(box, array.bounds)
        if where.is_empty or not array.bounds.contains(where):
            array.read(where)  # raises what is wrong with it
        if is_file:
            with replacing(output) as temporary, metered("export", quiet=as_json) as meter:
                target = ome_target(temporary, array, shape_of(array, where))
                stream(array, where, target, meter)
                target.flush()
        else:
            slices = _slices(array, format_)
            with _new_folder(output) as temporary, metered("export", quiet=as_json) as meter:
                write_slices(array, where, slices, temporary, meter)
    shape = shape_of(array, where)
    if as_json:
        document = {"shape": list(shape), "axes": array.axes, "dtype": array.dtype.name, "box": box_document(where)}
        print_json({"output": str(output), "volume": name, "scale": array.scale_index, **document})
        return
    files = [output] if is_file else list(output.iterdir())
    size = bytes_text(sum(file.stat().st_size for file in files))
    print(f"{output}: {array.axes} {extent_text(shape)} {array.dtype.name}, {where}, {len(files)} files, {size}")


def _selected(array: VolumeArray, channel: str | None, time: int | None) -> VolumeArray:
    if channel is not None:
        array = array.sel(channel=int(channel) if channel.isdecimal() else channel)
    elif "c" in array.axes and len(array.channels) == 1:
        array = array.sel(channel=0)
    return array if time is None else array.sel(time=time)


def _slices(array: VolumeArray, format_: Format) -> Slices:
    """How the pictures of a volume are written.

    Raises:
        InvalidArgument: for what such pictures cannot hold.
    """
    if "t" in array.axes:
        raise InvalidArgument("the pictures of a folder have one time", "choose --time, or write a .ome.tif")
    channels = array.shape[0] if "c" in array.axes else 1
    names = "".join(channel.name for channel in array.channels)
    is_colours = array.dtype == "u1" and names in ("RGB", "RGBA") and channels == len(names)
    if format_ is Format.PNG:
        check_png(array.dtype, channels, is_colours=is_colours)
    return Slices(ending=format_.value, channels=channels, is_colours=is_colours)


def _check_folder(folder: Path, *, force: bool) -> None:
    """Check before any work that a folder can be written.

    Raises:
        typer.BadParameter: for the name of a file, or a folder in one that does not exist.
        AlreadyExists: when there is something in it, unless it is an export and `force` was given.
    """
    if folder.suffix.lower() in _FILES:
        raise typer.BadParameter(
            f"{folder.name!r} names a file; name a folder, end it in .ome.tif, or use voxgate read"
        )
    if not folder.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder {str(folder.parent)!r} does not exist")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise AlreadyExists(f"{str(folder)!r} exists and is no folder", "choose another name")
    there = os.listdir(folder)
    if not all(_OURS.fullmatch(name) for name in there):
        raise AlreadyExists(f"{str(folder)!r} has other files than exported pictures", "choose another name")
    if there and not force:
        raise AlreadyExists(f"{str(folder)!r} exists", "choose another name, or replace it with --force")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends well, and is removed otherwise."""
    place = folder.absolute()
    temporary = place.with_name(f".{place.name}.{os.getpid()}.part")
    temporary.mkdir()
    try:
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(place):
                if _OURS.fullmatch(name):
                    (place / name).unlink()
            place.rmdir()  # refused when something else came into it meanwhile
        temporary.rename(place)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
