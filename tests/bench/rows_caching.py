"""Rows of caches before a slow store: a web server with the image in raw chunks, 50 ms away.

Both contenders ask one server with the same remote twice, once behind a cache. Whoever runs a remote like this tells
it how long descriptions are believed: asking again whether a volume is still there takes a round trip, too.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.data import Data
from tests.bench.harness import Work
from tests.bench.processes import StoreServer, player, store_server
from tests.bench.rows_reading import same, spans
from tests.bench.rows_stores import requests_of
from tests.support.servers import server_process
from voxgate import Box
from voxgate.model.geometry import Vec3

_FAR_S = 0.05
_BELIEVED_S = 3600
_TOO_LITTLE = 2 << 20
"""Memory for a fraction of what a run reads, so that the next run finds nothing of it."""


@contextlib.contextmanager
def _cached(data: Data, cache: Mapping[str, Any], box: Box) -> Iterator[Work]:
    volume = data.em()
    with store_server("files", folder=str(data.folder)) as store, _served(data, store, cache) as address:
        store.delay(_FAR_S)
        where: dict[str, Any] = {"address": address, "box": spans(box)}
        with (
            player("through the cache", "sdk", volume=f"cached/{volume}", **where) as ours,
            player("without a cache", "sdk", volume=f"plain/{volume}", **where) as plain,
        ):
            counts = {each.name: requests_of(store, each) for each in (ours, plain)}
            contenders = [each.contender() for each in (ours, plain)]
            yield Work(contenders, same, box.voxel_count / 1e6, requests=counts)


@contextlib.contextmanager
def _served(data: Data, store: StoreServer, cache: Mapping[str, Any]) -> Iterator[str]:
    """The address of `python -m voxgate_volume` with the remotes "plain" and "cached"."""
    config = data.folder.parent / "caches.toml"
    lines = []
    for name in ("plain", "cached"):
        lines += [f"[remotes.{name}]", f'uri = "http://{store.address}"', "immutable = true"]
        lines += [f"options = {{ believed_s = {_BELIEVED_S} }}"]
    lines += ["[remotes.cached.cache]", *(f"{key} = {json.dumps(value)}" for key, value in cache.items()), ""]
    config.write_text("\n".join(lines))
    with server_process("voxgate_volume", config, data.folder.parent / "caches.log") as server:
        yield server.address


def _view(data: Data) -> Box:
    """As much as a viewer asks for at a time: 64^3 voxels on no chunk's border, which eight chunks have."""
    return Box.at(data.misaligned.start, Vec3(64, 64, 64))


@contextlib.contextmanager
def in_memory(data: Data) -> Iterator[Work]:
    """H3: what was read before, from memory."""
    with _cached(data, {}, _view(data)) as work:
        yield work


@contextlib.contextmanager
def on_disk(data: Data) -> Iterator[Work]:
    """H3d: the same from files alone."""
    with _cached(data, {"memory_bytes": 0, "disk": str(data.folder.parent / "cache")}, _view(data)) as work:
        yield work


@contextlib.contextmanager
def large(data: Data) -> Iterator[Work]:
    """H3l: a larger box from memory. Reading it first, a server asks for many chunks at a time."""
    with _cached(data, {}, data.misaligned) as work:
        yield work


@contextlib.contextmanager
def missed(data: Data) -> Iterator[Work]:
    """H3m: what a cache costs that has nothing of what is read, and keeps what it can."""
    with _cached(data, {"memory_bytes": _TOO_LITTLE}, data.misaligned) as work:
        yield work
