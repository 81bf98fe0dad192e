"""Rows of transfers: jobs through a running suite, against what one would copy volumes with instead.

The image is 1280 x 1280 x 1344 voxels at the usual edge, 2.05 GiB; a smaller edge makes it smaller alike.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import voxgate
from tests.bench.data import EDGE, START, Data
from tests.bench.harness import Contender, Work
from tests.bench.processes import Player, peak_memory, player
from tests.bench.rows_reading import same
from tests.bench.transfer_clusters import cluster
from tests.support.servers import server_process
from voxgate import Box

_MODULE = "clients_transfers"
_MOST_BLOCKS = 10**6
_ROUNDS = 3
"""Gigabytes, some seconds each: little noise, and patience has an end."""
_Player = contextlib.AbstractContextManager[Player]


@contextlib.contextmanager
def site(data: Data, settings: Mapping[str, str] | None = None, name: str = "here") -> Iterator[tuple[str, Path]]:
    """`voxgate serve` over the volumes, as "bench", and over a folder for copies; its address and that folder."""
    home = data.folder.parent / f"site-{name}"
    copies = home / "copies"
    copies.mkdir(parents=True, exist_ok=True)
    remotes = f"[remotes.bench]\nuri = {json.dumps(str(data.folder))}\n"
    remotes += f"[remotes.copies]\nuri = {json.dumps(str(copies))}\nwritable = true\n"
    config = home / "bench.toml"
    config.write_text(remotes)
    told = {"VOXGATE_HTTP_PORT": "0", "XDG_STATE_HOME": str(home), "VOXGATE_CONFIG": str(config), **(settings or {})}
    with server_process("voxgate_standalone", config, home / "server.log", told) as server:
        yield server.address, copies


def _job(name: str, address: str, copies: Path, source: str, verify: str, codec: str = "") -> _Player:
    where = {"address": address, "source": f"bench/{source}", "folder": str(copies), "verify": verify, "codec": codec}
    return player(name, "job", module=_MODULE, **where)


def _amount(data: Data) -> float:
    return math.prod(data.block_shape) / 1e6


@contextlib.contextmanager
def against_cp(data: Data) -> Iterator[Work]:
    """T1: the files copied as they are, which no reader of Zarr can read."""
    source = data.em_block()
    with (
        site(data) as (address, copies),
        _job("voxgate transfer, nothing verified", address, copies, source, "none") as ours,
        player("cp -r and sync", "cp", module=_MODULE, source=str(data.folder / source), folder=str(copies)) as peer,
        _job("voxgate transfer, nothing compressed either", address, copies, source, "none", "none") as raw,
    ):
        yield Work([each.contender() for each in (ours, peer, raw)], same, _amount(data), most_rounds=_ROUNDS)


@contextlib.contextmanager
def verified(data: Data) -> Iterator[Work]:
    """T1v: the same transfer, every voxel read back and compared."""
    source = data.em_block()
    with (
        site(data) as (address, copies),
        _job("voxgate transfer, all verified", address, copies, source, "full") as full,
        _job("nothing verified", address, copies, source, "none") as none,
    ):
        yield Work([full.contender(), none.contender()], same, _amount(data), most_rounds=_ROUNDS)


@contextlib.contextmanager
def against_loop(data: Data) -> Iterator[Work]:
    """T2: what one writes oneself, shard by shard; with as many processes as there are processors, and with one."""
    source = data.em_block()
    here = {"source": str(data.folder / source)}
    with (
        site(data) as (address, copies),
        _job("voxgate transfer, nothing verified", address, copies, source, "none") as ours,
        player(
            "loop, a process for each core",
            "loop",
            module=_MODULE,
            folder=str(copies),
            processes=os.cpu_count(),
            **here,
        ) as many,
        player("loop", "loop", module=_MODULE, folder=str(copies), processes=1, **here) as one,
    ):
        yield Work([each.contender() for each in (ours, many, one)], same, _amount(data), most_rounds=1)


@contextlib.contextmanager
def against_tensorstore(data: Data) -> Iterator[Work]:
    """T3: the blocks of the job's manifest by tensorstore alone, made durable one by one as the job's are."""
    source = data.em_block()
    with site(data) as (address, copies):
        with voxgate.connect(address) as client:
            job = client.transfer(f"bench/{source}", "copies/planned", verify="none")
            job.result()
            boxes = [_from_zero(block.box) for block in job.manifest()]
        shutil.rmtree(copies / "planned")
        where = {"source": str(data.folder / source), "folder": str(copies), "boxes": boxes}
        with (
            _job("voxgate transfer, nothing verified", address, copies, source, "none") as ours,
            player("tensorstore alone", "tensorstore_blocks", module=_MODULE, **where) as peer,
        ):
            yield Work([ours.contender(), peer.contender()], same, _amount(data), most_rounds=_ROUNDS)


def _from_zero(box: Box) -> list[list[int]]:
    """A box as z, y, x from the volume's first voxel."""
    pairs = zip(START, box.start, box.stop, strict=True)
    return [[int(a - first), int(b - first)] for first, a, b in pairs][::-1]


@contextlib.contextmanager
def plan_memory(data: Data) -> Iterator[Work]:
    """T4: the coordinator's process at its largest; at 512, of 10^6 blocks and of 10^4."""

    def contender(blocks: int) -> Contender:
        def measure() -> float:
            with player("coordinator", "coordinator", module=_MODULE, blocks=blocks) as one:
                one.ask("run")
                return float(peak_memory(one.process.pid))

        return Contender(f"coordinator's peak, {blocks:,} blocks", lambda: None, measure)

    most = _MOST_BLOCKS * data.edge // EDGE
    yield Work([contender(most // 100), contender(most)], same, unit="bytes", most_rounds=1)


@contextlib.contextmanager
def two_workers(data: Data) -> Iterator[Work]:
    """T5: Dask workers of one thread, each on a processor of its own; chunks in gzip, which takes most of the time."""
    source = data.em_block()
    with contextlib.ExitStack() as stack:
        players = []
        for count in (2, 1):
            name = f"{count}-of-dask"
            scheduler = stack.enter_context(cluster(data.folder.parent / f"site-{name}", count))
            address, copies = stack.enter_context(site(data, {"VOXGATE_SCHEDULER": scheduler}, name))
            job = _job(f"{count} workers" if count > 1 else "1 worker", address, copies, source, "none", "gzip")
            players.append(stack.enter_context(job))
        yield Work([each.contender() for each in players], same, _amount(data), most_rounds=1)
