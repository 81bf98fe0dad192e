"""F2: read rate over request size, alignment and parallelism, per kind of store, near and far.

The experiment of figure 2 of the paper on the intern client: by which requests a store is read fastest. It compares
voxgate with nobody; what adapters declare about how they are read follows from it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.figure2_stores import Kind, Plan, Reading, kinds
from voxgate.wire.allocator import tune_allocator

LONG_S = 1.0
"""A reading that takes longer than this is not repeated: it waits, and waiting hardly varies."""
BUDGET_S = 400.0
"""After so many seconds no further pass begins."""


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the experiment.

    Attributes:
        store: the kind.
        latency_s: that the store waits before each answer.
        request_bytes: about how many raw bytes a request asks for.
        aligned: whether the box lies on the store's grid; else it is shifted by half a cell along each axis.
        parallel: requests at a time.
    """

    store: str
    latency_s: float
    request_bytes: int
    aligned: bool
    parallel: int


@dataclass(slots=True)
class Measured:
    """What was seen at a point.

    Attributes:
        amount: MB of raw voxels of a reading.
        requests: that the store answered for a reading; None where there is no store to ask.
        seconds: of each reading.
        loads: of the machine before each reading.
    """

    amount: float
    requests: int | None = None
    seconds: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """MB/s, by the median."""
        return self.amount / statistics.median(self.seconds)


Figure = dict[Point, Measured]


def measure(folder: Path, plan: Plan) -> Figure:
    """Measure all points, several times over, so that what the machine does meanwhile hits them alike.

    Before anything is timed, what every point reads is compared with the voxels.
    """
    tune_allocator()
    figure: Figure = {}
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        opened = [(kind, stack.enter_context(kind.serve(folder, plan))) for kind in kinds()]
        for number in range(plan.passes):
            if number and time.monotonic() - begin > BUDGET_S:
                break
            for kind, reading in opened:
                _pass(figure, kind, reading, plan)
                sys.stderr.write(f"{kind.name} {number + 1} … ")
                sys.stderr.flush()
    sys.stderr.write("\n")
    return figure


def _pass(figure: Figure, kind: Kind, reading: Reading, plan: Plan) -> None:
    for latency in plan.latencies_s if kind.is_far else plan.latencies_s[:1]:
        for point in _points(kind, latency, plan.parallel):
            before = figure.get(point)
            if before is not None and before.seconds[0] > LONG_S:
                continue
            reading.delay(0.0)
            box = reading.box(point.request_bytes, point.aligned)
            with reading.open_with(point.request_bytes, point.parallel) as read:
                if before is None:
                    counted = reading.requests()
                    reading.check(read(box), box)
                    asked = None if counted is None else int(reading.requests() or 0) - counted
                    before = figure[point] = Measured(reading.amount, asked)
                reading.delay(latency)
                before.loads.append(os.getloadavg()[0])
                before.seconds.append(_timed(functools.partial(read, box)))


def _points(kind: Kind, latency: float, parallel: Sequence[int]) -> Iterator[Point]:
    for size in kind.request_bytes:
        for aligned in (True, False):
            for count in parallel:
                yield Point(kind.name, latency, size, aligned, count)


def _timed(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    voxels = run()
    taken = time.perf_counter() - begin
    del voxels
    return taken


def document(figure: Figure) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        "about": "a reading of one box at each point; rate = MB of raw voxels / median of the readings' seconds",
        "points": [
            {
                "store": point.store,
                "latency_s": point.latency_s,
                "request_bytes": point.request_bytes,
                "aligned": point.aligned,
                "parallel": point.parallel,
                "requests": seen.requests,
                "amount_MB": seen.amount,
                "rate_MB_s": seen.rate,
                "seconds": seen.seconds,
                "loads": seen.loads,
            }
            for point, seen in figure.items()
        ],
    }
