"""What jobs look like in JSON."""

from __future__ import annotations

from collections.abc import Mapping

from voxgate.model.jobs import JobState
from voxgate_gateway.rest.operations import Schema, list_of, record, ref, text

_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_ERROR = record({"reason": text("For programs."), "message": text("What happened and what to do about it.")})
_PROGRESS = record(
    {
        "phase": text("What it is at; empty before it begins."),
        "done_bytes": _COUNT,
        "total_bytes": {**_COUNT, "description": "0 while unknown."},
        "done_block_count": _COUNT,
        "total_block_count": {**_COUNT, "description": "0 while unknown."},
        "failed_block_count": _COUNT,
    }
)
_RESULT: Schema = {
    "type": "object",
    "description": "What it produced: of transfers and pyramids bytes, of bulk meshing segments and faces.",
    "properties": {
        "destination": text("The volume written."),
        "checksum": text("SHA-256 over the blocks' checksums in the order of the plan, lower-case hexadecimal."),
    },
    "required": ["destination", "checksum"],
}
SCHEMAS: Mapping[str, Schema] = {
    "Job": record(
        {
            "name": text("`jobs/ID`."),
            "kind": {"type": "string", "enum": ["transfer", "pyramid", "mesh"]},
            "state": {"type": "string", "enum": [state.value for state in JobState]},
            "request_id": text("The caller's id of the request that created it."),
            "source": text("The volume that is read."),
            "destination": text("The volume that is written; empty means the same."),
            "spec": {"type": "object", "description": "What else was asked for, by name."},
            "progress": _PROGRESS,
            "error": _or_null(_ERROR),
            "result": _or_null(_RESULT),
            "create_time": _TIME,
            "start_time": _or_null(_TIME),
            "end_time": _or_null(_TIME),
            "run_count": {**_COUNT, "description": "How often somebody took it up; 1 if nothing interrupted it."},
            "provenance": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ),
    "JobPage": record({"jobs": list_of(ref("Job")), "next_page_token": text("Empty on the last page.")}),
    "JobFailure": record(
        {
            "block": _COUNT,
            "scale": _COUNT,
            "box": _or_null(ref("Box")),
            "attempt_count": _COUNT,
            "time": _TIME,
            "error": _ERROR,
        }
    ),
    "FailurePage": record({"failures": list_of(ref("JobFailure")), "next_page_token": text("Empty on the last page.")}),
}
