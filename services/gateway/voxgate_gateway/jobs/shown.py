"""Jobs as the page shows them: in its HTML and in its stream, in the same words, which the script only puts there."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from html import escape

from voxgate.model.jobs import Job, JobState, MeshJobSpec, PyramidJobSpec
from voxgate_gateway.cards import bytes_text

_ACTIVE = (JobState.PENDING, JobState.RUNNING)
_UNDER_WAY = (*_ACTIVE, JobState.CANCELLING)
_LEAST_S = 0.5
"""Over less than this, a rate says nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows of a job.

    Attributes:
        id: of "jobs/ID".
        title: what is done.
        state: in a word.
        done: how much of it, from 0 to 1; None while that is unknown.
        text: how far it has come, in a sentence.
        error: why it failed and what to do about it; empty otherwise.
        failures: how many blocks failed.
        actions: what can be done to it: of "cancel" and "resume".
    """

    id: str
    title: str
    state: str
    done: float | None
    text: str
    error: str
    failures: int
    actions: tuple[str, ...]


def shown(job: Job, rate: float | None = None, *, changes: bool = True) -> Shown:
    """What is shown of a job.

    Args:
        job: as it stands.
        rate: its bytes a second of late; None where nobody knows.
        changes: whether anything may be done to it here.
    """
    progress = job.progress
    done: float | None = None
    if job.state is JobState.SUCCEEDED:
        done = 1.0
    elif progress.total_bytes:
        done = min(1.0, progress.done_bytes / progress.total_bytes)
    elif job.state not in (JobState.RUNNING, JobState.CANCELLING):
        done = 0.0
    return Shown(
        job.name.removeprefix("jobs/"),
        _title(job),
        job.state.value,
        None if done is None else round(done, 4),
        " · ".join(_facts(job, rate)),
        job.error.message if job.error else "",
        progress.failed_block_count,
        _actions(job) if changes else (),
    )


class Rates:
    """How fast jobs go, from what is seen of them. Of one stream."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, int]] = {}
        self._rates: dict[str, float] = {}

    def of(self, job: Job, now_s: float) -> float | None:
        """Bytes a second of late; None while that is unknown, or nothing is done."""
        done = job.progress.done_bytes
        if job.state is not JobState.RUNNING:
            self._seen.pop(job.name, None)
            self._rates.pop(job.name, None)
            return None
        before = self._seen.setdefault(job.name, (now_s, done))
        passed = now_s - before[0]
        if passed >= _LEAST_S:
            self._seen[job.name] = (now_s, done)
            new = max(0, done - before[1]) / passed
            # Blocks are done some at a time: half of what was before remains.
            self._rates[job.name] = (self._rates.get(job.name, new) + new) / 2
        return self._rates.get(job.name)


def _actions(job: Job) -> tuple[str, ...]:
    if job.state in _ACTIVE:
        return ("cancel",)
    return ("resume",) if job.state in (JobState.FAILED, JobState.CANCELLED) else ()


def _title(job: Job) -> str:
    spec = job.spec
    if isinstance(spec, PyramidJobSpec):
        return f"Pyramid of {spec.volume}"
    if isinstance(spec, MeshJobSpec):
        return f"Meshes of {spec.volume}" + (f" into {spec.destination}" if spec.destination else "")
    return f"{spec.source} to {spec.destination}"


def _facts(job: Job, rate: float | None) -> list[str]:
    progress = job.progress
    facts = [progress.phase] if progress.phase and job.state in _UNDER_WAY else []
    if progress.total_bytes:
        facts.append(f"{bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}")
    if progress.total_block_count:
        blocks = "block" if progress.total_block_count == 1 else "blocks"
        facts.append(f"{progress.done_block_count:,} of {progress.total_block_count:,} {blocks}")
    if progress.failed_block_count:
        facts.append(f"{progress.failed_block_count:,} failed")
    if rate:
        facts.append(f"{bytes_text(rate)}/s")
        left = progress.total_bytes - progress.done_bytes
        if left > 0:
            facts.append(f"{_duration(left / rate)} left")
    if job.start_time and job.end_time:
        facts.append(f"took {_duration((job.end_time - job.start_time).total_seconds())}")
    if job.run_count > 1:
        facts.append(f"taken up {job.run_count - 1:,} time{'s' if job.run_count > 2 else ''}")
    return [*facts, f"created {_moment(job.create_time)}"]


def _moment(time: datetime.datetime) -> str:
    return f"{time.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    for size, unit, rest, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size:,} {unit} {whole % size // rest} {part}"
    return f"{whole} s" if whole else "less than a second"


def card(job: Shown | None, root: str) -> str:
    """The HTML of a job; None makes what the script fills in for those that are new.

    Buttons and bars are the script's: without it they are not shown, or as they stood.
    """
    each = job or Shown("", "", "", 0.0, "", "", 0, ())
    where, value = f"{root}api/v1/jobs/{each.id}", "" if each.done is None else f' value="{each.done}"'
    failed = "" if each.failures else " hidden"
    trouble = "" if each.error else " hidden"
    return (
        f'<article class="job" data-job="{escape(each.id)}"><h2><span data-is="title">{escape(each.title)}</span>'
        f'<span class="kind {each.state}" data-is="state">{each.state}</span></h2>'
        f'<progress max="1"{value} aria-label="{escape(each.title)}"></progress>'
        f'<p data-is="text">{escape(each.text)}</p><p class="bad" data-is="error"{trouble}>{escape(each.error)}</p>'
        '<p class="acts"><button type="button" data-act="cancel" hidden>Cancel</button>'
        '<button type="button" data-act="resume" hidden>Resume</button>'
        f'<a data-is="failures" href="{where}/failures"{failed}>Failed blocks</a>'
        f'<a data-is="record" href="{where}">Record</a><code>jobs/{escape(each.id)}</code></p></article>'
    )
