"""Which ended jobs are forgotten, and when: with them go their ledgers, their failures and their request ids."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from voxgate_jobs.fencing import ACTIVE
from voxgate_jobs.schema import JOBS

_AT_ONCE = 100
"""Jobs forgotten in one transaction: nobody else waits long for the database meanwhile."""
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended jobs are kept. Jobs that have not ended are always kept.

    Attributes:
        days: those that ended longer ago are forgotten.
        records: while there are more jobs than this, the oldest of those that ended are forgotten.
    """

    days: float = 365.0
    records: int = 10_000


def forget_some(connection: sa.Connection, kept: Retention, now: int) -> bool:
    """Forget up to 100 jobs; whether there may be more to forget.

    Args:
        connection: in a transaction.
        kept: which are kept.
        now: microseconds by the database's clock.
    """
    has_ended = JOBS.c.state.not_in([state.value for state in ACTIVE])
    excess = (connection.scalar(sa.select(sa.func.count()).select_from(JOBS)) or 0) - kept.records
    surplus = sa.select(JOBS.c.ordinal).where(has_ended).order_by(JOBS.c.ordinal).limit(min(_AT_ONCE, max(0, excess)))
    aged = sa.select(JOBS.c.ordinal).where(has_ended, JOBS.c.end_time < now - int(kept.days * _DAY)).limit(_AT_ONCE)
    ordinals = {*connection.scalars(surplus), *connection.scalars(aged)}
    if ordinals:
        connection.execute(sa.delete(JOBS).where(JOBS.c.ordinal.in_(ordinals), has_ended))
    return len(ordinals) >= _AT_ONCE
