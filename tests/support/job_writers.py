"""Processes that write to a job database, to be killed: `python -m support.job_writers COMMAND ADDRESS …`."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import time

from voxgate_jobs.ledger import LedgerPlan
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.work import BlockResult

BLOCKS = 3 * 4096 + 5
STEP = 64


def result(block: int) -> BlockResult:
    """A block's result as it is whenever the block is done."""
    return BlockResult(block + 1, hashlib.sha256(b"%d" % block).digest(), block % 3, block % 5, block % 2 == 0)


def commit(address: str, holder: str) -> None:
    """Take up a job and commit what it lacks, telling each commit once it has been answered: "window first last"."""
    store = SqlJobStore(address)
    while (claim := store.claim(holder, -1.0)) is None:  # over at once: whoever comes after a kill need not wait
        time.sleep(0.01)
    print("claimed", claim.job.name, flush=True)
    store.ledger.begin(claim.lease, LedgerPlan(BLOCKS))
    for window in store.ledger.unfinished(claim.job.name):
        missing = store.ledger.window(claim.job.name, window).missing()
        for at in range(0, len(missing), STEP):
            blocks = missing[at : at + STEP]
            store.ledger.commit(claim.lease, window, {block: result(block) for block in blocks})
            print("committed", *blocks, flush=True)
    print("finished", flush=True)


def claim_one(address: str, holder: str) -> None:
    """Claim once a line comes in, tell the job's name or "nothing", and then commit when the next line comes in."""
    store = SqlJobStore(address)
    print("ready", flush=True)
    sys.stdin.readline()
    claim = store.claim(holder, 3600.0)
    print("nothing" if claim is None else claim.job.name, flush=True)
    sys.stdin.readline()


def lock(path: str, seconds: str) -> None:
    """Hold SQLite's lock for writing for a while; tell when it is held."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    time.sleep(float(seconds))
    connection.execute("COMMIT")


def change(address: str, name: str) -> None:
    """Start a job when a line comes in, as another server would."""
    store = SqlJobStore(address)
    print("ready", flush=True)
    sys.stdin.readline()
    assert store.claim("elsewhere", 3600.0).job.name == name


if __name__ == "__main__":
    {"commit": commit, "claim": claim_one, "lock": lock, "change": change}[sys.argv[1]](*sys.argv[2:])
