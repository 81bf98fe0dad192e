"""`voxgate skeleton` and `voxgate downsample`: what a store keeps ready or a server makes when it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.cli.output import print_json
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, Force, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.targets import checked_target, replacing
from voxgate.client.segments import checked_segment_id
from voxgate.model.skeleton_files import skeleton_to_swc
from voxgate.model.skeletons import Skeleton


def skeleton(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    segment: Annotated[str, typer.Argument(metavar="ID", help="The segment.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .swc.")],
    *,
    source: Annotated[str, typer.Option(help="The store's own, or computed: auto, stored or computed.")] = "auto",
    scale: ScaleOption = None,
    teasar_scale: Annotated[
        float | None, typer.Option(help="Clear this times the distance to the surface.", show_default="1.5")
    ] = None,
    teasar_const_nm: Annotated[
        float | None, typer.Option(help="And so many nanometres; more means fewer branches.", show_default="300")
    ] = None,
    force: Force = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Save the skeleton of a segment, in nanometres: the store's own, else computed from voxels.

    With a scale or parameters it is computed; that needs a server with the extra for skeletons.
    """
    checked_target(output, (".swc",), force=force)
    segment_id = checked_segment_id(segment)
    with connected(context, server) as client, metered("skeleton", quiet=as_json) as meter:
        found = opened(client, name).skeleton(
            segment_id,
            source=source,
            scale=int(scale) if scale is not None and scale.isdecimal() else scale,
            teasar_scale=teasar_scale,
            teasar_const_nm=teasar_const_nm,
            progress=meter,
        )
    with replacing(output) as temporary:
        temporary.write_text(skeleton_to_swc(found))
    if as_json:
        print_json({"output": str(output), "volume": name, **_document(found)})
        return
    counts = f"{len(found.vertices)} vertices, {len(found.edges)} edges, {found.length_nm:.0f} nm"
    print(f"{output}: {found.origin}, {counts}")


def _document(skeleton: Skeleton) -> dict[str, object]:
    return {
        "segment_id": str(skeleton.segment_id),
        "origin": skeleton.origin,
        "scale": skeleton.scale,
        "vertex_count": len(skeleton.vertices),
        "edge_count": len(skeleton.edges),
        "tree_count": skeleton.tree_count,
        "length_nm": skeleton.length_nm,
    }


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
