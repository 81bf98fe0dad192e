"""The page of jobs: a plain list, which a script keeps up to date from a stream of its own.

One stream for all jobs: browsers open no more than six connections to one server.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import InvalidArgument, Unimplemented, VoxgateError
from voxgate.model.jobs import JobState
from voxgate_gateway.answers import error_answer
from voxgate_gateway.backend.jobs import JobPage, Jobs
from voxgate_gateway.http.events import ALIVE, Latest, event, events_answer, trouble
from voxgate_gateway.jobs.following import snapshots
from voxgate_gateway.jobs.shown import Rates, Shown, card, shown
from voxgate_gateway.page import Page, page_answer, problem_answer, problem_text
from voxgate_gateway.paths import jobs_of
from voxgate_gateway.prefix import root_of

_TITLE = "Jobs · voxgate"
_ON_PAGE = 50
_FOLLOWED = 100
"""The newest, so that those of the first page are among them whatever is started meanwhile."""
_PERIOD_S = 1.0
_STATES = ("", *(state.value for state in JobState))
_SURE = (
    '<dialog id="sure" aria-labelledby="question"><p id="question">Cancel <b id="which"></b>?</p>'
    "<p>What is being written is finished; Resume goes on from there.</p>"
    '<p class="acts"><button type="button" id="yes">Cancel the job</button>'
    '<button type="button" id="no" class="quiet" autofocus>Let it go on</button></p></dialog>'
)
_EMPTY = (
    '<div class="note" id="none"><p>No jobs here. Transfers, pyramids and bulk meshing are jobs: '
    "<code>voxgate transfer SOURCE DESTINATION</code> starts one.</p></div>"
)


async def page(request: Request) -> Response:
    """List jobs, newest first; `?state=` lists those in one state, `?page=` goes on from a page before."""
    root, state = root_of(request), request.query_params.get("state", "")
    try:
        if state not in _STATES:
            raise InvalidArgument(f"{state[:40]!r} is no state of jobs", f"it is one of {', '.join(_STATES[1:])}")
        found = await jobs_of(request).list(
            state=JobState(state) if state else None,
            page_size=_ON_PAGE,
            page_token=request.query_params.get("page", ""),
        )
    except Unimplemented as error:
        # Nothing went wrong: this is how such a server is.
        content = f'<div class="note">{problem_text("No jobs here", error)}</div>'
        return page_answer(request, Page(_TITLE, _header(root, state), content))
    except VoxgateError as error:
        return problem_answer(request, Page(_TITLE, _header(root, ""), ""), error)
    is_live = not state and "page" not in request.query_params
    content = _content(found, root, state, is_live=is_live)
    made = Page(_TITLE, _header(root, state), content, "jobs.js", _SURE, talks=True)
    answer = page_answer(request, made)
    answer.headers["cache-control"] = "no-store"
    return answer


async def events(request: Request) -> Response:
    """What the page shows, whenever that changes: an event `job` for each job that is not as it was."""
    try:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers={"cache-control": "no-store"})
        return events_answer(request, _pieces(jobs_of(request), changes=request.app.state.takes_changes))
    except VoxgateError as error:
        return error_answer(error, str(getattr(request.state, "request_id", "")))


async def _pieces(jobs: Jobs, *, changes: bool) -> AsyncGenerator[bytes, None]:
    rates, told = Rates(), dict[str, Shown]()
    async with Latest(snapshots(jobs, _FOLLOWED, _PERIOD_S)) as latest:
        try:
            async for news in latest.tellings():
                if isinstance(news, VoxgateError):
                    yield trouble(news)
                    continue
                now = time.monotonic()
                # The oldest first, so that each that is new goes on top of those that came before.
                made = [shown(job, rates.of(job, now), changes=changes) for job in reversed(news or ())]
                changed = [each for each in made if told.get(each.id) != each]
                told |= {each.id: each for each in changed}
                yield b"".join(event("job", asdict(each)) for each in changed) or ALIVE
        except VoxgateError as error:
            yield trouble(error)


def _header(root: str, state: str) -> str:
    ways = [
        f'<a href="{root}jobs{f"?state={each}" if each else ""}"{" aria-current=page" if each == state else ""}>'
        f"{each or 'all'}</a>"
        for each in _STATES
    ]
    return (
        f'<h1>Jobs</h1><p><a href="{root}">All volumes</a></p>'
        f'<nav aria-label="States of jobs" class="states">{" ".join(ways)}</nav>'
        '<p class="bad" id="away" role="status" hidden></p>'
    )


def _content(found: JobPage, root: str, state: str, *, is_live: bool) -> str:
    cards = "".join(card(shown(job), root) for job in found.jobs)
    older = ""
    if found.next_page_token:
        query = urlencode({"page": found.next_page_token} | ({"state": state} if state else {}))
        older = f'<p><a href="{root}jobs?{escape(query)}">Older jobs</a></p>'
    live = " data-live" if is_live else ""
    return f'<div id="jobs"{live}>{cards or _EMPTY}</div>{older}<template id="new">{card(None, root)}</template>'


ROUTES = (
    Route("/jobs", page, methods=["GET", "HEAD"]),
    Route("/jobs/events", events, methods=["GET", "HEAD"]),
)
