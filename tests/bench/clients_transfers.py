"""What contenders of transfers run, each in a process of its own; see `tests.bench.player`.

A copy answers a digest of what it wrote, as tensorstore reads it. Its destination is removed before the next one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

import voxgate
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import TransferResult, TransferSpec
from voxgate.model.volumes import ByteCodec, Encoding, Scale, ScaleSpec, VolumeInfo, VolumeKind, VolumeSpec

Run = Callable[[], Any]
Copy = Callable[[Path], None]
Spans = list[list[int]]
_PLANES = 64
_METADATA = {
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [256, 256, 256]}},
    "data_type": "uint8",
    "codecs": [
        {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [64, 64, 64],
                "codecs": [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1, "checksum": True}}],
            },
        }
    ],
}
"""What voxgate's default destination is: shards of 4 x 4 x 4 chunks, zstd at level 1."""


@contextlib.contextmanager
def job(address: str, source: str, folder: str, verify: str, codec: str = "") -> Iterator[Run]:
    """A transfer, from the call until it is told to have ended; the remote "copies" is the folder."""
    with voxgate.connect(address) as client:
        stated = _spec_of(client.volume(source).info, ByteCodec(codec)) if codec else None

        def copy(where: Path) -> None:
            name = f"copies/{where.name}"
            client.transfer(source, name, verify=verify, spec=stated).result()

        with _timed(Path(folder), copy, lambda where: _open("zarr3", where / "0")) as run:
            yield run


@contextlib.contextmanager
def cp(source: str, folder: str) -> Iterator[Run]:
    """`cp -r` and `sync` of that file system."""

    def copy(where: Path) -> None:
        subprocess.run(["cp", "-r", source, str(where)], check=True)
        _sync(where)

    with _timed(Path(folder), copy, lambda where: _open("neuroglancer_precomputed", where)) as run:
        yield run


@contextlib.contextmanager
def tensorstore_blocks(source: str, folder: str, boxes: list[Spans]) -> Iterator[Run]:
    """Blocks [[z, z], [y, y], [x, x]] from 0, read and written by tensorstore on two threads, each durable."""
    read = _open("neuroglancer_precomputed", Path(source))
    blocks = [tuple(slice(a, b) for a, b in box) for box in boxes]

    def copy(where: Path) -> None:
        written = _new_zarr(where / "0", read.shape)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda block: written[block].write(read[block].read().result()).result(), blocks))

    with _timed(Path(folder), copy, lambda where: _open("zarr3", where / "0")) as run:
        yield run


