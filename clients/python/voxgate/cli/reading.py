"""`voxgate read`: a box of voxels into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.output import bytes_text, extent_text, print_json
from voxgate.cli.parsing import parse_box, parse_nm
from voxgate.cli.pictures import check_one_plane, save_png
from voxgate.cli.progress import Meter, metered
from voxgate.cli.session import AsJson, BoxOption, Force, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.streaming import npy_target, shape_of, stream, tif_target
from voxgate.cli.targets import checked_target, replacing
from voxgate.model.documents import box_document
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .npy, .tif or .png.")]
_NM_HELP = "in nanometres, instead of --box; grown to whole voxels."


def read(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    output: Output,
    *,
    box: BoxOption = None,
    start_nm: Annotated[str | None, typer.Option(metavar="X,Y,Z", help=f"Start {_NM_HELP}", show_default=False)] = None,
    stop_nm: Annotated[str | None, typer.Option(metavar="X,Y,Z", help=f"Stop {_NM_HELP}", show_default=False)] = None,
    scale: ScaleOption = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Only this channel.", show_default=False)
    ] = None,
    time: Annotated[int | None, typer.Option(metavar="N", help="Only this time.", show_default=False)] = None,
    axes: Annotated[
        str | None, typer.Option(metavar="AXES", help="The order of axes in a .npy, such as xyz.", show_default=False)
    ] = None,
    force: Force = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Read a box into a .npy, .tif or .png.

    A .npy takes any order of axes, a .tif has a page for each z, a .png one plane: images grey, segments coloured.
    """
    ending = checked_target(output, (".npy", ".tif", ".tiff", ".png"), force=force)
    if axes is not None and ending != ".npy":
        raise typer.BadParameter(f"{ending} has one order of axes; --axes is for .npy")
    with connected(context, server) as client:
        array = _selected(opened(client, name, scale), channel, time, axes)
        where = _box(array, box, start_nm, stop_nm)
        with replacing(output) as temporary, metered("read", quiet=as_json) as meter:
            _save(array, where, temporary, meter)
    shape = shape_of(array, where)
    if as_json:
        document = {"shape": list(shape), "axes": array.axes, "dtype": array.dtype.name, "box": box_document(where)}
        print_json({"output": str(output), "volume": name, "scale": array.scale_index, **document})
        return
    size = bytes_text(output.stat().st_size)
    print(f"{output}: {array.axes} {extent_text(shape)} {array.dtype.name}, {where}, {size}")


def _selected(array: VolumeArray, channel: str | None, time: int | None, axes: str | None) -> VolumeArray:
    if channel is not None:
        array = array.sel(channel=int(channel) if channel.isdecimal() else channel)
    if time is not None:
        array = array.sel(time=time)
    return array if axes is None else array.as_axes(axes)


def _box(array: VolumeArray, box: str | None, start_nm: str | None, stop_nm: str | None) -> Box:
    if box is not None and start_nm is None and stop_nm is None:
        return parse_box(box, array.bounds)
    if box is None and start_nm is not None and stop_nm is not None:
        return array.box_between(parse_nm(start_nm), parse_nm(stop_nm))
    raise typer.BadParameter(
        f'give --box, or both --start-nm and --stop-nm; --box ":,:,:" is the whole scale, {array.bounds}'
    )


def _save(array: VolumeArray, box: Box, path: Path, meter: Meter) -> None:
    if path.suffix.lower() == ".png":
        _save_png(array, box, path)
        return
    # The first piece tells whether the box can be read, but only after the file has been made room for.
    if not array.bounds.contains(box) or box.is_empty:
        array.read(box)  # raises what is wrong with it
    make = npy_target if path.suffix.lower() == ".npy" else tif_target
    target = make(path, array, shape_of(array, box))
    stream(array, box, target, meter)
    target.flush()


def _save_png(array: VolumeArray, box: Box, path: Path) -> None:
    check_one_plane(box)
    if "c" in array.axes and len(array.channels) == 1:
        array = array.sel(channel=0)
    if array.axes != "zyx":
        extra = " and ".join({"t": "--time", "c": "--channel"}[axis] for axis in array.axes if axis in "tc")
        raise InvalidArgument(f"a PNG holds one plane, and the volume has the axes {array.axes!r}", f"choose {extra}")
    save_png(path, array.read(box), array.kind)
