"""Bytes, rate and time left, on a terminal only: nothing at all on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Meter(Protocol):
    """Takes what was done so far."""

    def __call__(self, phase: str, done_bytes: int, total_bytes: int) -> None:
        """Show progress; a total of 0 is unknown."""
        ...


@contextmanager
def metered(label: str, *, quiet: bool = False) -> Iterator[Meter]:
    """A progress bar on stderr while the block runs, if stderr is a terminal.

    Args:
        label: what is being done, shown until a phase is known.
        quiet: show nothing, whatever stderr is.
    """
    if quiet or not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console  # noqa: PLC0415  (not needed on a pipe)
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

        def update(phase: str, done_bytes: int, total_bytes: int) -> None:
            progress.update(task, description=phase or label, completed=done_bytes, total=total_bytes or None)

        yield update


def _ignore(phase: str, done_bytes: int, total_bytes: int) -> None:
    """No terminal, no progress."""
