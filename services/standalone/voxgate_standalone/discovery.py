"""What volumes the configured remotes have: looked for while the server already serves, with bounded effort.

Remotes are walked group by group through their registry, level by level, so that what lies near the top is found
first. Nothing here fails: a volume that cannot be read is found, with what is wrong with it. Databases are not walked:
they have no small number of volumes, and each look is a request to somebody's server.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from voxgate.model.errors import MalformedName, MissingCapability, UnknownVolume, VoxgateError
from voxgate.model.remotes import RemoteEntry, VolumeEntry
from voxgate.model.volumes import CallContext, OpenOptions, VolumeInfo
from voxgate_remotes.registry import Registry

NOT_WALKED = frozenset({"bossdb", "dvid", "voxgate"})
"""Schemes of databases and of other servers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far discovery goes.

    Attributes:
        volumes: how many are opened and described; more are only counted.
        groups: how many are listed.
        depth: how many groups lie within one another below a remote.
        seconds: how long it takes at most.
    """

    volumes: int = 50
    groups: int = 5000
    depth: int = 16
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """Something that discovery met: a volume that can be read, or what is wrong there.

    Attributes:
        name: the full name of a volume, group or remote.
        info: the volume's description; None where there is none.
        problem: why there is none, in a sentence; empty beside a description.
    """

    name: str
    info: VolumeInfo | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What discovery found so far.

    Attributes:
        found: by name.
        more: volumes that were seen and not opened.
        is_complete: whether every group was looked at; else there may be volumes that are not counted in `more`.
        not_walked: remotes that are databases or other servers.
    """

    found: tuple[Found, ...]
    more: int
    is_complete: bool
    not_walked: tuple[RemoteEntry, ...] = ()


class Discovery:
    """One look at all remotes of a registry, in a thread of its own."""

    def __init__(self, registry: Registry, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._context = CallContext(deadline=time.monotonic() + self._limits.seconds)
        self._registry = registry.for_caller(self._context)
        self._found: list[Found] = []
        self._more = 0
        self._left_out = False
        self._is_complete = False
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        # A daemon: a look at a dead network folder must not keep the process from ending.
        threading.Thread(target=self.run, name="discovery", daemon=True).start()

    def stop(self) -> None:
        """Have `wait` return at once; nothing more is looked at."""
        self._context.stop.set()
        self._ended.set()

    def wait(self) -> Survey:
        """What was found when everything was looked at, or the time was over."""
        self._ended.wait(self._limits.seconds)
        self._context.stop.set()
        databases = tuple(each for each in self._registry.remotes() if each.store in NOT_WALKED)
        with self._lock:
            found = tuple(sorted(self._found, key=lambda each: each.name))
            return Survey(found, self._more, self._is_complete, databases)

    def run(self) -> None:
        """Look at everything, within the limits."""
        try:
            self._walk()
            with self._lock:
                self._is_complete = not (self._left_out or self._is_over)
        finally:
            self._ended.set()

    @property
    def _is_over(self) -> bool:
        return self._context.stop.is_set() or time.monotonic() > (self._context.deadline or 0)

    def _walk(self) -> None:
        groups: deque[tuple[str, int]] = deque()
        for remote in self._registry.remotes():
            if remote.store not in NOT_WALKED:
                groups.extend(self._look_at_root(remote.name))
        for _ in range(self._limits.groups):
            if not groups or self._is_over:
                break
            name, depth = groups.popleft()
            inner = [each for entry in self._listed(name) for each in self._look_at(entry)]
            if depth + 1 < self._limits.depth:
                groups.extend((each, depth + 1) for each in inner)
            else:
                self._left_out = self._left_out or bool(inner)
        self._left_out = self._left_out or bool(groups)

    def _look_at_root(self, remote: str) -> list[tuple[str, int]]:
        """Note a remote that is itself one volume, be it a broken one; else it is a group to be listed."""
        try:
            self._registry.open(remote, OpenOptions(context=self._context))
        except (UnknownVolume, MalformedName, MissingCapability):
            return [(remote, 0)]
        except Exception as error:  # noqa: BLE001  (see _problem)
            self._note(Found(remote, problem=_problem(error)))
            return []
        return [(each, 1) for each in self._describe(remote)]

    def _listed(self, name: str) -> list[VolumeEntry]:
        try:
            return self._registry.list(name)
        except UnknownVolume:  # gone since, or an image without labels
            return []
        except Exception as error:  # noqa: BLE001  (see _problem)
            self._note(Found(name, problem=_problem(error)))
            return []

    def _look_at(self, entry: VolumeEntry) -> list[str]:
        """Note a volume; the groups to go on with."""
        if entry.is_volume:
            return self._describe(entry.name)
        return [] if entry.is_key_values else [entry.name]

    def _describe(self, name: str) -> list[str]:
        """Note what a volume is; the groups within it: an OME-Zarr image may have labels, which no listing tells."""
        if len(self._found) >= self._limits.volumes or self._is_over:
            with self._lock:
                self._more += 1
            return []
        try:
            info = self._registry.open(name, OpenOptions(context=self._context)).info
        except Exception as error:  # noqa: BLE001  (see _problem)
            self._note(Found(name, problem=_problem(error)))
            return []
        self._note(Found(name, info))
        return [f"{name}/labels"] if info.format.startswith("zarr") else []

    def _note(self, found: Found) -> None:
        with self._lock:
            if not self._is_over:  # else the problem is ours: we gave up
                self._found.append(found)


def _problem(error: Exception) -> str:
    """What is wrong, in a sentence. A fault of an adapter is one, too: whoever wrote it, the server goes on."""
    return str(error) if isinstance(error, VoxgateError) else f"its adapter failed: {type(error).__name__}"
