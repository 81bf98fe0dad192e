"""Jobs: long work, listed, followed, cancelled and taken up again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response

from voxgate.model.errors import VoxgateError
from voxgate.model.job_documents import failure_document, job_document
from voxgate.model.jobs import Job, JobState
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend.jobs import Jobs
from voxgate_gateway.changes import refuse_changes
from voxgate_gateway.http.events import ALIVE, MEDIA_TYPE, Latest, event, events_answer, last_event_id, trouble
from voxgate_gateway.jobs.following import follow
from voxgate_gateway.paths import jobs_of
from voxgate_gateway.rest.job_schemas import SCHEMAS
from voxgate_gateway.rest.kinds import PAGE_TOKEN, choice, integer, words
from voxgate_gateway.rest.operations import Answer, Area, Asked, Operation, Parameter, ref

_UNCACHED = "no-store"
_MOST_PAGE = 1000


def job_json(job: Job) -> dict[str, Any]:
    """A job as JSON: what the command line prints, places as lists as everywhere here."""
    document: dict[str, Any] = _listed(job_document(job))
    return document


def _listed(value: Any) -> Any:
    """The same, with {"x", "y", "z"} as lists."""
    if isinstance(value, dict):
        if value.keys() == {"x", "y", "z"}:
            return [value["x"], value["y"], value["z"]]
        return {name: _listed(each) for name, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, list) else value


def _told(asked: Asked, value: Any) -> Response:
    return json_answer(asked.request, value, cache_control=_UNCACHED)


async def _list(asked: Asked) -> Response:
    values = asked.values
    state = JobState(values["state"]) if "state" in values else None
    page = await jobs_of(asked.request).list(
        state=state, page_size=values.get("page_size", 0), page_token=values.get("page_token", "")
    )
    return _told(asked, {"jobs": [job_json(job) for job in page.jobs], "next_page_token": page.next_page_token})


async def _get(asked: Asked) -> Response:
    return _told(asked, job_json(await jobs_of(asked.request).get(asked.values["job"])))


async def _failures(asked: Asked) -> Response:
    values = asked.values
    page = await jobs_of(asked.request).failures(
        values["job"], page_size=values.get("page_size", 0), page_token=values.get("page_token", "")
    )
    failures = [_listed(failure_document(failure)) for failure in page.failures]
    return _told(asked, {"failures": failures, "next_page_token": page.next_page_token})


async def _cancel(asked: Asked) -> Response:
    refuse_changes(asked.request)
    return _told(asked, job_json(await jobs_of(asked.request).cancel(asked.values["job"])))


async def _resume(asked: Asked) -> Response:
    refuse_changes(asked.request)
    return _told(asked, job_json(await jobs_of(asked.request).resume(asked.values["job"])))


async def _events(asked: Asked) -> Response:
    request, job_id, after = asked.request, asked.values["job"], last_event_id(asked.request)
    jobs = jobs_of(request)
    job = await jobs.get(job_id)
    if after and job.state.is_terminal:
        async with contextlib.aclosing(jobs.watch(job_id, after)) as watched:
            async for each in watched:
                if each.sequence <= after:
                    # A browser asks again until it is told that there is no more.
                    return Response(status_code=204, headers={"cache-control": _UNCACHED})
                break
    if request.method == "HEAD":
        return Response(media_type=MEDIA_TYPE, headers={"cache-control": _UNCACHED})
    return events_answer(request, _pieces(jobs, job_id, after))


async def _pieces(jobs: Jobs, job_id: str, after: int) -> AsyncGenerator[bytes, None]:
    async with Latest(follow(jobs, job_id, after)) as latest:
        try:
            async for told in latest.tellings():
                if told is None:
                    yield ALIVE
                elif isinstance(told, VoxgateError):
                    yield trouble(told)
                else:
                    yield event("job", job_json(told), told.sequence or None)
        except VoxgateError as error:
            # It was there when the stream began.
            yield trouble(error)


_JOB = Parameter(
    "job",
    words(r"[A-Za-z0-9-]{1,64}", "the ID of a job's name jobs/ID"),
    "The ID of a job's name `jobs/ID`.",
    where="path",
    required=True,
    example="04194f1703dc4f968d65591edaaa8b75",
)
_PAGING = (
    Parameter("page_size", integer(1, _MOST_PAGE), "The most to answer; 100 if it is not said.", example="100"),
    PAGE_TOKEN,
)
_CHANGES = "Refused with 403 where a browser says that a page of another origin asks. The request has no body."
AREA = Area(
    "jobs",
    "Long work: transfers, pyramids, bulk meshing. Everybody sees their own.",
    (
        Operation(
            "listJobs",
            "/jobs",
            "List jobs, newest first",
            {200: Answer("One page.", {"application/json": ref("JobPage")})},
            _list,
            parameters=(
                Parameter(
                    "state", choice(*(state.value for state in JobState)), "Only jobs in this state.", example="running"
                ),
                *_PAGING,
            ),
        ),
        Operation(
            "getJob",
            "/jobs/{job}",
            "A job as it stands",
            {200: Answer("Its record.", {"application/json": ref("Job")})},
            _get,
            parameters=(_JOB,),
        ),
        Operation(
            "listJobFailures",
            "/jobs/{job}/failures",
            "List the blocks that failed, the latest first; of each the last failure",
            {200: Answer("One page.", {"application/json": ref("FailurePage")})},
            _failures,
            parameters=(_JOB, *_PAGING),
        ),
        Operation(
            "cancelJob",
            "/jobs/{job}/cancel",
            "Ask a job to stop; harmless when it has ended",
            {
                200: Answer(
                    "Its record: `cancelling` until blocks being written are done.", {"application/json": ref("Job")}
                )
            },
            _cancel,
            text=_CHANGES,
            parameters=(_JOB,),
            method="POST",
        ),
        Operation(
            "resumeJob",
            "/jobs/{job}/resume",
            "Take a job up that failed or was cancelled: what is done is not done again",
            {200: Answer("Its record.", {"application/json": ref("Job")})},
            _resume,
            text=f"Harmless while it is under way, refused with 422 for one that succeeded. {_CHANGES}",
            parameters=(_JOB,),
            method="POST",
        ),
        Operation(
            "watchJob",
            "/jobs/{job}/events",
            "Follow a job live, as Server-Sent Events",
            {
                200: Answer(
                    "An event `job` for each change, whose data is the record and whose id goes into `Last-Event-ID` "
                    "to go on from there. It ends with the job. Changes that follow one another quickly are told as "
                    "one, and so are those that a slow reader missed. `trouble` says that news may be late and why, in "
                    "`reason`, `detail` and `remedy`; comments come while there is no news.",
                    {MEDIA_TYPE: {"type": "string"}},
                ),
                204: Answer("The job has ended, and `Last-Event-ID` names its last event: do not ask again."),
            },
            _events,
            parameters=(_JOB,),
        ),
    ),
    SCHEMAS,
)
