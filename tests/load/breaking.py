"""What goes wrong meanwhile: replicas are killed or drained in turn and started again; memory is looked at."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from support.replicas import Replica

_MIB = 1 << 20


@dataclass
class Breaker:
    """Ends one replica after the other, by SIGKILL and SIGTERM in turn. The first of each service is spared.

    Attributes:
        replicas: all of them.
        every_s: seconds between two.
        killed: how many were killed.
        drained: how many were told to end.
        bad_exits: replicas that did not drain with exit code 0.
        none_well: how often none was well that could be ended.
    """

    replicas: Sequence[Replica]
    every_s: float
    killed: int = 0
    drained: int = 0
    none_well: int = 0
    bad_exits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = {each.service: each for each in reversed(self.replicas)}
        self._victims = [each for each in self.replicas if each is not first[each.service]]
        self._stop = threading.Event()
        self._under_way: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Breaker:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in (self._thread, *self._under_way):
            thread.join(180)

    def _run(self) -> None:
        turn = 0
        at = time.monotonic() + self.every_s
        while not self._stop.wait(max(0.0, at - time.monotonic())):
            at += self.every_s
            well = [each for each in self._victims[turn:] + self._victims[:turn] if each.is_well]
            if not well:
                self.none_well += 1
                continue
            turn = (self._victims.index(well[0]) + 1) % len(self._victims)
            how = signal.SIGTERM if (self.killed + self.drained) % 2 else signal.SIGKILL
            self.killed += how is signal.SIGKILL
            self.drained += how is signal.SIGTERM
            thread = threading.Thread(target=self._end, args=(well[0], how), daemon=True)
            self._under_way.append(thread)
            thread.start()

    def _end(self, replica: Replica, how: signal.Signals) -> None:
        replica.end(how)
        if how is signal.SIGTERM and replica.program.process.returncode != 0:
            self.bad_exits.append(f"{replica.service}: {replica.program.process.returncode}")
        if not self._stop.is_set():
            replica.start()


class Memory:
    """The resident memory of processes, once a second."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._samples: dict[str, list[tuple[float, float]]] = {name: [] for name in pids}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            for name, process in self._processes.items():
                self._samples[name].append((time.monotonic(), process.memory_info().rss / _MIB))

    def report(self) -> dict[str, dict[str, float]]:
        """By name: MiB at the end, most MiB, and MiB a minute over the second half of the time."""
        found = {}
        for name, samples in self._samples.items():
            half = np.array(samples[len(samples) // 2 :])
            slope = float(np.polyfit(half[:, 0] - half[0, 0], half[:, 1], 1)[0]) * 60 if len(half) > 2 else 0.0
            most = max(mib for _, mib in samples)
            found[name] = {"end_mib": samples[-1][1], "most_mib": most, "mib_a_minute": slope}
        return found


def process_of(folder: Path, program: str) -> int:
    """The process id of a child of ours that runs a program with a file of a folder."""
    for child in psutil.Process().children():
        command = child.cmdline()
        if command and command[0].endswith(program) and any(str(folder) in part for part in command):
            return child.pid
    raise LookupError(program)
