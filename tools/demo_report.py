"""What the demo did, step by step, with times: on a terminal while it runs, and as a table at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table

_WIDTH_ON_A_PIPE = 120


@dataclass(slots=True)
class Step:
    """One thing that was done. `found` is filled in while it is done."""

    name: str
    found: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """The steps so far. On a terminal the running one is shown with a spinner."""

    console: Console = field(
        default_factory=lambda: Console(width=None if sys.stdout.isatty() else _WIDTH_ON_A_PIPE, highlight=False)
    )
    steps: list[Step] = field(default_factory=list)
    _status: Status | None = None

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step; it is listed when it succeeds."""
        step = Step(name)
        begin = time.perf_counter()
        self._status = self.console.status(f"{name} …") if self.console.is_terminal else None
        with self._status or contextlib.nullcontext():
            yield step
        step.seconds = time.perf_counter() - begin
        self.steps.append(step)

    def tell(self, progress: str) -> None:
        """Show on a terminal how far the running step is."""
        if self._status is not None:
            self._status.update(progress)

    def table(self) -> Table:
        """Everything that was done."""
        table = Table(box=box.SIMPLE_HEAD, show_footer=True)
        table.add_column("step", no_wrap=True)
        table.add_column("found", "in all")
        table.add_column("seconds", f"{sum(step.seconds for step in self.steps):.2f}", justify="right")
        for step in self.steps:
            table.add_row(step.name, step.found, f"{step.seconds:.2f}")
        return table
