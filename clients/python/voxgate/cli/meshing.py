"""`voxgate mesh`: surfaces into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.cli.output import bytes_text, mesh_document, print_json
from voxgate.cli.parsing import parse_box
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, BoxOption, Force, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.targets import checked_target, replacing
from voxgate.client.segments import checked_segment_id
from voxgate.model.mesh_files import encode_meshes


def mesh(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The segments; several go into one file.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .obj, .ply, .stl or .glb.")],
    *,
    box: BoxOption = None,
    scale: ScaleOption = None,
    opened_border: Annotated[
        bool, typer.Option("--open", help="Leave surfaces open where they meet the border of the box or volume.")
    ] = False,
    mesher: Annotated[str, typer.Option(help="A mesher by name.", show_default="the server's own")] = "",
    source: Annotated[str, typer.Option(help="The store's own meshes, or made: auto, stored or computed.")] = "auto",
    force: Force = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Mesh segments into a file.

    Surfaces are closed, in nanometres (a .glb in metres), voxel i spanning i to i+1 voxel sizes.
    """
    ending = checked_target(output, (".obj", ".ply", ".stl", ".glb"), force=force)
    segment_ids = [checked_segment_id(segment_id) for segment_id in ids]
    with connected(context, server) as client:
        array = opened(client, name, scale)
        bounds = parse_box(box, array.bounds) if box else None
        with metered("mesh", quiet=as_json) as meter:
            meshes = array.meshes(
                segment_ids, bounds=bounds, closed=not opened_border, mesher=mesher, source=source, progress=meter
            )
    with replacing(output) as temporary:
        temporary.write_bytes(encode_meshes(meshes, ending.removeprefix(".")))
    if as_json:
        print_json({"output": str(output), "volume": name, "meshes": [mesh_document(each) for each in meshes]})
        return
    vertices, faces = sum(len(m.vertices) for m in meshes), sum(len(m.faces) for m in meshes)
    what = "segment" if len(meshes) == 1 else "segments"
    size = bytes_text(output.stat().st_size)
    print(f"{output}: {len(meshes)} {what}, {vertices} vertices, {faces} faces, {size}")
