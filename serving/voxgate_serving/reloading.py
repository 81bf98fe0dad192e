"""A configuration that is read again while its server serves: on SIGHUP, and when its file changes.

A new file is taken as a whole or not at all. What it says of remotes holds from then on; calls, streams and jobs that
have their volumes open end as they began. `[server]`, `[gateway]` and `[auth]` are read at the start only: a difference
is told.
"""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from voxgate.model.errors import VoxgateError
from voxgate_serving.logs import logger
from voxgate_serving.metrics import Metric
from voxgate_serving.settings import Configuration, load_configuration

_OUTCOMES = ("applied", "unchanged", "refused")


class RemotesChange(Protocol):
    """What a new configuration did to the remotes: names."""

    @property
    def added(self) -> tuple[str, ...]:
        """Those that are there now."""
        ...

    @property
    def removed(self) -> tuple[str, ...]:
        """Those that are not any more."""
        ...

    @property
    def changed(self) -> tuple[str, ...]:
        """Those that are others now, under the name they had."""
        ...


@dataclass(frozen=True, slots=True)
class Reloadable:
    """A configuration that was read from a file, and what is done with the next one.

    Attributes:
        configuration: as it was at the start.
        overrides: of the command line, which stay stronger than any file.
        adopt: serves the remotes of a configuration from now on; raises VoxgateError, and changes nothing, for one that
            cannot be served.
    """

    configuration: Configuration
    overrides: Mapping[str, Any]
    adopt: Callable[[Configuration], RemotesChange]


class Reloader:
    """Reads the file again. Thread-safe; one reading at a time."""

    def __init__(self, what: Reloadable) -> None:
        self._what = what
        self._reading = threading.Lock()
        self._asked = threading.Event()
        self._ended = threading.Event()
        self._outcomes: Counter[str] = Counter()
        self._is_good = True
        self._applied_at = time.time()
        self._differs = False
        self._seen = _fingerprint(what.configuration.path)

    def reload(self) -> bool:
        """Read the file and adopt what it says; whether it could be."""
        with self._reading:
            self._seen = _fingerprint(self._what.configuration.path)
            try:
                new = load_configuration(self._what.configuration.path, self._what.overrides)
                change = self._what.adopt(new)
            except VoxgateError as error:
                self._note("refused")
                logger().error(
                    "the new configuration is refused, the old one stays",
                    reason=error.reason,
                    message=error.message,
                    remedy=error.remedy,
                )
                return False
            self._adopted(new, change)
            return True

    def start(self, every_s: float) -> None:
        """Wait for `wake`, and look at the file every so many seconds; 0 for never."""
        threading.Thread(target=self._run, args=(every_s,), name="reload", daemon=True).start()

    def wake(self) -> None:
        """Have the file read again soon, in a thread of its own: may be called by a signal's handler."""
        self._asked.set()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._asked.set()

    def metrics(self) -> list[Metric]:
        """How often the file was read, whether it was good the last time, and since when what is served holds."""
        told = "times that the configuration was read again, by what came of it"
        good = "whether the configuration was good when it was read the last time"
        when = "when the configuration that is served was adopted, seconds since 1970"
        differs = "whether the file says something of [server], [gateway] or [auth] that holds after a restart only"
        return [
            *(
                Metric("voxgate_config_reloads_total", told, "counter", {"outcome": name}, self._outcomes[name])
                for name in _OUTCOMES
            ),
            Metric("voxgate_config_good", good, "gauge", {}, int(self._is_good)),
            Metric("voxgate_config_applied_time_seconds", when, "gauge", {}, self._applied_at),
            Metric("voxgate_config_restart_needed", differs, "gauge", {}, int(self._differs)),
        ]

    def _adopted(self, new: Configuration, change: RemotesChange) -> None:
        names = {"added": change.added, "removed": change.removed, "changed": change.changed}
        self._note("applied" if any(names.values()) else "unchanged")
        self._applied_at = time.time()
        logger().info("the configuration was read again", **{key: list(value) for key, value in names.items()})
        old = self._what.configuration
        differing = [key for key, value in new.server if value != getattr(old.server, key)]
        differing += [name for name in ("gateway", "auth") if getattr(new, name) != getattr(old, name)]
        self._differs = bool(differing)
        if differing:
            logger().warning("some settings hold after a restart only", settings=differing)

    def _note(self, outcome: str) -> None:
        self._outcomes[outcome] += 1
        self._is_good = outcome != "refused"

    def _run(self, every_s: float) -> None:
        while not self._ended.is_set():
            is_asked = self._asked.wait(every_s or None)
            self._asked.clear()
            if self._ended.is_set():
                return
            if is_asked or _fingerprint(self._what.configuration.path) != self._seen:
                self.reload()


def reload_on_signal(reloader: Reloader) -> None:
    """Read the configuration again on SIGHUP."""

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (signal's shape)
        reloader.wake()

    signal.signal(signal.SIGHUP, handle)


def _fingerprint(path: Path | None) -> bytes:
    """What a file says, briefly. A mounted one is replaced by another, with whatever times and numbers that has."""
    try:
        return b"" if path is None else hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b"unreadable"
