"""`voxgate segments` and `voxgate at`: which segments there are, and which is where."""

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.cli.output import print_json, print_table
from voxgate.cli.parsing import parse_box, parse_point
from voxgate.cli.session import AsJson, BoxOption, ScaleOption, Server, Volume, connected, opened


def segments(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    *,
    top: Annotated[int | None, typer.Option(min=1, help="Only the largest, largest first.", show_default=False)] = None,
    box: BoxOption = None,
    scale: ScaleOption = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List segments with their voxel counts.

    Background (0) is left out. Counts are of the box, at the scale that is searched.
    """
    with connected(context, server) as client:
        array = opened(client, name, scale)
        found = array.segments(top=top, box=parse_box(box, array.bounds) if box else None)
    if as_json:
        counts = [{"segment_id": str(each.segment_id), "voxel_count": each.voxel_count} for each in found]
        print_json({"volume": name, "scale": array.scale_index, "segments": counts})
        return
    print_table(("SEGMENT", "VOXELS"), [(str(each.segment_id), str(each.voxel_count)) for each in found])


def at(
    context: typer.Context,
    name: Volume,
    points: Annotated[list[str], typer.Argument(metavar="X,Y,Z...", help="Voxels of the scale, global coordinates.")],
    *,
    scale: ScaleOption = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Say which segment is at each point.

    0 is background.
    """
    places = [parse_point(point) for point in points]
    with connected(context, server) as client:
        array = opened(client, name, scale)
        ids = array.at(places)
    if as_json:
        found = [
            {"point": {"x": p.x, "y": p.y, "z": p.z}, "segment_id": str(i)} for p, i in zip(places, ids, strict=True)
        ]
        print_json({"volume": name, "scale": array.scale_index, "points": found})
        return
    rows = [(f"{p.x},{p.y},{p.z}", str(i)) for p, i in zip(places, ids, strict=True)]
    print_table(("POINT", "SEGMENT"), rows)
