"""What F2 reads: each kind of store, served, opened, and read with requests of a size, some at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from tests.bench.data import tiled, write_precomputed
from tests.bench.processes import StoreServer, store_server
from tests.bench.stores import BOSS_PATH, DVID_ALIAS, DVID_INSTANCE
from tools.demo_references import read_precomputed
from tools.demo_suite import SAMPLES
from voxgate import Box, Vec3
from voxgate.model.geometry import grid_cells
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

Voxels = npt.NDArray[Any]
_ORIGIN = Vec3(0, 0, 0)
_CHUNK = Vec3(64, 64, 64)


class WrongVoxels(Exception):
    """What was read is not what is stored, so how fast it was means nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is stored and read, and in how many ways.

    Attributes:
        volume: x, y, z of the stored voxels, which start at 0.
        large: x, y, z of the box that is read of stores with large cells.
        small: of the others.
        parallel: requests at a time.
        latencies_s: what a store waits before each answer.
        passes: over all of it.
    """

    volume: Vec3
    large: Vec3
    small: Vec3
    parallel: tuple[int, ...] = (1, 2, 4, 8, 16)
    latencies_s: tuple[float, ...] = (0.0, 0.05)
    passes: int = 3

    def voxels(self) -> Voxels:
        """The image of the sample, as large as the volume by reflection: (z, y, x)."""
        return tiled(read_precomputed(SAMPLES / "fib25" / "em", 0), self.volume.zyx)


FULL = Plan(Vec3(1280, 768, 208), Vec3(1024, 512, 192), Vec3(512, 512, 128))
TINY = Plan(Vec3(384, 352, 96), Vec3(96, 80, 80), Vec3(96, 72, 40), (1, 4), (0.0, 0.001), 1)
"""For trying the harness, not for numbers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A store that can be read.

    Attributes:
        voxels: what is stored, (z, y, x).
        shape: of the box that is read.
        cell: request bytes -> the store's grid.
        open_with: request bytes, requests at a time -> a function that reads a box into an array (z, y, x).
        server: the store's; None for files.
    """

    voxels: Voxels
    shape: Vec3
    cell: Callable[[int], Vec3]
    open_with: Callable[[int, int], contextlib.AbstractContextManager[Callable[[Box], Voxels]]]
    server: StoreServer | None = None

    @property
    def amount(self) -> float:
        """MB of a reading."""
        return self.shape.product * self.voxels.itemsize / 1e6

    def box(self, request_bytes: int, aligned: bool) -> Box:
        """On the store's grid, or half a cell beside it."""
        start = _ORIGIN if aligned else Vec3(*(size // 2 for size in self.cell(request_bytes)))
        return Box.at(start, self.shape)

    def requests(self) -> int | None:
        """How many the store has answered."""
        return None if self.server is None else self.server.requests

    def delay(self, seconds: float) -> None:
        """What every request waits."""
        if self.server is not None:
            self.server.delay(seconds)

    def check(self, found: Voxels, box: Box) -> None:
        """Compare what was read.

        Raises:
            WrongVoxels.
        """
        if not np.array_equal(found, self.voxels[box.slices_zyx(_ORIGIN)]):
            raise WrongVoxels(f"what was read of {box} is not what is stored")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store.

    Attributes:
        name: as the table shows it.
        request_bytes: the sizes that are tried.
        is_far: whether latency means anything.
        serve: makes it from the voxels, in a folder.
    """

    name: str
    request_bytes: tuple[int, ...]
    is_far: bool
    serve: Callable[[Path, Plan], contextlib.AbstractContextManager[Reading]]


def kinds() -> tuple[Kind, ...]:
    """All that are measured."""
    row = 512 * 512 * 16
    return (
        Kind("BossDB", (row, 3 * row, 6 * row, 12 * row), True, _bossdb),
        Kind("DVID", (1 << 18, 1 << 20, 1 << 22, 1 << 24), True, _dvid),
        Kind("precomputed, files", (1 << 18, 1 << 20, 1 << 22, 1 << 24), False, _files),
        Kind("precomputed, HTTP", tuple(shape.product for shape in _HTTP_CHUNKS), True, _http),
    )


_HTTP_CHUNKS = (Vec3(64, 64, 64), Vec3(128, 128, 64), Vec3(256, 256, 64))


def _array(folder: Path, plan: Plan) -> tuple[str, Voxels]:
    file = folder / f"figure2-{'x'.join(map(str, plan.volume))}.npy"
    if not file.exists():
        np.save(file, plan.voxels())
    return str(file), np.load(file, mmap_mode="r")


def _adapter(remote: RemoteConfig, path: str) -> Callable[[Box], Voxels]:
    volume = Registry.from_config(RemotesConfig(remotes={"store": remote})).open(f"store/{path}")
    return lambda box: volume.read(box)[0]


@contextlib.contextmanager
def _bossdb(folder: Path, plan: Plan) -> Iterator[Reading]:
    file, voxels = _array(folder, plan)

    @contextlib.contextmanager
    def opened(request_bytes: int, parallel: int) -> Iterator[Callable[[Box], Voxels]]:
        uri, tuning = f"bossdb://http://{server.address}", _tuning(request_bytes, parallel)
        options = {"believed_s": 3600}
        stated = {"uri": uri, "credentials": {"token": server.about["token"]}, "tuning": tuning, "options": options}
        yield _adapter(RemoteConfig.model_validate(stated), BOSS_PATH)

    with store_server("bossdb", voxels=file, start=[0, 0, 0]) as server:
        yield Reading(voxels, plan.large, lambda _: Vec3(512, 512, 16), opened, server)


@contextlib.contextmanager
def _dvid(folder: Path, plan: Plan) -> Iterator[Reading]:
    file, voxels = _array(folder, plan)

    @contextlib.contextmanager
    def opened(request_bytes: int, parallel: int) -> Iterator[Callable[[Box], Voxels]]:
        stated = {"uri": f"dvid://http://{server.address}", "tuning": _tuning(request_bytes, parallel)}
        yield _adapter(RemoteConfig.model_validate(stated), f"{DVID_ALIAS}/{DVID_INSTANCE}")

    with store_server("dvid", voxels=file, start=[0, 0, 0]) as server:
        yield Reading(voxels, plan.small, lambda _: _CHUNK, opened, server)


def _tuning(request_bytes: int, parallel: int) -> dict[str, int]:
    return {"request_bytes": request_bytes, "parallel_reads": parallel}


@contextlib.contextmanager
def _files(folder: Path, plan: Plan) -> Iterator[Reading]:
    """Our adapter splits nothing here: requests are reads of whole chunks, from threads of ours, into one array."""
    _, voxels = _array(folder, plan)
    _written(folder, plan, voxels, _CHUNK)
    read = _adapter(RemoteConfig(uri=f"file://{folder}"), _name(plan, _CHUNK))

    @contextlib.contextmanager
    def opened(request_bytes: int, parallel: int) -> Iterator[Callable[[Box], Voxels]]:
        cell = _joined(_CHUNK, request_bytes)
        with ThreadPoolExecutor(parallel) as pool:

            def whole(box: Box) -> Voxels:
                out = np.empty(box.shape.zyx, voxels.dtype)

                def part(piece: Box) -> None:
                    out[piece.slices_zyx(box.start)] = read(piece)

                list(pool.map(part, grid_cells(box, cell, _ORIGIN)))
                return out

            yield whole

    yield Reading(voxels, plan.small, lambda _: _CHUNK, opened)


@contextlib.contextmanager
def _http(folder: Path, plan: Plan) -> Iterator[Reading]:
    """tensorstore over plain HTTP, which our adapter does not speak yet: a request is a chunk, whole."""
    _, voxels = _array(folder, plan)
    for chunk in _HTTP_CHUNKS:
        _written(folder, plan, voxels, chunk)

    @contextlib.contextmanager
    def opened(request_bytes: int, parallel: int) -> Iterator[Callable[[Box], Voxels]]:
        chunk = _http_chunk(request_bytes)
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": f"http://{server.address}/{_name(plan, chunk)}/",
            "scale_index": 0,
            "context": {"http_request_concurrency": {"limit": parallel}},
        }
        store = ts.open(spec, read=True).result()[..., 0]

        def read(box: Box) -> Voxels:
            slices = tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))
            found: Voxels = store[slices].read(order="F").result().transpose()
            return found

        yield read

    with store_server("files", folder=str(folder)) as server:
        yield Reading(voxels, plan.small, _http_chunk, opened, server)


def _http_chunk(size: int) -> Vec3:
    (chunk,) = (one for one in _HTTP_CHUNKS if one.product == size)
    return chunk


def _joined(chunk: Vec3, most: int) -> Vec3:
    """Whole chunks, joined along z, y, x in turn as long as they have no more bytes than this."""
    cell, axis = list(chunk), 2
    while Vec3(*cell).product * 2 <= most:
        cell[axis] *= 2
        axis = (axis - 1) % 3
    return Vec3(*cell)


def _name(plan: Plan, chunk: Vec3) -> str:
    return f"figure2-{'x'.join(map(str, plan.volume))}-{'x'.join(map(str, chunk))}"


def _written(folder: Path, plan: Plan, voxels: Voxels, chunk: Vec3) -> None:
    where = folder / _name(plan, chunk)
    if not (where / "done").exists():
        scale = {"encoding": "raw", "chunk_size": list(chunk), "voxel_offset": [0, 0, 0]}
        write_precomputed(where, voxels, scale)
        (where / "done").touch()
