"""`voxgate jobs`: list, show, follow, cancel and take up long work, and look into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli.failures import detached
from voxgate.cli.job_output import done_text, job_facts, result_text
from voxgate.cli.output import print_facts, print_json, print_table
from voxgate.cli.progress import metered
from voxgate.cli.session import AsJson, Server, connected
from voxgate.model.errors import Cancelled, JobFailed
from voxgate.model.job_documents import block_document, failure_document, job_document
from voxgate.model.jobs import Job, JobState

if TYPE_CHECKING:
    from voxgate.client.jobs import JobHandle

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name: jobs/ID, or ID alone.")]
StateOption = Annotated[JobState | None, typer.Option("--state", help="Only jobs in this state.", show_default=False)]


def jobs_group(epilog: str) -> typer.Typer:
    """The commands about jobs under one name; without one of them, they are listed."""
    group = typer.Typer(help="Long work: list it, follow it, stop it, take it up again.", epilog=epilog)
    group.callback(invoke_without_command=True)(_list_unless_told_otherwise)
    group.command("ls")(ls)
    group.command("show")(show)
    group.command("watch")(watch)
    group.command("cancel")(cancel)
    group.command("resume")(resume)
    group.command("failures")(failures)
    group.command("manifest")(manifest)
    return group


def _list_unless_told_otherwise(
    context: typer.Context, *, state: StateOption = None, server: Server = None, as_json: AsJson = False
) -> None:
    if context.invoked_subcommand is None:
        ls(context, state=state, server=server, as_json=as_json)
    elif state or server or as_json:
        raise typer.BadParameter(f"options stand behind the command: voxgate jobs {context.invoked_subcommand} …")


def ls(context: typer.Context, *, state: StateOption = None, server: Server = None, as_json: AsJson = False) -> None:
    """List your jobs, newest first."""
    with connected(context, server) as client:
        found = [handle.job for handle in client.jobs(state)]
    if as_json:
        print_json({"jobs": [job_document(job) for job in found]})
        return
    header = ("JOB", "STATE", "DONE", "FROM", "TO")
    print_table(header, [(j.name, j.state.value, done_text(j), j.spec.source, j.spec.destination) for j in found])


def show(context: typer.Context, name: JobName, *, server: Server = None, as_json: AsJson = False) -> None:
    """Show a job as it stands.

    Exits 0 whatever state it is in.
    """
    with connected(context, server) as client:
        job = client.job(full_name(name)).job
    if as_json:
        print_json({"job": job_document(job)})
    else:
        print_facts(job_facts(job))


def watch(context: typer.Context, name: JobName, *, server: Server = None, as_json: AsJson = False) -> None:
    """Follow a job until it has ended.

    Exits 0 only when it succeeded. Ctrl-C stops following; the job goes on.
    """
    with connected(context, server) as client:
        job = watched(client.job(full_name(name)), as_json=as_json)
    print_job(job, as_json=as_json)


def cancel(context: typer.Context, name: JobName, *, server: Server = None, as_json: AsJson = False) -> None:
    """Ask a job to stop.

    What it has written stays, and `voxgate jobs resume` takes it up again.
    """
    with connected(context, server) as client:
        job = client.job(full_name(name)).cancel()
    _print_state(job, as_json=as_json)


def resume(
    context: typer.Context,
    name: JobName,
    *,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Stay until it has ended.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Take up a job that failed or was cancelled.

    What is done is not done again.
    """
    with connected(context, server) as client:
        handle = client.job(full_name(name))
        job = handle.resume()
        if watch:
            job = watched(handle, as_json=as_json)
    if watch:
        print_job(job, as_json=as_json)
    else:
        _print_state(job, as_json=as_json)


def failures(context: typer.Context, name: JobName, *, server: Server = None, as_json: AsJson = False) -> None:
    """List the blocks of a job that failed, the latest first."""
    with connected(context, server) as client:
        found = list(client.job(full_name(name)).failures())
    if as_json:
        print_json({"job": full_name(name), "failures": [failure_document(each) for each in found]})
        return
    rows = [
        (str(f.block_index), str(f.scale), str(f.box or "-"), str(f.attempt_count), f.error.reason, f.error.message)
        for f in found
    ]
    print_table(("BLOCK", "SCALE", "BOX", "TRIES", "REASON", "MESSAGE"), rows)


def manifest(context: typer.Context, name: JobName, *, server: Server = None, as_json: AsJson = False) -> None:
    """List every finished block of a job: its scale, its box, the SHA-256 of its voxels."""
    with connected(context, server) as client:
        found = client.job(full_name(name)).manifest()
    if as_json:
        blocks = [block_document(block) for block in found]
        print_json({"job": full_name(name), "checksum": found.checksum, "blocks": blocks})
        return
    rows = [(str(b.block_index), str(b.scale), str(b.box or "-"), b.checksum.hex()) for b in found]
    print_table(("BLOCK", "SCALE", "BOX", "SHA-256"), rows)


def full_name(name: str) -> str:
    """A job's name: "jobs/ID" for an ID alone."""
    return name if "/" in name else f"jobs/{name}"


def watched(handle: JobHandle[Any], *, as_json: bool) -> Job:
    """Follow a job to its end.

    Raises:
        JobFailed, Cancelled: when it did not succeed.
        Cancelled: as `detached` says, at Ctrl-C; the job goes on.
    """
    try:
        with metered(handle.name, quiet=as_json) as meter:
            for job in handle.watch():
                meter(job.progress.phase, job.progress.done_bytes, job.progress.total_bytes)
    except KeyboardInterrupt:
        raise detached(handle.name) from None
    try:
        handle.result()
    except (JobFailed, Cancelled) as error:
        remedy = f"what failed: voxgate jobs failures {handle.name}; take it up: voxgate jobs resume {handle.name}"
        raise type(error)(error.message, remedy, details=error.details) from None
    return handle.job


def print_job(job: Job, *, as_json: bool) -> None:
    """Print a job that was started or has succeeded: its document, what it produced, or its name."""
    if as_json:
        print_json({"job": job_document(job)})
    elif job.result is not None:
        print(result_text(job.result))
    else:
        print(job.name)


def _print_state(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json({"job": job_document(job)})
    else:
        print(f"{job.name}: {job.state.value}")
