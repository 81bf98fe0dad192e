"""Contenders that ask over HTTP what a gateway serves, or a server of the same files; see `tests.bench.clients`."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.bench.clients import Run, Spans


@dataclass(frozen=True, slots=True)
class Fetched:
    """Chunks that were fetched and let go of; as an array all their bytes, which are fetched once more for that."""

    fetch: Callable[[str], bytes]
    paths: Sequence[str]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.frombuffer(b"".join(map(self.fetch, self.paths)), np.uint8)


@contextlib.contextmanager
def chunks_by_urllib3(volume: str, key: str, box: Spans, edge: int, at_once: int) -> Iterator[Run]:
    """All chunks of a precomputed volume by GET requests on kept connections, from `at_once` threads.

    Args:
        volume: the address that "info" is below.
        key: of the scale.
        box: of the volume; its extents are multiples of `edge`.
        edge: of a chunk.
        at_once: how many threads.
    """
    import urllib3

    spans = [[f"{a}-{a + edge}" for a in range(start, stop, edge)] for start, stop in box]
    paths = [f"{volume}/{key}/{'_'.join(cell)}" for cell in itertools.product(*spans)]
    with urllib3.PoolManager(maxsize=at_once, block=True) as pool, ThreadPoolExecutor(at_once) as threads:

        def fetch(path: str) -> bytes:
            answer = pool.request("GET", path, retries=False)
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
            return answer.data

        def run() -> Any:
            deque(threads.map(fetch, paths), maxlen=0)
            return Fetched(fetch, paths)

        yield run


@contextlib.contextmanager
def cloud_volume_http(volume: str, box: Spans) -> Iterator[Run]:
    """cloud-volume on a volume at an address: its defaults, no disk cache."""
    from cloudvolume import CloudVolume

    opened = CloudVolume(f"precomputed://{volume}", progress=False, cache=False)
    slices = tuple(slice(*span) for span in box)

    def run() -> Any:
        return np.asarray(opened[slices])[..., 0].transpose()

    yield run
