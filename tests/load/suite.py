"""The suite under load: replicas of three services behind Envoy, readers in processes of their own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import urllib3

import voxgate
from support.envoy import envoy_before
from support.house import ROOT
from support.replicas import Replica, places, replicas_of, running
from tests.load.breaking import Breaker, Memory, process_of
from tests.load.readers import Record, read_in_process
from tests.load.truth import CELL, NAME, Truth, commonest, digests, stored_truth

_CONFIG = """
[remotes.fib25]
uri = "{samples}/fib25"

[server]
grace_s = 10.0
worker_processes = 0
"""
_ANSWER_S = 400.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much.

    Attributes:
        readers: at a time.
        seconds: for how long.
        kill_every_s: between two replicas that are ended.
        processes: of readers.
        seed: what everything random comes from.
        counts: replicas of each service.
    """

    readers: int
    seconds: float
    kill_every_s: float
    processes: int = 2
    seed: int = 1
    counts: dict[str, int] = field(default_factory=lambda: {"volume": 4, "mesh": 2, "gateway": 2})


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        record: of all readers.
        breaker: what was ended.
        memory: of the processes that were spared.
        seconds: that it took, the last answers included.
        edge: what Envoy counted, by cluster.
    """

    record: Record
    breaker: Breaker
    memory: dict[str, dict[str, float]]
    seconds: float
    edge: dict[str, dict[str, int]]


def run(load: Load, folder: Path) -> Found:
    """Start everything, read, and end everything."""
    config = folder / "voxgate.toml"
    config.write_text(_CONFIG.format(samples=ROOT / "samples"))
    volumes = replicas_of("volume", load.counts["volume"], config, folder)
    meshes = replicas_of("mesh", load.counts["mesh"], config, folder)
    behind = ",".join(each.address for each in volumes)
    gateways = replicas_of("gateway", load.counts["gateway"], config, folder, "--backend", f"ipv4:{behind}")
    replicas = [*volumes, *meshes, *gateways]
    with running(replicas), envoy_before(places(replicas), folder) as envoy:
        truth = _truth(envoy.address)
        spared = {each.service: each.pid for each in reversed(replicas)} | {"Envoy": process_of(folder, "envoy")}
        began = time.monotonic()
        with Memory(spared) as memory, Breaker(replicas, load.kill_every_s) as breaker:
            record = _readers(load, envoy.address, truth)
        seconds = time.monotonic() - began
        edge = {name: _counted(envoy.stats(name)) for name in load.counts}
        _check_alive(replicas, spared)
        return Found(record, breaker, memory.report(), seconds, edge)


def _truth(address: str) -> Truth:
    stored = stored_truth(ROOT / "samples" / "fib25" / "seg")
    with voxgate.connect(address) as client:
        made = client.volume(NAME).meshes(commonest(stored.voxels))
    cell = urllib3.request("GET", f"http://{address}{CELL}")
    assert cell.status == 200
    return replace(stored, meshes=digests(made), cell=cell.data)


def _readers(load: Load, address: str, truth: Truth) -> Record:
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    seeds = list(range(load.seed * 1_000_000, load.seed * 1_000_000 + load.readers))
    processes = [
        context.Process(target=read_in_process, args=(address, truth, seeds[at :: load.processes], stop, answers))
        for at in range(load.processes)
    ]
    for process in processes:
        process.start()
    try:
        time.sleep(load.seconds)
        stop.set()
        record = Record()
        for _ in processes:
            record.add(Record(*answers.get(timeout=_ANSWER_S)))
        return record
    finally:
        stop.set()
        for process in processes:
            process.join(30)
            process.kill()


def _counted(stats: dict[str, int]) -> dict[str, int]:
    names = ("upstream_rq_total", "upstream_rq_retry", "upstream_rq_retry_success", "upstream_cx_connect_fail")
    return {name: stats.get(name, 0) for name in names}


def _check_alive(replicas: Sequence[Replica], spared: dict[str, int]) -> None:
    for each in replicas:
        assert each.program.is_running or each.pid not in spared.values(), f"{each.service}: {each.program.said()}"