@contextlib.contextmanager
def loop(source: str, folder: str, processes: int) -> Iterator[Run]:
    """cloud-volume to zarr-python, shard by shard, then `sync`; in processes that are there already."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _open_source, (source,)) as pool:
        shape = _open("neuroglancer_precomputed", Path(source)).shape
        corners = [(z, y, x) for z in _steps(shape[0]) for y in _steps(shape[1]) for x in _steps(shape[2])]
        list(pool.map(_ready, range(processes)))

        def copy(where: Path) -> None:
            _new_zarr(where / "0", shape)
            list(pool.map(functools.partial(_copy_shard, str(where / "0")), corners))
            _sync(where)

        with _timed(Path(folder), copy, lambda where: _open("zarr3", where / "0")) as run:
            yield run


_SOURCE: list[Any] = []


def _open_source(source: str) -> None:
    from cloudvolume import CloudVolume

    _SOURCE.append(CloudVolume(f"file://{source}", progress=False, bounded=False, fill_missing=True))


def _ready(_: int) -> int:
    return os.getpid()


def _copy_shard(where: str, corner: tuple[int, int, int]) -> None:
    import zarr

    array: Any = zarr.open_array(where, mode="r+")
    stop = [min(at + 256, extent) for at, extent in zip(corner, array.shape, strict=True)]
    first = _SOURCE[0].bounds.minpt
    (z, y, x), (z1, y1, x1) = corner, stop
    part = _SOURCE[0][first[0] + x : first[0] + x1, first[1] + y : first[1] + y1, first[2] + z : first[2] + z1]
    array[z:z1, y:y1, x:x1] = np.asarray(part)[..., 0].T


def _steps(extent: int) -> range:
    return range(0, extent, 256)


@contextlib.contextmanager
def coordinator(blocks: int) -> Iterator[Run]:
    """A coordinator with its ledger and Dask in this process; of the transfer of so many blocks nothing is copied."""
    from voxgate_jobs.engine import Coordinator
    from voxgate_jobs.executors import DaskExecutor
    from voxgate_jobs.runs import Tools
    from voxgate_jobs.sqlstore import SqlJobStore
    from voxgate_jobs.store import JobRequest
    from voxgate_jobs.tuning import EngineSettings

    def opened(spec: Any, patience: Any) -> Any:
        return _planned(blocks)

    with tempfile.TemporaryDirectory() as folder:
        store = SqlJobStore(f"sqlite:///{folder}/jobs.db")
        executor = DaskExecutor.embedded(opened, 2)
        engine = Coordinator(Tools(store, store.ledger, executor, opened, EngineSettings()))

        def run() -> npt.NDArray[np.int64]:
            spec = TransferSpec("a/b", "c/d")
            job = store.create(JobRequest("bench", uuid.uuid4().hex, spec, spec))
            engine.submit(job.name)
            while not job.state.is_terminal:
                job = store.wait_for_change(job.name, job.sequence, 10.0)
            if job.progress.done_block_count != blocks:
                raise RuntimeError(f"the job ended otherwise: {job.error}")
            return np.array([blocks])

        yield run
        engine.close()
        store.close()


def _planned(blocks: int) -> Any:
    """A work over a real plan, along x, whose blocks are done as soon as they are begun."""
    from voxgate_jobs.work import BlockResult
    from voxgate_transfer.planner import plan_transfer

    box = Box.of(x=(0, 256 * blocks), y=(0, 256), z=(0, 256))
    size, chunk, shard = VoxelSize(8.0, 8.0, 8.0), Vec3(64, 64, 64), Vec3(256, 256, 256)
    source, written = (
        VolumeInfo("", np.dtype("<u1"), VolumeKind.IMAGE, (Scale("0", box, chunk, granule, box.start, size),))
        for granule in (chunk, shard)
    )
    plan = plan_transfer(source, written, task_bytes=shard.product)

    class Planned:
        phase, stage_starts = "counting", ()
        block_count, total_bytes, digest = plan.task_count, plan.total_bytes, plan.digest

        def run_block(self, index: int) -> BlockResult:
            task = plan.task(index)
            return BlockResult(task.box.voxel_count, hashlib.sha256(str(task.box).encode()).digest())

        def flush(self) -> None:
            pass

        def box_of(self, index: int) -> tuple[int, Box]:
            return 0, plan.task(index).box

        def finish(self, totals: Any, checksum: str) -> TransferResult:
            return TransferResult("c/d", 0, checksum)

    return Planned()


def _spec_of(info: VolumeInfo, codec: ByteCodec) -> VolumeSpec:
    """The default destination with another codec."""
    scale = info.scales[0]
    made = ScaleSpec(scale.bounds, scale.voxel_size_nm, Vec3(64, 64, 64), Vec3(256, 256, 256), Encoding(bytes=codec))
    return VolumeSpec(info.dtype, info.kind, (made,), format="zarr3")


@contextlib.contextmanager
def _timed(folder: Path, copy: Copy, reader: Callable[[Path], Any]) -> Iterator[Run]:
    """Copies into a new place each time."""

    def run() -> Copied:
        where = folder / uuid.uuid4().hex
        copy(where)
        return Copied(where, reader)

    yield run


class Copied:
    """A destination; read and hashed when somebody asks for an array, removed when nobody has it any more."""

    def __init__(self, where: Path, reader: Callable[[Path], Any]) -> None:
        self._where, self._reader = where, reader

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[np.uint8]:
        store = self._reader(self._where)
        digest = hashlib.sha256()
        for z in range(0, store.shape[0], _PLANES):
            digest.update(np.ascontiguousarray(store[z : min(z + _PLANES, store.shape[0])].read().result()).data)
        return np.frombuffer(digest.digest(), np.uint8)

    def __del__(self) -> None:
        shutil.rmtree(self._where, ignore_errors=True)


def _open(driver: str, where: Path) -> Any:
    """A volume's voxels as (z, y, x) from 0."""
    store = ts.open({"driver": driver, "kvstore": {"driver": "file", "path": f"{where}/"}}).result()
    if driver == "zarr3":
        return store
    return store[..., 0].T[ts.d[:].translate_to[0]]


def _new_zarr(where: Path, shape: Sequence[int]) -> Any:
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": f"{where}/"},
        "metadata": {**_METADATA, "shape": list(shape)},
        "create": True,
    }
    return ts.open(spec).result()


def _sync(where: Path) -> None:
    subprocess.run(["sync", "-f", str(where)], check=True)
