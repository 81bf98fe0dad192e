"""Jobs as they go on, whatever becomes of the servers that tell: these streams outlast them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from voxgate.model.errors import Cancelled, DeadlineExceeded, ServerBusy, Unavailable, VoxgateError
from voxgate.model.jobs import Job
from voxgate_gateway.backend.jobs import Jobs

_AWAY = (Unavailable, DeadlineExceeded, Cancelled)
"""How calls end whose server stopped, or whose connection broke; everything else is an answer."""
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_POLL_S = 2.0


async def follow(jobs: Jobs, job_id: str, after_sequence: int = 0) -> AsyncGenerator[Job | VoxgateError, None]:
    """Yield a job at every change after one, until it has ended; and what keeps news away, while it does.

    Where too many watch already the job is asked for now and then; the record then has no sequence.

    Raises:
        VoxgateError: when there is no such job of this caller's, or any more.
    """
    seen, broken = after_sequence, 0
    while True:
        try:
            async with contextlib.aclosing(jobs.watch(job_id, seen)) as watched:
                async for job in watched:
                    broken = 0
                    if job.sequence > seen or job.state.is_terminal:
                        yield job
                    if job.state.is_terminal:
                        return
                    seen = max(seen, job.sequence)
            await asyncio.sleep(_FIRST_DELAY_S)
        except ServerBusy:
            job = await jobs.get(job_id)
            yield job
            if job.state.is_terminal:
                return
            await asyncio.sleep(_POLL_S)
        except _AWAY as error:
            if broken:
                yield error
            await asyncio.sleep(_delay_s(broken))
            broken += 1


async def snapshots(jobs: Jobs, count: int, period_s: float) -> AsyncGenerator[tuple[Job, ...] | VoxgateError, None]:
    """Yield the newest jobs again and again; and what keeps news away, while it does.

    Raises:
        VoxgateError: when they cannot be had, now or later.
    """
    while True:
        try:
            yield (await jobs.list(page_size=count)).jobs
        except (*_AWAY, ServerBusy) as error:
            yield error
        await asyncio.sleep(period_s)


def _delay_s(broken: int) -> float:
    return float(min(_FIRST_DELAY_S * 2.0**broken, _LONGEST_DELAY_S))
