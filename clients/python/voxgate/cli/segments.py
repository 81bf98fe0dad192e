"""`voxgate segments`, `at`, `bounds` and `runs`: which segments there are, which is where, and where each is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from voxgate.cli.output import bytes_text, print_json, print_table
from voxgate.cli.parsing import parse_box, parse_point
from voxgate.cli.session import AsJson, BoxOption, Force, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.targets import checked_target, replacing
from voxgate.client.array import VolumeArray
from voxgate.client.segments import checked_segment_id
from voxgate.model.documents import box_document
from voxgate.model.segments import SegmentExtent

SegmentIds = Annotated[list[str], typer.Argument(metavar="ID...", help="The segments.")]


def segments(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    *,
    top: Annotated[int | None, typer.Option(min=1, help="Only the largest, largest first.", show_default=False)] = None,
    ids_only: Annotated[bool, typer.Option("--ids-only", help="Ids without counts: many stores know them.")] = False,
    box: BoxOption = None,
    scale: ScaleOption = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List segments with their voxel counts.

    Background (0) is left out. Counts are of the box, at the scale that is searched.
    """
    if ids_only and top is not None:
        raise typer.BadParameter("--top needs counts; leave --ids-only out")
    with connected(context, server) as client:
        array = opened(client, name, scale)
        bounds = parse_box(box, array.bounds) if box else None
        if ids_only:
            _print_ids(name, array, array.segment_ids(bounds).tolist(), as_json=as_json)
            return
        found = array.segments(top=top, box=bounds)
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


def bounds(
    context: typer.Context,
    name: Volume,
    ids: SegmentIds,
    *,
    scale: ScaleOption = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Say where segments are.

    Each box contains every voxel of its segment, at the scale that is asked about; it is exact where no smaller box
    does, and grown to the store's blocks elsewhere.
    """
    segment_ids = [checked_segment_id(each) for each in ids]
    with connected(context, server) as client:
        array = opened(client, name, scale)
        found = array.segment_bounds(segment_ids)
    if as_json:
        print_json({"volume": name, "scale": array.scale_index, "segments": [_extent_document(each) for each in found]})
        return
    print_table(("SEGMENT", "BOX", "EXACT", "VOXELS"), [_extent_row(each) for each in found])


def runs(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    segment_id: Annotated[str, typer.Argument(metavar="ID", help="The segment.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .npy.")],
    *,
    box: BoxOption = None,
    scale: ScaleOption = None,
    force: Force = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Write the voxels of a segment into a file, as runs along x.

    The file holds an int64 array of shape (n, 4): x, y, z of each run's first voxel, global coordinates, and its
    length.
    """
    checked_target(output, (".npy",), force=force)
    wanted = checked_segment_id(segment_id)
    with connected(context, server) as client:
        array = opened(client, name, scale)
        found = array.segment_voxels(wanted, parse_box(box, array.bounds) if box else None)
    with replacing(output) as temporary:
        np.save(temporary, found)
    voxels = int(found[:, 3].sum())
    if as_json:
        facts = {"segment_id": str(wanted), "run_count": len(found), "voxel_count": voxels}
        print_json({"output": str(output), "volume": name, "scale": array.scale_index, **facts})
        return
    print(f"{output}: {len(found)} runs, {voxels} voxels, {bytes_text(output.stat().st_size)}")


def _print_ids(name: str, array: VolumeArray, ids: Sequence[int], *, as_json: bool) -> None:
    if as_json:
        print_json({"volume": name, "scale": array.scale_index, "segment_ids": [str(each) for each in ids]})
        return
    print_table(("SEGMENT",), [(str(each),) for each in ids])


def _extent_document(extent: SegmentExtent) -> dict[str, Any]:
    return {
        "segment_id": str(extent.segment_id),
        "box": box_document(extent.box),
        "is_exact": extent.is_exact,
        "voxel_count": extent.voxel_count,
    }


def _extent_row(extent: SegmentExtent) -> tuple[str, ...]:
    ends = zip(extent.box.start, extent.box.stop, strict=True)
    count = "-" if extent.voxel_count is None else str(extent.voxel_count)
    box = ",".join(f"{a}:{b}" for a, b in ends)
    return (str(extent.segment_id), box, "yes" if extent.is_exact else "no", count)
