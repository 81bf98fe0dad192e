"""Rows of reading: our adapter, and a cutout over gRPC, against cloud-volume reading the same files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
from cloudvolume import CloudVolume

import voxgate
from tests.bench.data import MISALIGNED, Data
from tests.bench.harness import Contender, Work
from tools.demo_suite import serving
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other))


_SLICES = tuple(slice(*span) for span in zip(MISALIGNED.start, MISALIGNED.stop, strict=True))


def _cloud_volume(folder: Path) -> Contender:
    volume = CloudVolume(f"file://{folder}", progress=False, cache=False, parallel=1)

    def read() -> Any:
        return np.asarray(volume[_SLICES])[..., 0].transpose()

    return Contender("cloud-volume, direct", read)


def _tensorstore(folder: Path) -> Contender:
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/", "scale_index": 0}
    store = ts.open(spec, read=True).result()[..., 0]

    def read() -> Any:
        # In the order of the stored bytes: tensorstore's default would transpose every voxel.
        return store[_SLICES].read(order="F").result().transpose()

    return Contender("tensorstore, direct", read)


def _work(ours: Contender, folder: Path, voxel_bytes: int) -> Work:
    return Work([ours, _cloud_volume(folder), _tensorstore(folder)], _same, MISALIGNED.voxel_count * voxel_bytes)


@contextlib.contextmanager
def local_em(data: Data) -> Iterator[Work]:
    """R1: our adapter in this process."""
    folder = data.em()
    config = RemotesConfig(remotes={"bench": RemoteConfig(uri=folder.parent.as_uri())})
    volume = Registry.from_config(config).open("bench/em")
    yield _work(Contender("voxgate adapter", lambda: volume.read(MISALIGNED)[0]), folder, 1)


@contextlib.contextmanager
def _over_grpc(data: Data, write: Callable[[Data], Path], name: str, voxel_bytes: int) -> Iterator[Work]:
    folder = write(data)
    remotes = {"bench": {"uri": str(data.folder)}}
    with serving(data.folder.parent / f"suite-{name}", remotes) as suite, voxgate.connect(suite.address) as client:
        array = client.volume(f"bench/{name}")
        yield _work(Contender("voxgate over gRPC", lambda: array.read(MISALIGNED)), folder, voxel_bytes)


@contextlib.contextmanager
def grpc_em(data: Data) -> Iterator[Work]:
    """G5: `voxgate serve` in a process of its own, loopback."""
    with _over_grpc(data, Data.em, "em", 1) as work:
        yield work


@contextlib.contextmanager
def grpc_seg(data: Data) -> Iterator[Work]:
    """G6: the same for a segmentation stored as compressed_segmentation."""
    with _over_grpc(data, Data.seg, "seg", 8) as work:
        yield work
