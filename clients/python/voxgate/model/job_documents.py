"""JSON of jobs, as the command line prints it and the gateway answers it."""

from __future__ import annotations

from typing import Any

from voxgate.model.documents import box_document, vec3_document
from voxgate.model.jobs import (
    Job,
    JobBlock,
    JobFailure,
    JobResult,
    JobSpec,
    MeshJobResult,
    MeshJobSpec,
    PyramidJobSpec,
    PyramidSpec,
    TransferSpec,
)

_KINDS = {TransferSpec: "transfer", PyramidJobSpec: "pyramid", MeshJobSpec: "mesh"}


def job_document(job: Job) -> dict[str, Any]:
    """The JSON of a job."""
    progress, error = job.progress, job.error
    return {
        "name": job.name,
        "kind": _KINDS[type(job.spec)],
        "state": job.state.value,
        "request_id": job.request_id,
        "source": job.spec.source,
        "destination": job.spec.destination,
        "spec": _spec_document(job.spec),
        "progress": {
            "phase": progress.phase,
            "done_bytes": progress.done_bytes,
            "total_bytes": progress.total_bytes,
            "done_block_count": progress.done_block_count,
            "total_block_count": progress.total_block_count,
            "failed_block_count": progress.failed_block_count,
        },
        "error": {"reason": error.reason, "message": error.message} if error else None,
        "result": _result_document(job.result) if job.result else None,
        "create_time": job.create_time.isoformat(),
        "start_time": job.start_time.isoformat() if job.start_time else None,
        "end_time": job.end_time.isoformat() if job.end_time else None,
        "run_count": job.run_count,
        "provenance": dict(job.provenance),
    }


def failure_document(failure: JobFailure) -> dict[str, Any]:
    """The JSON of a block that failed."""
    return {
        "block": failure.block_index,
        "scale": failure.scale,
        "box": box_document(failure.box) if failure.box else None,
        "attempt_count": failure.attempt_count,
        "time": failure.time.isoformat(),
        "error": {"reason": failure.error.reason, "message": failure.error.message},
    }


def block_document(block: JobBlock) -> dict[str, Any]:
    """The JSON of a finished block."""
    return {
        "block": block.block_index,
        "scale": block.scale,
        "box": box_document(block.box) if block.box else None,
        "checksum": block.checksum.hex(),
    }


def _result_document(result: JobResult) -> dict[str, Any]:
    if isinstance(result, MeshJobResult):
        return {
            "destination": result.destination,
            "segment_count": result.segment_count,
            "face_count": result.face_count,
            "stored_bytes": result.stored_bytes,
            "checksum": result.checksum,
        }
    return {
        "destination": result.destination,
        "destination_version": result.destination_version,
        "copied_bytes": result.copied_bytes,
        "verified_bytes": result.verified_bytes,
        "skipped_block_count": result.skipped_block_count,
        "checksum": result.checksum,
    }


def _spec_document(spec: JobSpec) -> dict[str, Any]:
    """What was asked for beside source and destination; what was not said is left out."""
    if isinstance(spec, PyramidJobSpec):
        return _pyramid_document(spec.pyramid)
    if isinstance(spec, MeshJobSpec):
        return _meshing_document(spec)
    start, size = spec.destination_start, spec.voxel_size_nm
    said = {
        "source_version": spec.source_version,
        "destination_version": spec.destination_version,
        "box": box_document(spec.box) if spec.box else None,
        "scales": list(spec.scales),
        "channels": list(spec.channels),
        "dtype": spec.dtype.name if spec.dtype else None,
        "to": vec3_document(start) if start else None,
        "voxel_size_nm": vec3_document(size) if size else None,
        "mode": spec.mode.value,
        "verify": spec.verification.value,
        "skip_empty": spec.skip_empty,
        "pyramid": _pyramid_document(spec.pyramid) if spec.pyramid else None,
        "note": spec.note,
    }
    return {name: value for name, value in said.items() if value not in (None, "", [])}


def _meshing_document(spec: MeshJobSpec) -> dict[str, Any]:
    said = {
        "source_version": spec.version,
        "scale": spec.scale,
        "box": box_document(spec.box) if spec.box else None,
        "chunk_shape": vec3_document(spec.chunk_shape) if spec.chunk_shape else None,
        "level_count": spec.level_count,
        "max_error_nm": spec.max_error_nm,
        "vertex_quantization_bits": spec.vertex_quantization_bits,
        "sharded": spec.sharded,
        "minimum_voxel_count": spec.minimum_voxel_count,
        "segment_properties": spec.segment_properties,
        "mode": spec.mode.value,
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


def _pyramid_document(spec: PyramidSpec) -> dict[str, Any]:
    return {"factors": [vec3_document(factor) for factor in spec.factors], "method": spec.method.value}
