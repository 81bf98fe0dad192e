"""How jobs are shown to people: facts and rows."""

from __future__ import annotations

from voxgate.cli.output import bytes_text
from voxgate.model.jobs import Job, JobResult, MeshJobResult


def job_facts(job: Job) -> dict[str, str]:
    """A job for people."""
    progress = job.progress
    facts = {
        "job": job.name,
        "state": job.state.value,
        "from": job.spec.source,
        "to": job.spec.destination,
        "phase": progress.phase or "-",
        "done": done_text(job),
    }
    if progress.failed_block_count:
        facts["failed"] = f"{progress.failed_block_count} of {progress.total_block_count} blocks"
    if job.run_count > 1:
        facts["taken up"] = f"{job.run_count} times"
    if job.error:
        facts["error"] = f"{job.error.message} ({job.error.reason})"
    if isinstance(job.result, MeshJobResult):
        facts["stored"] = f"{_meshes_text(job.result)}, checksum {job.result.checksum}"
    elif job.result:
        facts["verified"] = f"{bytes_text(job.result.verified_bytes)}, checksum {job.result.checksum}"
    return facts


def done_text(job: Job) -> str:
    """How far a job has come."""
    progress = job.progress
    if progress.total_bytes:
        return f"{bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"
    return bytes_text(progress.done_bytes)


def result_text(result: JobResult) -> str:
    """What a job produced, in one line."""
    where = result.destination
    if isinstance(result, MeshJobResult):
        return f"{where}: {_meshes_text(result)}"
    if result.destination_version:
        where += f"@{result.destination_version}"
    parts = [
        f"{bytes_text(result.verified_bytes)} read back and compared" if result.verified_bytes else "not read back"
    ]
    if result.copied_bytes:
        parts.insert(0, f"{bytes_text(result.copied_bytes)} copied")
    if result.skipped_block_count:
        parts.append(f"{result.skipped_block_count} blocks left as they were")
    return f"{where}: {', '.join(parts)}"


def _meshes_text(result: MeshJobResult) -> str:
    segments = "1 segment" if result.segment_count == 1 else f"{result.segment_count} segments"
    return f"{segments}, {result.face_count} faces, {bytes_text(result.stored_bytes)}"
