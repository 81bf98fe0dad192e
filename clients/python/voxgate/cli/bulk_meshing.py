"""`voxgate mesh-all`: all segments of a volume as stored meshes with levels of detail."""

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.cli.jobs import print_job
from voxgate.cli.parsing import parse_box, parse_point
from voxgate.cli.session import AsJson, BoxOption, ScaleOption, Server, Volume, connected, opened
from voxgate.cli.transfers import RequestId, Watch, followed
from voxgate.model.jobs import MeshJobMode, MeshJobSpec
from voxgate.model.names import split_version


def mesh_all(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    destination: Annotated[
        str,
        typer.Argument(
            metavar="DST",
            help="remote/path of a precomputed volume, or of nothing yet; else beside NAME.",
            show_default=False,
        ),
    ] = "",
    *,
    watch: Watch = False,
    box: BoxOption = None,
    scale: ScaleOption = None,
    chunk: Annotated[
        str | None,
        typer.Option(metavar="X,Y,Z", help="Voxels of the finest pieces, 16 to 1024.", show_default="the server's own"),
    ] = None,
    levels: Annotated[
        int, typer.Option(metavar="N", min=0, help="Levels of detail at most.", show_default="as many as it takes")
    ] = 0,
    max_error_nm: Annotated[
        float | None,
        typer.Option(
            metavar="NM",
            help="How far the finest level may be from the voxels' surface; 0 leaves it as it is.",
            show_default="the voxels' shortest side",
        ),
    ] = None,
    bits: Annotated[int, typer.Option(metavar="10|16", help="Of a vertex, on each axis of its piece.")] = 16,
    sharded: Annotated[
        bool, typer.Option("--sharded", help="Many meshes in one file, not two files for each.")
    ] = False,
    min_voxels: Annotated[int, typer.Option(metavar="N", min=0, help="Leave out segments with fewer voxels.")] = 0,
    properties: Annotated[bool, typer.Option(help="Store voxel counts, volumes and surfaces, too.")] = True,
    mode: Annotated[
        MeshJobMode, typer.Option(help="Where there are meshes: refuse, or replace them.")
    ] = MeshJobMode.FAIL_IF_EXISTS,
    request_id: RequestId = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Mesh all segments of a volume, stored with levels of detail as neuroglancer reads them.

    Surfaces are closed at the border of the box or volume. Prints the job's name, or with --watch its end.
    """
    volume, version = split_version(name)
    shape = None if chunk is None else parse_point(chunk)
    with connected(context, server) as client:
        # Keys and open ends need the volume; numbers alone do not.
        array = opened(client, name, scale) if box or scale else None
        asked = MeshJobSpec(
            volume,
            version,
            destination,
            scale=0 if array is None else array.scale_index,
            box=parse_box(box, array.bounds) if box and array is not None else None,
            chunk_shape=shape,
            level_count=levels,
            max_error_nm=max_error_nm,
            vertex_quantization_bits=bits,
            sharded=sharded,
            minimum_voxel_count=min_voxels,
            segment_properties=properties,
            mode=mode,
        )
        handle = client.create_mesh_job(asked, request_id=request_id)
        job = followed(handle, watch=watch, is_repeatable=request_id is not None, as_json=as_json)
    print_job(job, as_json=as_json)
