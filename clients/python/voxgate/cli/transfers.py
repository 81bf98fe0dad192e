"""`voxgate transfer`, `jobs` and `cancel`: volumes copied from store to store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.output import bytes_text, job_document, print_facts, print_json, print_table
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, Server, connected, opened
from voxgate.model.jobs import Job
from voxgate.model.volumes import ScaleSpec, VolumeInfo, VolumeSpec

if TYPE_CHECKING:
    from voxgate.client.jobs import JobHandle

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name, jobs/ID.")]


def transfer(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SRC", help="remote/path or remote/path@version.")],
    destination: Annotated[str, typer.Argument(metavar="DST", help="remote/path; must not exist.")],
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has ended.")] = False,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            help="precomputed, zarr2 or zarr3, unsharded.",
            show_default="the remote's own, sharded where it can be",
        ),
    ] = "",
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Copy a volume to another store.

    Every scale is copied; what was written is read back and compared.
    """
    with connected(context, server) as client:
        spec = _spec_like(opened(client, source).info, fmt) if fmt else None
        handle = client.transfer(source, destination, spec=spec)
        job = _watched(handle, as_json=as_json) if watch else handle.job
    if as_json:
        print_json({"job": job_document(job)})
    elif job.result is not None:
        print(f"{job.result.destination}: {bytes_text(job.result.verified_bytes)} written, read back and compared")
    else:
        print(job.name)


def _spec_like(info: VolumeInfo, fmt: str) -> VolumeSpec:
    scales = tuple(ScaleSpec(scale.bounds, scale.voxel_size_nm) for scale in info.scales)
    return VolumeSpec(info.dtype, info.kind, scales, info.channels, info.fill_value, fmt)


def _watched(handle: JobHandle, *, as_json: bool) -> Job:
    """Follow a job to its end; raises JobFailed or Cancelled when it did not succeed."""
    try:
        with metered("transfer", quiet=as_json) as meter:
            for job in handle.watch():
                meter(job.progress.phase, job.progress.done_bytes, job.progress.total_bytes)
    except KeyboardInterrupt:
        print(f"{handle.name} goes on; follow it with: voxgate jobs {handle.name} --watch", file=sys.stderr)
        raise
    handle.result()
    return handle.job


def jobs(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[JOB]", help="One job, jobs/ID; without it, all of yours.")] = "",
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until the job has ended.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List your jobs, or show one.

    Newest first.
    """
    if watch and not name:
        raise typer.BadParameter("--watch follows one job; name it")
    with connected(context, server) as client:
        if name:
            handle = client.job(name)
            found = [_watched(handle, as_json=as_json) if watch else handle.job]
        else:
            found = [handle.job for handle in client.jobs()]
    if as_json:
        documents = [job_document(job) for job in found]
        print_json({"job": documents[0]} if name else {"jobs": documents})
    elif name:
        print_facts(_facts(found[0]))
    else:
        header = ("JOB", "STATE", "DONE", "FROM", "TO")
        print_table(header, [(j.name, j.state.value, _done(j), j.spec.source, j.spec.destination) for j in found])


def cancel(context: typer.Context, name: JobName, *, server: Server = None, as_json: AsJson = False) -> None:
    """Ask a job to stop.

    What it has written stays.
    """
    with connected(context, server) as client:
        job = client.job(name).cancel()
    if as_json:
        print_json({"job": job_document(job)})
    else:
        print(f"{job.name}: {job.state.value}")


def _done(job: Job) -> str:
    progress = job.progress
    if progress.total_bytes:
        return f"{bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"
    return bytes_text(progress.done_bytes)


def _facts(job: Job) -> dict[str, str]:
    facts = {
        "job": job.name,
        "state": job.state.value,
        "from": job.spec.source,
        "to": job.spec.destination,
        "phase": job.progress.phase or "-",
        "done": _done(job),
    }
    if job.error:
        facts["error"] = f"{job.error.message} ({job.error.reason})"
    if job.result:
        facts["verified"] = f"{bytes_text(job.result.verified_bytes)}, checksum {job.result.checksum}"
    return facts
