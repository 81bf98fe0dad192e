"""`voxgate transfer` and `pyramid`: volumes copied from store to store, and their coarser levels made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli.jobs import print_job, watched
from voxgate.cli.parsing import parse_box, parse_channels, parse_nm, parse_point
from voxgate.cli.session import AsJson, Server, Volume, connected, opened
from voxgate.model.geometry import VoxelSize
from voxgate.model.jobs import Job, JobState, PyramidMethod, TransferMode, Verification

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray
    from voxgate.client.jobs import JobHandle

Watch = Annotated[
    bool, typer.Option("--watch/--no-watch", "-w", help="Stay until it has ended; Ctrl-C leaves it to itself.")
]
RequestId = Annotated[
    str | None,
    typer.Option(
        metavar="UUID|WORDS",
        help="Names this very request: once it is done, running it again does nothing and exits 0; one that failed or"
        " was cancelled is taken up where it stopped.",
        show_default=False,
    ),
]
Points = Annotated[
    list[str] | None, typer.Option("--factor", metavar="X,Y,Z", help="Of each level, in order.", show_default=False)
]


def transfer(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SRC", help="remote/path or remote/path@version.")],
    destination: Annotated[str, typer.Argument(metavar="DST", help="remote/path or remote/path@version.")],
    *,
    watch: Watch = False,
    box: Annotated[
        str | None,
        typer.Option(
            metavar="X0:X1,Y0:Y1,Z0:Z1", help="What to copy, voxels of the finest scale copied.", show_default=False
        ),
    ] = None,
    scale: Annotated[
        list[str] | None, typer.Option(metavar="N|KEY", help="A scale to copy; may be repeated.", show_default="all")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(metavar="N|NAME,…", help="Channels to copy, in this order.", show_default="all")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Convert voxels; each must fit.", show_default="the source's")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="X,Y,Z", help="Where the first voxel goes.", show_default="where it lies in the source"),
    ] = None,
    voxel_size: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="In nm, of the finest scale.", show_default="the source's")
    ] = None,
    mode: Annotated[
        TransferMode, typer.Option(help="Where DST exists: refuse, write all, or write the blocks that differ.")
    ] = TransferMode.FAIL_IF_EXISTS,
    verify: Annotated[Verification, typer.Option(help="How much is read back and compared.")] = Verification.FULL,
    skip_empty: Annotated[bool, typer.Option("--skip-empty", help="Leave blocks of background unwritten.")] = False,
    pyramid: Annotated[
        bool, typer.Option("--pyramid", help="Make coarser levels instead of copying the source's.")
    ] = False,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            help="precomputed, zarr2 or zarr3, unsharded.",
            show_default="the remote's own, sharded where it can be",
        ),
    ] = "",
    note: Annotated[str, typer.Option(help="For the log of a store with versions.", show_default=False)] = "",
    request_id: RequestId = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Copy a volume to another store.

    Every scale is copied; what was written is read back and compared. Prints the job's name, or with --watch its end.
    """
    size = None if voxel_size is None else VoxelSize(*parse_nm(voxel_size))
    start = None if to is None else parse_point(to)
    with connected(context, server) as client:
        # Names and open ends need the source; numbers alone do not.
        array = opened(client, source) if box or channels or scale else None
        indices = _scale_indices(array, scale or [])
        handle = client.transfer(
            source,
            destination,
            box=parse_box(box, array.scales[indices[0] if indices else 0].bounds) if box and array else None,
            scales=indices,
            channels=parse_channels(channels, [each.name for each in array.channels]) if channels and array else (),
            dtype=dtype,
            to=start,
            voxel_size_nm=size,
            mode=mode,
            verify=verify,
            skip_empty=skip_empty,
            pyramid=pyramid,
            note=note,
            format=fmt,
            request_id=request_id,
        )
        job = followed(handle, watch=watch, is_repeatable=request_id is not None, as_json=as_json)
    print_job(job, as_json=as_json)


def pyramid(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    *,
    factor: Points = None,
    method: Annotated[
        PyramidMethod, typer.Option(help="mean for images, mode (the commonest) for labels.")
    ] = PyramidMethod.AUTO,
    watch: Watch = False,
    request_id: RequestId = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Make the coarser levels of a volume, stored beside its finest one.

    Prints the job's name, or with --watch its end.
    """
    factors = [parse_point(each) for each in factor or []]
    with connected(context, server) as client:
        handle = client.pyramid(name, factors=factors, method=method, request_id=request_id)
        job = followed(handle, watch=watch, is_repeatable=request_id is not None, as_json=as_json)
    print_job(job, as_json=as_json)


def followed(handle: JobHandle[Any], *, watch: bool, is_repeatable: bool, as_json: bool) -> Job:
    """A job that was just asked for: taken up where an earlier run of the same request stopped, watched if wanted."""
    if is_repeatable and handle.job.state in (JobState.FAILED, JobState.CANCELLED):
        handle.resume()
    return watched(handle, as_json=as_json) if watch else handle.job


def _scale_indices(array: VolumeArray | None, said: list[str]) -> tuple[int, ...]:
    if array is None:
        return ()
    return tuple(array.scale(int(each) if each.isdecimal() else each).scale_index for each in said)
