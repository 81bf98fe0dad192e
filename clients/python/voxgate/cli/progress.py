"""Bytes, rate and time left, on a terminal only: nothing at all on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from voxgate.client.bars import Meter, bar

__all__ = ["Meter", "metered"]


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
    with bar(label) as meter:
        yield meter


def _ignore(phase: str, done_bytes: int, total_bytes: int) -> None:
    """No terminal, no progress."""
