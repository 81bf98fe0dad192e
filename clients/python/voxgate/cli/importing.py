"""`voxgate import`: files of this machine into a volume of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.job_output import job_document
from voxgate.cli.jobs import watched
from voxgate.cli.local_files import opened_files
from voxgate.cli.output import bytes_text, print_json
from voxgate.cli.parsing import parse_nm, parse_point
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, Server, connected
from voxgate.model.errors import AlreadyExists, FailedPrecondition, InvalidArgument, UnknownVolume
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import Job, JobState, PyramidJobSpec
from voxgate.model.volumes import VolumeKind

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray
    from voxgate.client.connection import Client
    from voxgate.client.copying import Copied


def import_(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    source: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="A file, a folder, FILE.h5/path/in/it, or 'slices/*.png'.")
    ],
    destination: Annotated[str, typer.Argument(metavar="DST", help="The volume: remote/path.")],
    *,
    voxel_size: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="In nanometres.", show_default="what the files say")
    ] = None,
    offset: Annotated[
        str | None,
        typer.Option(metavar="X,Y,Z", help="The first voxel.", show_default="what the files say, else 0,0,0"),
    ] = None,
    kind: Annotated[
        VolumeKind | None,
        typer.Option(help="What the voxels mean.", show_default="what the files say, else by their type"),
    ] = None,
    time: Annotated[int | None, typer.Option(metavar="N", help="Which time, of several.", show_default=False)] = None,
    fmt: Annotated[
        str, typer.Option("--format", help="precomputed, zarr2 or zarr3.", show_default="the remote's own")
    ] = "",
    pyramid: Annotated[bool, typer.Option("--pyramid", help="Make coarser levels, too.")] = False,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Read back what was written.")] = True,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Bring files of this machine into a volume on a server.

    Reads what `voxgate serve PATH` reads: slices, TIFF, HDF5, Zarr, N5, precomputed (with voxgate[server]). A run that
    was interrupted goes on when it is repeated: what the volume holds already is not written again.
    """
    from voxgate.client.copying import copy_voxels  # noqa: PLC0415  (grpc is slow to import)

    size = None if voxel_size is None else VoxelSize(*parse_nm(voxel_size))
    start = None if offset is None else parse_point(offset)
    with opened_files(source) as files, connected(context, server) as client:
        found = files if time is None else files.sel(time=time)
        target = _target(client, found, _Wanted(destination, size, start, kind, fmt))
        with metered("import", quiet=as_json) as meter:
            copied = copy_voxels(found, target, meter, verify=verify)
        job = _pyramid(client, target, copied, as_json=as_json) if pyramid else None
    _print(destination, copied, job, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line says of the volume to fill; None where it says nothing."""

    name: str
    voxel_size_nm: VoxelSize | None
    start: Vec3 | None
    kind: VolumeKind | None
    format: str


def _target(client: Client, files: VolumeArray, wanted: _Wanted) -> VolumeArray:
    """The volume to fill: created, or the one that an earlier run created.

    Raises:
        FailedPrecondition: when nobody says how large a voxel is.
        AlreadyExists: when another volume has the name.
    """
    name, kind = wanted.name, wanted.kind
    size, start = wanted.voxel_size_nm or files.voxel_size_nm, wanted.start or files.bounds.start
    if size is None:
        raise FailedPrecondition("the files do not say how large a voxel is", "say --voxel-size X,Y,Z in nanometres")
    try:
        there = client.volume(name)
    except UnknownVolume:
        return client.create(name, like=files, voxel_size_nm=size, offset=start, kind=kind, format=wanted.format)
    bounds = Box.at(start, files.bounds.shape)
    same_voxels = (there.dtype, there.bounds, there.info.channel_count) == (
        files.dtype,
        bounds,
        files.info.channel_count,
    )
    if not same_voxels or there.voxel_size_nm != size or kind not in (None, there.kind):
        raise AlreadyExists(f"another volume is called {name}", "choose another name, or delete it: voxgate rm")
    return there


def _pyramid(client: Client, target: VolumeArray, copied: Copied, *, as_json: bool) -> Job | None:
    """The coarser levels of what was imported: made, or found to be made of the same voxels already.

    None where the volume is so small that it needs none.
    """
    request = f"import {target.name} {copied.checksum}"
    newest = next((each for each in client.jobs() if _makes_levels_of(target, each.job)), None)
    try:
        handle = client.pyramid(target.name, request_id=request)
    except InvalidArgument as error:
        if error.details.get("field") != "pyramid.factors":
            raise
        return None  # we stated no factors: the server has nothing to choose
    is_newest = newest is None or newest.name == handle.name
    if handle.job.state is JobState.SUCCEEDED and (not is_newest or len(target.scales) == 1):
        # Made of these voxels once, but of a volume that was deleted, or that held others in between.
        handle = client.pyramid(target.name)
    if handle.job.state in (JobState.FAILED, JobState.CANCELLED):
        handle.resume()
    return watched(handle, as_json=as_json)


def _makes_levels_of(target: VolumeArray, job: Job) -> bool:
    return isinstance(job.spec, PyramidJobSpec) and job.spec.volume == target.name


def _print(name: str, copied: Copied, job: Job | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "volume": name,
                "written_bytes": copied.written_bytes,
                "equal_bytes": copied.equal_bytes,
                "checksum": copied.checksum,
                "pyramid": job_document(job) if job else None,
            }
        )
        return
    held = f", {bytes_text(copied.equal_bytes)} there already" if copied.equal_bytes else ""
    levels = "; coarser levels made" if job else ""
    print(f"{name}: {bytes_text(copied.written_bytes)} written{held}{levels}")
