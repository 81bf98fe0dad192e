"""`voxgate cache warm`: reads a volume through the server, so that its cache has it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.output import bytes_text, print_json
from voxgate.cli.parsing import parse_box
from voxgate.cli.progress import Meter, metered
from voxgate.cli.session import AsJson, BoxOption, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.streaming import PIECE_BYTES, pieces
from voxgate.model.documents import box_document
from voxgate.model.geometry import Box, aligned_outward

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray


def cache_group(epilog: str) -> typer.Typer:
    """The command `warm` under the name `cache`."""
    group = typer.Typer(help="Caches of servers before slow stores.", epilog=epilog, no_args_is_help=True)
    group.callback()(_named_alone)
    group.command("warm")(warm)
    return group


def _named_alone() -> None:
    """A group of one command keeps its name."""


def warm(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    *,
    scale: ScaleOption = None,
    box: BoxOption = None,
    voxels: Annotated[
        bool, typer.Option("--voxels", help="Fetch decoded voxels, as meshing and transfers read them.")
    ] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Read a volume through the server, so that the cache of its remote has it for whoever comes next.

    Without --scale all scales, the coarsest first; a --box is of one scale, the finest unless told otherwise. The
    voxels are thrown away here. Nothing is kept where the operator configured no cache for the remote.
    """
    with connected(context, server) as client:
        array = opened(client.with_encodings("raw") if voxels else client, name, scale)
        indices = [array.scale_index] if scale is not None or box is not None else range(len(array.scales))[::-1]
        shown = [array.scale(index) for index in indices]
        whole = [(one, _on_grid(one, parse_box(box, one.bounds) if box else one.bounds)) for one in shown]
        begin = time.monotonic()
        with metered("warm", quiet=as_json) as meter:
            read = _read_all(whole, meter)
    seconds = time.monotonic() - begin
    if as_json:
        scales = [{"scale": one.scale_index, "box": box_document(part)} for one, part in whole]
        print_json({"volume": name, "scales": scales, "size_bytes": read, "seconds": round(seconds, 3)})
        return
    count = f"{len(whole)} scales" if len(whole) > 1 else f"scale {whole[0][0].scale_index}"
    print(f"{name}: read {count}, {bytes_text(read)} of voxels in {seconds:.1f} s")


def _on_grid(array: VolumeArray, box: Box) -> Box:
    """A box grown to whole stored chunks: what a cache keeps.

    Raises:
        EmptyBox, OutOfBounds: when there is no such box.
    """
    level = array.scales[array.scale_index]
    if box.is_empty or not level.bounds.contains(box):
        array.read(box)  # raises what is wrong with it
    return aligned_outward(box, level.stored_chunk_shape, level.grid_origin).intersection(level.bounds)


def _read_all(wanted: list[tuple[VolumeArray, Box]], meter: Meter) -> int:
    """Read boxes piece by piece and keep nothing; the bytes of their voxels."""
    sizes = [box.voxel_count * _voxel_bytes(array) for array, box in wanted]
    total, done = sum(sizes), 0
    meter("warm", 0, total)
    for array, box in wanted:
        size = _voxel_bytes(array)
        for piece in pieces(array.scales[array.scale_index], box, size, piece_bytes=PIECE_BYTES):
            array.read(piece)
            done += piece.voxel_count * size
            meter("warm", done, total)
    return done


def _voxel_bytes(array: VolumeArray) -> int:
    """Bytes of one voxel, all channels and times."""
    others = math.prod(extent for axis, extent in zip(array.axes, array.shape, strict=True) if axis in "tc")
    return others * array.dtype.itemsize
