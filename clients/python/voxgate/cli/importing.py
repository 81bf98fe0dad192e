"""`voxgate import`: files of this machine into a volume of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.jobs import watched
from voxgate.cli.local_files import opened_files
from voxgate.cli.output import bytes_text, print_json
from voxgate.cli.parsing import parse_nm, parse_point
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, Server, connected
from voxgate.client.wishes import encoding_of
from voxgate.model.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    MissingCapability,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.job_documents import job_document
from voxgate.model.jobs import Job, JobState, PyramidJobSpec
from voxgate.model.volumes import ArrayCodec, ByteCodec, Encoding, Scale, VolumeKind

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
    chunk: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Voxels of a stored chunk.", show_default="the format's own")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Voxels of a shard, whole chunks.", show_default="no shards")
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="none, gzip, zstd, blosc; compressed_segmentation, jpeg, png.",
            show_default="the format's own",
        ),
    ] = None,
    pyramid: Annotated[
        bool | None,
        typer.Option("--pyramid/--no-pyramid", help="Make coarser levels.", show_default="where the store takes them"),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Read back what was written.")] = True,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Bring files of this machine into a volume on a server.

    Reads what `voxgate serve PATH` reads: slices, TIFF, HDF5, Zarr, N5, precomputed (with voxgate[server]). A run that
    was interrupted goes on when it is repeated: what the volume holds already is not written again.
    """
    from voxgate.client.copying import copy_voxels  # noqa: PLC0415  (grpc is slow to import)

    wanted = _Wanted(
        destination,
        None if voxel_size is None else VoxelSize(*parse_nm(voxel_size)),
        None if offset is None else parse_point(offset),
        kind,
        fmt,
        None if chunk is None else parse_point(chunk),
        None if shard is None else parse_point(shard),
        codec,
    )
    if codec is not None:
        _check_lossless(codec, verify=verify)
    with opened_files(source) as files, connected(context, server) as client:
        found = files if time is None else files.sel(time=time)
        target = _target(client, found, wanted)
        with metered("import", quiet=as_json) as meter:
            copied = copy_voxels(found, target, meter, verify=verify)
        levels = _NO_LEVELS if pyramid is False else _levels(client, target, copied, must=bool(pyramid), quiet=as_json)
    _print(destination, copied, levels, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line says of the volume to fill; None where it says nothing."""

    name: str
    voxel_size_nm: VoxelSize | None
    start: Vec3 | None
    kind: VolumeKind | None
    format: str
    chunk: Vec3 | None
    shard: Vec3 | None
    codec: str | None

    def is_stored_in(self, scale: Scale) -> bool:
        """Whether a scale is kept as was said."""
        encodings = scale.stored_encodings
        return (
            self.chunk in (None, scale.stored_chunk_shape)
            and self.shard in (None, scale.write_granule_shape)
            and (self.codec is None or not encodings or _codec_of(encodings[0]) == _codec_of(encoding_of(self.codec)))
        )


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
        return client.create(
            name,
            like=files,
            voxel_size_nm=size,
            offset=start,
            kind=kind,
            format=wanted.format,
            chunk=wanted.chunk,
            shard=wanted.shard,
            codec=wanted.codec,
        )
    bounds = Box.at(start, files.bounds.shape)
    same_voxels = (there.dtype, there.bounds, there.info.channel_count) == (
        files.dtype,
        bounds,
        files.info.channel_count,
    )
    if not wanted.is_stored_in(there.scales[0]):
        raise AlreadyExists(
            f"{name} is kept in other chunks, shards or codecs", "leave those options out, or delete it: voxgate rm"
        )
    if not same_voxels or there.voxel_size_nm != size or kind not in (None, there.kind):
        raise AlreadyExists(f"another volume is called {name}", "choose another name, or delete it: voxgate rm")
    return there


def _codec_of(encoding: Encoding) -> tuple[ArrayCodec, ByteCodec]:
    return encoding.array, encoding.bytes


def _check_lossless(codec: str, *, verify: bool) -> None:
    """Refuse to compare what cannot be equal.

    Raises:
        InvalidArgument.
    """
    if encoding_of(codec).array is ArrayCodec.JPEG and verify:
        raise InvalidArgument(
            "JPEG keeps voxels with loss: they do not read back as they were written",
            "choose another codec, or --no-verify",
            details={"field": "codec"},
        )


@dataclass(frozen=True, slots=True)
class _Levels:
    """The job that made coarser levels; None for none, and why the store takes none."""

    job: Job | None = None
    refusal: str = ""


_NO_LEVELS = _Levels()


def _levels(client: Client, target: VolumeArray, copied: Copied, *, must: bool, quiet: bool) -> _Levels:
    """Make coarser levels; unless they `must` be, a store that takes none is left without."""
    try:
        return _Levels(_pyramid(client, target, copied, as_json=quiet))
    except (MissingCapability, UnsupportedFormat) as error:
        if must:
            raise
        return _Levels(refusal=error.message)


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


def _print(name: str, copied: Copied, made: _Levels, *, as_json: bool) -> None:
    job = made.job
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
    levels = "; coarser levels made" if job else f"; no coarser levels: {made.refusal}" if made.refusal else ""
    print(f"{name}: {bytes_text(copied.written_bytes)} written{held}{levels}")
