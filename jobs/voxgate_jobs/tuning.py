"""How an engine goes about its work: numbers, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a block is tried again when its store or server says that trying again may help.

    Attributes:
        attempts: tries in all, at least 1; the default outlasts a store that restarts.
        first_delay_s: seconds before the second try; doubled before each further one.
        longest_delay_s: a store that asks for more patience than this does not get it.
    """

    attempts: int = 8
    first_delay_s: float = 0.25
    longest_delay_s: float = 30.0

    def delay_s(self, attempts: int, asked_s: float = 0.0) -> float:
        """Seconds to wait after so many failed tries, where the store asked for `asked_s`."""
        own = self.first_delay_s * 2.0 ** min(attempts - 1, 32)
        return min(max(own, asked_s), self.longest_delay_s)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How much a Coordinator does at once, and how often it says so.

    Attributes:
        running_count: jobs that run at once; the others wait.
        waiting_count: jobs that may wait; more are refused.
        batch_s: seconds of work in one task of the executor: much more than the millisecond that a task costs, little
            enough that stopping takes seconds.
        batch_blocks: the most blocks in one task.
        commit_s: seconds of finished work that a crash may have done in vain.
        commit_blocks: finished blocks after which they are committed earlier.
        progress_s: a record's progress changes at most this often.
        look_s: how often the record is looked at for a wish to stop; such a wish in this process is heard at once.
        drain_s: how long a run that stops waits for its blocks; what is still silent then is taken to be lost.
        lease_s: seconds after which others take up the jobs of a coordinator that died. Renewed five times as often.
        poll_s: how often jobs that nobody runs are looked for; those submitted in this process are taken up at once.
        lost_attempts: how often workers may die at one block that runs alone before it is taken to be what kills them.
        retry: how blocks are tried again.
    """

    running_count: int = 4
    waiting_count: int = 64
    batch_s: float = 0.5
    batch_blocks: int = 256
    commit_s: float = 2.0
    commit_blocks: int = 2048
    progress_s: float = 0.5
    look_s: float = 0.5
    drain_s: float = 20.0
    lease_s: float = 20.0
    poll_s: float = 2.0
    lost_attempts: int = 3
    retry: RetryPolicy = field(default_factory=RetryPolicy)
