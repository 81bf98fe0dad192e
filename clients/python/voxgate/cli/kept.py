"""`voxgate skeleton` and `voxgate downsample`: what a store keeps ready, and what it makes when it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.cli.output import print_json
from voxgate.cli.session import AsJson, Force, Server, Volume, connected, opened
from voxgate.cli.targets import checked_target, replacing
from voxgate.client.segments import checked_segment_id
from voxgate.model.skeleton_files import skeleton_to_swc


def skeleton(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    segment: Annotated[str, typer.Argument(metavar="ID", help="The segment.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .swc.")],
    *,
    force: Force = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Save the skeleton that the store keeps of a segment, in nanometres."""
    checked_target(output, (".swc",), force=force)
    segment_id = checked_segment_id(segment)
    with connected(context, server) as client:
        found = opened(client, name).skeleton(segment_id)
    with replacing(output) as temporary:
        temporary.write_text(skeleton_to_swc(found))
    counts = {"vertex_count": len(found.vertices), "edge_count": len(found.edges)}
    if as_json:
        print_json({"output": str(output), "volume": name, "segment_id": str(segment_id), **counts})
        return
    print(f"{output}: {counts['vertex_count']} vertices, {counts['edge_count']} edges")


def downsample(
    context: typer.Context,
    name: Volume,
    *,
    start: Annotated[bool, typer.Option("--start", help="Ask the store to compute them.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Say how far the store is with computing coarser levels.

    Only for stores that compute them by themselves, such as BossDB.
    """
    with connected(context, server) as client:
        array = opened(client, name)
        state = array.start_downsampling() if start else array.downsampling()
    if as_json:
        print_json({"volume": name, "state": state.value})
        return
    print(state.value)
