"""What the first page lists: the volumes under a name, each with its description or why there is none.

Bounded in listings, volumes and time, so that a store of a million groups costs no more than a small one.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from voxgate.model.errors import VoxgateError
from voxgate_gateway.backend import Backend, Described, VolumeRef

MAX_VOLUMES = 60
MAX_LISTINGS = 120
PATIENCE_S = 8.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A volume on the page. Exactly one of `described` and `problem` is set."""

    name: str
    described: Described | None = None
    problem: VoxgateError | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The volumes found, and the names that were left for another page because there were too many.

    Attributes:
        entries: volumes, sorted by name.
        unopened: groups that were not looked into; pages of their own list them.
        problems: (group, why) for groups that could not be listed.
        more_volumes: volumes found but not described.
    """

    entries: tuple[Entry, ...]
    unopened: tuple[str, ...]
    problems: tuple[tuple[str, VoxgateError], ...]
    more_volumes: int


def look_around(backend: Backend, under: str = "") -> Catalogue:
    """List the volumes under `under` (empty: everywhere), breadth first.

    Raises:
        VoxgateError: when `under` itself cannot be listed.
    """
    until = time.monotonic() + PATIENCE_S
    waiting = deque([under])
    names: list[str] = []
    problems: list[tuple[str, VoxgateError]] = []
    listings = 0
    while waiting and listings < MAX_LISTINGS and len(names) < MAX_VOLUMES and time.monotonic() < until:
        group = waiting.popleft()
        listings += 1
        try:
            entries = backend.list(group, timeout_s=max(until - time.monotonic(), 0.1))
        except VoxgateError as error:
            if group == under:
                raise
            problems.append((group, error))
            continue
        names += [entry.name for entry in entries if entry.is_volume]
        waiting.extend(entry.name for entry in entries if not entry.is_volume)
    names.sort()
    shown = names[:MAX_VOLUMES]
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="catalogue") as pool:
        entries_shown = tuple(pool.map(lambda name: _describe(backend, name, until), shown))
    return Catalogue(entries_shown, tuple(sorted(waiting)), tuple(problems), len(names) - len(shown))


def _describe(backend: Backend, name: str, until: float) -> Entry:
    try:
        return Entry(name, backend.describe(VolumeRef(name), timeout_s=max(until - time.monotonic(), 0.1)))
    except VoxgateError as error:
        return Entry(name, problem=error)
