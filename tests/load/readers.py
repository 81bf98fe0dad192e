"""Readers: each asks, checks the whole answer, notes how long it took, and asks again."""

from __future__ import annotations

import io
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import urllib3

import voxgate
from tests.load.truth import CELL, NAME, Truth, digests
from voxgate.model.geometry import Box, Vec3

_HTTP_TRIES = 4
_PATIENCE_S = 300.0


@dataclass
class Record:
    """What readers found.

    Attributes:
        seconds: of every answer, by what was asked.
        wrong: answers that differ from the truth.
        failed: reads that ended with an error.
        again: HTTP requests that were made again by the reader, because their connection broke in the middle.
        byte_count: of the checked answers.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    again: int = 0
    byte_count: int = 0

    def add(self, other: Record) -> None:
        """Take what another one found."""
        for kind, seconds in other.seconds.items():
            self.seconds[kind] += seconds
        self.wrong += other.wrong
        self.failed += other.failed
        self.again += other.again
        self.byte_count += other.byte_count


class Reader:
    """One reader: a client of its own, reading through the edge until it is told to stop."""

    def __init__(self, address: str, truth: Truth, seed: int) -> None:
        self._address, self._truth = address, truth
        self._draw = random.Random(seed)
        self.record = Record()
        self._http = urllib3.PoolManager(timeout=_PATIENCE_S, retries=False)
        self._kinds: dict[str, tuple[int, Callable[[Any], int | None]]] = {
            "one message": (46, lambda array: self._read(array, 32)),
            "stream": (20, lambda array: self._read(array, 112)),
            "whole volume": (2, lambda array: self._compare(array[...], self._truth.bounds)),
            "description": (10, self._describe),
            "meshes": (2, self._mesh),
            "HTTP chunk": (10, lambda _: self._same(self._get(CELL), self._truth.cell)),
            "HTTP cutout": (10, lambda _: self._cutout()),
        }

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set; the last answer is waited for."""
        names = list(self._kinds)
        weights = [weight for weight, _ in self._kinds.values()]
        with voxgate.connect(self._address) as client:
            array = client.volume(NAME)
            while not stop.is_set():
                (kind,) = self._draw.choices(names, weights)
                began = time.monotonic()
                try:
                    size = self._kinds[kind][1](array)
                except Exception as error:  # noqa: BLE001  (whatever it is, it is a read that failed)
                    self.record.failed.append(f"{kind}: {_said(error)}")
                    continue
                self.record.seconds[kind].append(time.monotonic() - began)
                if size is None:
                    self.record.wrong.append(kind)
                else:
                    self.record.byte_count += size

    def _box(self, most: int) -> Box:
        shape = [self._draw.randint(1, min(most, extent)) for extent in self._truth.bounds.shape]
        start = [
            at + self._draw.randint(0, extent - size)
            for at, extent, size in zip(self._truth.start, self._truth.bounds.shape, shape, strict=True)
        ]
        return Box.at(Vec3(*start), Vec3(*shape))

    def _read(self, array: Any, most: int) -> int | None:
        box = self._box(most)
        return self._compare(array.read(box), box)

    def _compare(self, got: Any, box: Box) -> int | None:
        return int(got.nbytes) if np.array_equal(got, self._truth.cut(box)) else None

    def _describe(self, array: Any) -> int | None:
        with voxgate.connect(self._address) as client:
            again = client.volume(NAME)
        return 0 if (again.shape, again.dtype, again.bounds) == (array.shape, array.dtype, array.bounds) else None

    def _mesh(self, array: Any) -> int | None:
        ids = self._draw.sample(sorted(self._truth.meshes), self._draw.randint(1, len(self._truth.meshes)))
        meshes = array.meshes(ids)
        found = digests(meshes)
        return 0 if found == {each: self._truth.meshes[each] for each in ids} else None

    def _cutout(self) -> int | None:
        box = self._box(64)
        ranges = "&".join(f"{axis}={a}:{b}" for axis, a, b in zip("xyz", box.start, box.stop, strict=True))
        answer = self._get(f"/api/v1/volumes/fib25/seg/-/cutout?{ranges}")
        return self._compare(np.load(io.BytesIO(answer)), box)

    def _same(self, got: bytes, expected: bytes) -> int | None:
        return len(got) if got == expected else None

    def _get(self, path: str) -> bytes:
        """An answer over HTTP, asked for again where its connection breaks, as every program that reads chunks does."""
        for left in reversed(range(_HTTP_TRIES)):
            try:
                answer = self._http.request("GET", f"http://{self._address}{path}")
            except urllib3.exceptions.HTTPError:
                if not left:
                    raise
            else:
                if answer.status == 200:
                    return answer.data
                if not left or answer.status not in (502, 503, 504):
                    raise RuntimeError(f"{answer.status} {answer.data[:200]!r}")
            self.record.again += 1
            time.sleep(0.2)
        raise AssertionError("unreachable")


def read_in_process(address: str, truth: Truth, seeds: list[int], stop: Any, answers: Any) -> None:
    """A process of readers, one for each seed; puts its record into a queue when `stop` is set."""
    readers = [Reader(address, truth, seed) for seed in seeds]
    told = threading.Event()
    threads = [threading.Thread(target=_guarded, args=(reader, told), daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    stop.wait()
    told.set()
    for thread in threads:
        thread.join(_PATIENCE_S)
    record = Record(seconds={})
    record.seconds = defaultdict(list)
    for reader, thread in zip(readers, threads, strict=True):
        record.add(reader.record)
        if thread.is_alive():
            record.failed.append("a read never ended")
    answers.put((dict(record.seconds), record.wrong, record.failed, record.again, record.byte_count))


def _guarded(reader: Reader, told: threading.Event) -> None:
    try:
        reader.run(told)
    except Exception as error:  # noqa: BLE001  (a reader that cannot begin is a failure, too)
        reader.record.failed.append(f"start: {_said(error)}")


def _said(error: BaseException) -> str:
    """An error, and what gRPC said below it."""
    below = error.__context__
    code = f" ({below.code().name}: {below.details()})" if isinstance(below, grpc.Call) else ""
    return f"{type(error).__name__}: {error}{code}"[:400]


def reasons(failures: list[str]) -> dict[str, int]:
    """How often each failure was met."""
    return dict(Counter(failures).most_common(10))
