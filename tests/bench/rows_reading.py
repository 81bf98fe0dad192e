"""Rows of reading: our adapter, and a cutout over gRPC, against readers of the same files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.bench.data import START, Data
from tests.bench.harness import Work
from tests.bench.processes import player
from tests.support.servers import ServerProcess, server_process
from voxgate import Box


def same(one: Any, other: Any) -> bool:
    """Equal answers."""
    return bool(one == other)


def spans(box: Box) -> list[list[int]]:
    """A box as contenders take it."""
    return [[int(a), int(b)] for a, b in zip(box.start, box.stop, strict=True)]


@contextlib.contextmanager
def volume_service(data: Data) -> Iterator[ServerProcess]:
    """`python -m voxgate_volume` over all volumes, as remote "bench"."""
    config = data.folder.parent / "bench.toml"
    config.write_text(f"[remotes.bench]\nuri = {json.dumps(str(data.folder))}\n")
    with server_process("voxgate_volume", config, data.folder.parent / "server.log") as server:
        yield server


@contextlib.contextmanager
def _adapter(data: Data, volume: str, voxel_bytes: int, zarr: str = "") -> Iterator[Work]:
    where: dict[str, Any] = {"folder": str(data.folder), "volume": volume, "box": spans(data.misaligned)}
    with contextlib.ExitStack() as stack:
        players = [
            stack.enter_context(player("voxgate adapter", "adapter", **where)),
            stack.enter_context(player("cloud-volume", "cloud_volume", **where)),
            stack.enter_context(player("tensorstore", "tensorstore", **where)),
        ]
        if zarr:
            other = {**where, "volume": zarr, "start": list(START)}
            players.append(stack.enter_context(player("zarr-python, Zarr v3", "zarr_python", **other)))
        yield Work([one.contender() for one in players], same, data.misaligned.voxel_count * voxel_bytes / 1e6)


@contextlib.contextmanager
def local_em(data: Data) -> Iterator[Work]:
    """R1: raw image chunks."""
    with _adapter(data, data.em(), 1, data.em_zarr()) as work:
        yield work


@contextlib.contextmanager
def local_seg(data: Data) -> Iterator[Work]:
    """R2: raw uint64 chunks."""
    with _adapter(data, data.seg_raw(), 8) as work:
        yield work


@contextlib.contextmanager
def local_sharded(data: Data) -> Iterator[Work]:
    """R4: raw image chunks in a shard."""
    with _adapter(data, data.em_sharded(), 1) as work:
        yield work


@contextlib.contextmanager
def local_zarr_sharded(data: Data) -> Iterator[Work]:
    """R4z: zstd image chunks in shards of Zarr v3, whose first voxel is 0, 0, 0."""
    box = [[a - start, b - start] for (a, b), start in zip(spans(data.misaligned), START, strict=True)]
    where: dict[str, Any] = {"folder": str(data.folder), "volume": data.em_zarr_sharded(), "box": box}
    with (
        player("voxgate adapter", "adapter", **where) as ours,
        player("zarr-python", "zarr_python", start=[0, 0, 0], **where) as theirs,
    ):
        yield Work([one.contender() for one in (ours, theirs)], same, data.misaligned.voxel_count / 1e6)


@contextlib.contextmanager
def _over_grpc(data: Data, volume: str, box: Box, voxel_bytes: int) -> Iterator[Work]:
    where: dict[str, Any] = {"volume": volume, "box": spans(box)}
    served = {**where, "volume": f"bench/{volume}"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(volume_service(data))
        direct = {**where, "folder": str(data.folder)}
        players = [
            stack.enter_context(player("voxgate over gRPC", "sdk", address=server.address, **served)),
            stack.enter_context(player("cloud-volume, direct", "cloud_volume", **direct)),
        ]
        if not volume.endswith("gzip"):  # tensorstore takes .gz files for absent chunks
            players.append(stack.enter_context(player("tensorstore, direct", "tensorstore", **direct)))
        yield Work([one.contender() for one in players], same, box.voxel_count * voxel_bytes / 1e6)


@contextlib.contextmanager
def grpc_em_whole(data: Data) -> Iterator[Work]:
    """G4: the whole image."""
    with _over_grpc(data, data.em(), data.whole, 1) as work:
        yield work


@contextlib.contextmanager
def grpc_em(data: Data) -> Iterator[Work]:
    """G5: a box of it on no chunk's border."""
    with _over_grpc(data, data.em(), data.misaligned, 1) as work:
        yield work


@contextlib.contextmanager
def grpc_seg(data: Data) -> Iterator[Work]:
    """G6: compressed_segmentation."""
    with _over_grpc(data, data.seg(), data.misaligned, 8) as work:
        yield work


@contextlib.contextmanager
def grpc_seg_gzip(data: Data) -> Iterator[Work]:
    """G6b: .gz files."""
    with _over_grpc(data, data.seg_gzip(), data.misaligned, 8) as work:
        yield work


@contextlib.contextmanager
def grpc_seg_raw(data: Data) -> Iterator[Work]:
    """G6c: raw files."""
    with _over_grpc(data, data.seg_raw(), data.misaligned, 8) as work:
        yield work
