"""Progress for people: a bar with rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

_LINE_S = 10.0


class Meter(Protocol):
    """Takes what was done so far."""

    def __call__(self, phase: str, done_bytes: int, total_bytes: int) -> None:
        """Show progress; a total of 0 is unknown."""
        ...


@contextmanager
def bar(label: str) -> Iterator[Meter]:
    """A bar on stderr while the block runs, gone afterwards. Needs rich: the extra `voxgate[cli]`.

    What was done before the first word is no part of the rate, so that of a job that was taken up again the time left
    is right.

    Args:
        label: what is being done, shown until a phase is known.
    """
    from rich.console import Console  # noqa: PLC0415  (an extra)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        shown: str | None = None

        def update(phase: str, done_bytes: int, total_bytes: int) -> None:
            nonlocal shown
            description = phase or label
            if shown != description:
                progress.reset(task, description=description, completed=done_bytes, total=total_bytes or None)
                shown = description
            progress.update(task, completed=done_bytes, total=total_bytes or None)

        yield update


def lines(label: str, sink: TextIO, clock: Callable[[], float] = time.monotonic) -> Meter:
    """Write a line at each new phase, every ten seconds and at the end.

    Args:
        label: what is being done, written until a phase is known.
        sink: where to.
        clock: seconds.
    """
    started: tuple[str, float, int] | None = None
    written_at = 0.0

    def write(phase: str, done_bytes: int, total_bytes: int) -> None:
        nonlocal started, written_at
        now, what = clock(), phase or label
        is_new = started is None or started[0] != what
        if started is None or is_new:
            started = (what, now, done_bytes)
        if not is_new and now - written_at < _LINE_S and (done_bytes < total_bytes or not total_bytes):
            return
        written_at = now
        speed = (done_bytes - started[2]) / (now - started[1]) if now > started[1] else 0.0
        sink.write(_line(what, done_bytes, total_bytes, speed) + "\n")
        sink.flush()

    return write


@contextmanager
def shown(label: str) -> Iterator[Meter]:
    """A bar where stderr is a terminal and rich is there to draw it, else lines on stderr."""
    with contextlib.ExitStack() as stack:
        if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
            yield stack.enter_context(bar(label))
        else:
            yield lines(label, sys.stderr)


def _line(what: str, done_bytes: int, total_bytes: int, speed: float) -> str:
    """One line: "copying: 12.0 of 96.0 MiB (12 %), 3.1 MiB/s, 27 s left"."""
    unit, size = _unit(total_bytes or done_bytes)
    if not total_bytes:
        return f"{what}: {done_bytes / size:.1f} {unit}"
    text = f"{what}: {done_bytes / size:.1f} of {total_bytes / size:.1f} {unit} ({100 * done_bytes // total_bytes} %)"
    if speed <= 0:
        return text
    left = "" if done_bytes >= total_bytes else f", {(total_bytes - done_bytes) / speed:.0f} s left"
    unit, size = _unit(speed)
    return f"{text}, {speed / size:.1f} {unit}/s{left}"


def _unit(count: float) -> tuple[str, int]:
    """The unit in which a number of bytes is told, and how many bytes it is."""
    for name, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if count >= size:
            return name, size
    return "KiB", 1 << 10
