"""`voxgate mesh`: surfaces into a file."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from voxgate.cli.output import bytes_text, mesh_document, print_json
from voxgate.cli.parsing import parse_box
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, BoxOption, Force, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.targets import checked_target, replacing
from voxgate.client.segments import checked_segment_id
from voxgate.model.mesh_documents import provenance_document, shared_provenance
from voxgate.model.mesh_files import check_mesh_file, encode_meshes
from voxgate.model.meshes import Mesh

_ENDINGS = (".obj", ".ply", ".stl", ".glb", ".drc")


class How(enum.Enum):
    """How triangles are made fewer."""

    QUALITY = "quality"
    FAST = "fast"


class Search(enum.Enum):
    """How the voxels of segments are found."""

    AUTO = "auto"
    INDEX = "index"
    EVERYWHERE = "everywhere"
    PYRAMID = "pyramid"


def mesh(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The segments; several go into one file.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where to: .obj, .ply, .stl, .glb or .drc (one segment)."),
    ],
    *,
    box: BoxOption = None,
    scale: ScaleOption = None,
    opened_border: Annotated[
        bool, typer.Option("--open", help="Leave surfaces open where they meet the border of the box or volume.")
    ] = False,
    mesher: Annotated[str, typer.Option(help="A mesher by name.", show_default="the server's own")] = "",
    source: Annotated[str, typer.Option(help="The store's own meshes, or made: auto, stored or computed.")] = "auto",
    max_error_nm: Annotated[
        float | None,
        typer.Option(
            metavar="NM", help="Make triangles fewer while the surface stays this close.", show_default="as they are"
        ),
    ] = None,
    faces: Annotated[
        int | None,
        typer.Option(metavar="N", help="Make triangles fewer, until a segment has no more.", show_default="as many"),
    ] = None,
    simplification: Annotated[
        How | None, typer.Option(help="Keep the topology, or be fast.", show_default="quality")
    ] = None,
    normals: Annotated[bool, typer.Option("--normals", help="Write a normal for each vertex.")] = False,
    search: Annotated[Search, typer.Option(help="How the voxels are found.")] = Search.AUTO,
    force: Force = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Mesh segments into a file.

    Surfaces are closed, in nanometres (a .glb in metres), voxel i spanning i to i+1 voxel sizes. With --max-error-nm
    or --faces and without --scale, the coarsest scale that is fine enough is meshed.
    """
    fmt = checked_target(output, _ENDINGS, force=force).removeprefix(".")
    if simplification is not None and max_error_nm is None and faces is None:
        raise typer.BadParameter("--simplification says how; say how far with --max-error-nm or --faces")
    segment_ids = [checked_segment_id(segment_id) for segment_id in ids]
    check_mesh_file(len(segment_ids), fmt)
    with connected(context, server) as client:
        array = opened(client, name, scale)
        with metered("mesh", quiet=as_json) as meter:
            meshes = array.meshes(
                segment_ids,
                bounds=parse_box(box, array.bounds) if box else None,
                # A scale that was named is meshed, whatever would do.
                scale=None if scale is None else array.scale_index,
                closed=not opened_border,
                mesher=mesher,
                source=source,
                max_error_nm=max_error_nm,
                target_face_count=faces,
                simplification=(simplification or How.QUALITY).value,
                normals=normals,
                search=search.value,
                progress=meter,
            )
    with replacing(output) as temporary:
        temporary.write_bytes(encode_meshes(meshes, fmt))
    if as_json:
        print_json({"output": str(output), "volume": name, **_meshes_document(meshes)})
        return
    vertex_count, face_count = sum(len(m.vertices) for m in meshes), sum(len(m.faces) for m in meshes)
    what = "segment" if len(meshes) == 1 else "segments"
    size = bytes_text(output.stat().st_size)
    print(f"{output}: {len(meshes)} {what}, {vertex_count} vertices, {face_count} faces, {size}")


def _meshes_document(meshes: Sequence[Mesh]) -> dict[str, Any]:
    shared = shared_provenance(meshes)
    return {
        "provenance": None if shared is None else provenance_document(shared),
        "meshes": [mesh_document(mesh, shared) for mesh in meshes],
    }
