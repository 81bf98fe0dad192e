"""Rows of stores that are asked over HTTP: through voxgate, and by the published intern client directly.

The store is the test server of its kind, in a process of its own; both contenders ask the same one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.data import START, Data
from tests.bench.harness import Work
from tests.bench.processes import Player, StoreServer, player, store_server
from tests.bench.rows_reading import same, spans
from tests.bench.stores import BOSS_PATH, DVID_ALIAS, DVID_INSTANCE
from tests.support.servers import ServerProcess, server_process
from voxgate import Box

INTERN = "intern"
_FAR_S = 0.05


@contextlib.contextmanager
def _served(data: Data, store: StoreServer) -> Iterator[ServerProcess]:
    """`python -m voxgate_volume` with one remote, "store", all settings as they come."""
    config = data.folder.parent / "store.toml"
    stated = remote_of(store)
    token = stated.get("credentials", {}).get("token")
    lines = [f'uri = "{stated["uri"]}"', *([] if token is None else [f'credentials = {{ token = "{token}" }}'])]
    config.write_text("\n".join(["[remotes.store]", *lines, ""]))
    with server_process("voxgate_volume", config, data.folder.parent / "store.log") as server:
        yield server


@contextlib.contextmanager
def _store(kind: str, data: Data, latency_s: float) -> Iterator[StoreServer]:
    with store_server(kind, voxels=str(data.em_array()), start=START) as store:
        store.delay(latency_s)
        yield store


@contextlib.contextmanager
def _compared(
    store: StoreServer, service: ServerProcess, volume: str, box: Box, peer: Mapping[str, Any]
) -> Iterator[Work]:
    ours: dict[str, Any] = {"address": service.address, "volume": f"store/{volume}", "box": spans(box)}
    near: dict[str, Any] = {"remote": remote_of(store), "volume": volume, "box": spans(box)}
    asked: dict[str, Any] = {"address": store.address, "box": spans(box), **peer}
    with (
        player("voxgate over gRPC", "sdk", **ours) as one,
        player("intern, direct", store.kind, environment=INTERN, **asked) as other,
        player("voxgate adapter", "remote_adapter", **near) as alone,
    ):
        players = (one, other, alone)
        counts = {each.name: requests_of(store, each) for each in players}
        yield Work([each.contender() for each in players], same, box.voxel_count / 1e6, requests=counts)


def remote_of(store: StoreServer) -> dict[str, Any]:
    """The store as a configured remote."""
    token = store.about.get("token")
    stated = {"uri": f"{store.kind}://http://{store.address}"}
    return stated if token is None else {**stated, "credentials": {"token": token}}


def requests_of(store: StoreServer, one: Player) -> int:
    """How many requests a store answers for one run of a contender that has run before."""
    one.ask("run")
    before = store.requests
    one.ask("run")
    return store.requests - before


@contextlib.contextmanager
def _bossdb(data: Data, box: Box, latency_s: float = 0.0) -> Iterator[Work]:
    """Near the store compresses as little as it can, so that it is not what limits both."""
    with (
        _store("bossdb", data, latency_s) as store,
        _served(data, store) as service,
        _compared(store, service, BOSS_PATH, box, {"token": store.about["token"], "path": BOSS_PATH}) as work,
    ):
        yield work


@contextlib.contextmanager
def _dvid(data: Data, box: Box, latency_s: float = 0.0) -> Iterator[Work]:
    with (
        _store("dvid", data, latency_s) as store,
        _served(data, store) as service,
        _compared(
            store,
            service,
            f"{DVID_ALIAS}/{DVID_INSTANCE}",
            box,
            {"root": store.about["root"], "instance": DVID_INSTANCE},
        ) as work,
    ):
        yield work


@contextlib.contextmanager
def bossdb_large(data: Data) -> Iterator[Work]:
    """R5: a box that intern cuts into requests and reads by a pool of processes."""
    with _bossdb(data, data.large) as work:
        yield work


@contextlib.contextmanager
def bossdb_small(data: Data) -> Iterator[Work]:
    """R5s: a box that intern reads by one request."""
    with _bossdb(data, data.misaligned) as work:
        yield work


@contextlib.contextmanager
def dvid_large(data: Data) -> Iterator[Work]:
    """R5d: intern reads any box of DVID's by one request."""
    with _dvid(data, data.large) as work:
        yield work


@contextlib.contextmanager
def dvid_small(data: Data) -> Iterator[Work]:
    """R5e: a smaller box."""
    with _dvid(data, data.misaligned) as work:
        yield work


@contextlib.contextmanager
def bossdb_far(data: Data) -> Iterator[Work]:
    """R5f: the large box of a store that waits 50 ms before each answer."""
    with _bossdb(data, data.large, _FAR_S) as work:
        yield work


@contextlib.contextmanager
def dvid_far(data: Data) -> Iterator[Work]:
    """R5g: the same of DVID."""
    with _dvid(data, data.large, _FAR_S) as work:
        yield work
