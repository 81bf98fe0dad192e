"""One coordinator's taking-up of one job, from its claim to the end of its record."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from voxgate.model.errors import Cancelled
from voxgate.model.jobs import Job, JobState
from voxgate_jobs import records
from voxgate_jobs.executors import Executor
from voxgate_jobs.failures import job_error
from voxgate_jobs.leases import Claim, LeaseLost
from voxgate_jobs.ledger import Ledger
from voxgate_jobs.loops import BlockLoop
from voxgate_jobs.signals import Abandoned, Signals
from voxgate_jobs.store import JobStore
from voxgate_jobs.tuning import EngineSettings
from voxgate_jobs.work import OpenWork, Work

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What every run of a coordinator works with.

    Attributes:
        store: the records.
        ledger: what is done of each.
        executor: where blocks run.
        open_work: opens work.
        settings: how much at once.
        kinds: what kinds of work `open_work` opens; jobs of others are left to other coordinators. None means any.
    """

    store: JobStore
    ledger: Ledger
    executor: Executor
    open_work: OpenWork
    settings: EngineSettings
    kinds: Collection[str] | None = None


class Run:
    """Works through a job. `go` runs in a thread of its own; the other methods may be called from any.

    Args:
        claim: the job and the lease on it.
        tools: what to work with.
    """

    def __init__(self, claim: Claim, tools: Tools) -> None:
        self.lease = claim.lease
        self._job = claim.job
        self._tools = tools
        self._key = f"{claim.job.name}/{claim.lease.fence}"
        self._signals = Signals(claim.job.name, tools.settings.retry)

    @property
    def name(self) -> str:
        """The job's name."""
        return self._job.name

    def stop(self) -> None:
        """End soon, because the job's owner asked: its record says so already."""
        self._signals.stop()
        self._tools.executor.stop(self._key)

    def close(self) -> None:
        """End soon and let the job go as it is, for another coordinator."""
        self._signals.close()
        self._tools.executor.stop(self._key)

    def abandon(self) -> None:
        """End now, without waiting for what is being written and without another word to the record."""
        self._signals.abandon()
        self._tools.executor.stop(self._key, writing=True)

    def go(self) -> None:
        """Work until the job has ended, or is to be let go. Never raises."""
        try:
            change = self._worked()
            self._signals.insist(lambda: self._tools.store.update(self.name, change, lease=self.lease))
            self._tools.store.release(self.lease)
        except (LeaseLost, Abandoned):
            _LOG.info("%s is let go", self.name)
        except Exception:  # noqa: BLE001  (the top of a thread)
            _LOG.exception("%s is let go", self.name)  # a fault of ours; the lease ends by itself
        finally:
            self._signals.patience.end()
            self._tools.executor.forget(self._key)

    def _worked(self) -> Callable[[Job], Job]:
        """Do what can be done; how the record goes on."""
        progress, error = self._job.progress, None
        try:
            if self._job.state is not JobState.CANCELLING:
                work = self._signals.patiently(lambda: self._tools.open_work(self._job.spec, self._signals.patience))
                loop = BlockLoop(self._job, self.lease, work, self._tools, self._signals)
                try:
                    loop.run(self._key)
                finally:
                    progress, error = loop.progress, loop.error
                if error is None and not self._signals.stopping:
                    return self._completed(work, loop)
        except (LeaseLost, Abandoned):
            raise
        except Cancelled:
            pass
        except Exception as failure:  # noqa: BLE001  (whatever it was, the record must end)
            _LOG.warning("%s failed", self.name, exc_info=failure)
            error = error or job_error(failure)
        if error is not None:
            return functools.partial(records.ended_badly, progress=progress, error=error)
        return functools.partial(records.stopped, progress=progress)

    def _completed(self, work: Work, loop: BlockLoop) -> Callable[[Job], Job]:
        totals = self._signals.insist(lambda: self._tools.ledger.totals(self.name))
        checksum = self._signals.insist(self._checksum)
        result = self._signals.patiently(lambda: work.finish(totals, checksum))
        return functools.partial(records.ended_well, progress=loop.progress, result=result)

    def _checksum(self) -> str:
        """SHA-256 over the blocks' checksums, in the order of the plan, as the ledger has them."""
        digest = hashlib.sha256()
        for block in self._tools.ledger.manifest(self.name):
            digest.update(block.checksum)
        return digest.hexdigest()
