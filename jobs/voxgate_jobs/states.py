"""Which state of a job may follow which; checked at every change of a record."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from voxgate.model.errors import InternalError
from voxgate.model.jobs import JobState

ALLOWED: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.PENDING: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
        JobState.RUNNING: frozenset({JobState.CANCELLING, JobState.SUCCEEDED, JobState.FAILED}),
        # A job that was told to stop never ends as a success: whoever cancelled has acted on it already.
        JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.FAILED}),
        JobState.SUCCEEDED: frozenset(),
        # Taken up again: what is done is in the ledger.
        JobState.FAILED: frozenset({JobState.PENDING}),
        JobState.CANCELLED: frozenset({JobState.PENDING}),
    }
)
"""The states that may follow each state, itself aside."""


def check_transition(before: JobState, after: JobState) -> None:
    """Refuse a change of state that the table does not list; staying in a state that has not ended is allowed.

    Raises:
        InternalError: for such a change; only a fault of ours asks for one.
    """
    stays = before is after and not before.is_terminal
    if not stays and after not in ALLOWED[before]:
        raise InternalError(f"a job that is {before.value} cannot become {after.value}")
