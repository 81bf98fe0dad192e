"""`voxgate supervoxels`, `bodies` and `reserve-ids`: what only a store can know about the ids of its segments."""

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.cli.output import print_json, print_table
from voxgate.cli.segments import SegmentIds
from voxgate.cli.session import AsJson, Server, Volume, connected
from voxgate.client.segments import checked_segment_id


def supervoxels(
    context: typer.Context, name: Volume, ids: SegmentIds, *, server: Server = None, as_json: AsJson = False
) -> None:
    """List the supervoxels of bodies."""
    bodies_asked = [checked_segment_id(each) for each in ids]
    with connected(context, server) as client:
        array = client.volume(name)
        found = [(body, array.supervoxels(body)) for body in bodies_asked]
    if as_json:
        listed = [{"segment_id": str(body), "supervoxel_ids": [str(each) for each in parts]} for body, parts in found]
        print_json({"volume": name, "bodies": listed})
        return
    print_table(("SEGMENT", "SUPERVOXEL"), [(str(body), str(part)) for body, parts in found for part in parts])


def bodies(
    context: typer.Context,
    name: Volume,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The supervoxels.")],
    *,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Say which body each supervoxel belongs to.

    0 is for one that does not exist any more.
    """
    asked = [checked_segment_id(each) for each in ids]
    with connected(context, server) as client:
        found = list(zip(asked, client.volume(name).bodies(asked), strict=True))
    if as_json:
        listed = [{"supervoxel_id": str(part), "segment_id": str(body)} for part, body in found]
        print_json({"volume": name, "supervoxels": listed})
        return
    print_table(("SUPERVOXEL", "SEGMENT"), [(str(part), str(body)) for part, body in found])


def reserve_ids(
    context: typer.Context,
    name: Volume,
    count: Annotated[int, typer.Argument(metavar="COUNT", min=1, help="How many.")],
    *,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Reserve segment ids that nobody else gets.

    They are consecutive; the first is printed, then the last. Repeating it reserves others.
    """
    with connected(context, server) as client:
        reserved = client.volume(name).reserve_ids(count)
    first, last = str(reserved.start), str(reserved.stop - 1)
    if as_json:
        print_json({"volume": name, "first_segment_id": first, "last_segment_id": last, "count": count})
        return
    print_table(("FIRST", "LAST"), [(first, last)])
