"""Servers that have other servers as remotes, and a far store that notes who asked it what."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.servers import volume_server
from support.transfers import Door, DoorState, fill_source
from voxgate.client.connection import connect
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import RemoteConfig, parse_remotes
from voxgate_remotes.memory import MemoryRemote
from voxgate_remotes.registry import Registry


class FarStore:
    """A remote in memory, behind doors, that keeps the context of every volume it opened."""

    def __init__(self) -> None:
        self.inner = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
        self.state = DoorState()
        self.contexts: list[CallContext] = []
        self.reading = threading.Event()

    def open(self, path, options):
        self.contexts.append(options.context)
        return _Noticing(self.inner.open(path, options), self)

    def create(self, path, spec):
        return self.inner.create(path, spec)

    def list(self, parent):
        return self.inner.list(parent)

    def resolve(self, uri):
        return self.inner.resolve(uri)

    def capability(self, kind):
        return self.inner.capability(kind)


class _Noticing(Door):
    def __init__(self, inner, store: FarStore) -> None:
        super().__init__(inner, store.state)
        self._store = store

    def read(self, box, *, scale=0, channels=None, out=None):
        self._store.reading.set()
        return super().read(box, scale=scale, channels=channels, out=out)

    def capability(self, kind):
        # Chunks pass nobody by: every voxel is read through the door.
        return super().capability(kind) if kind.__name__ not in ("EncodedChunks", "ChunkPresence") else None


class Later:
    """A remote that is named before it can be made: a loop needs the address of a server that has not started."""

    def __init__(self) -> None:
        self.remote = None

    def __getattr__(self, name):
        return getattr(self.remote, name)


def far_store() -> tuple[Registry, FarStore]:
    """A registry with a remote "mem" that holds "mem/lab/seg": three scales, ids above 2**63."""
    store = FarStore()
    registry = Registry({"mem": store})
    fill_source(registry, "mem/lab/seg")
    return registry, store


def chained_registry(address: str, prefix: str = "", *, writable: bool = True, **stated: Any) -> Registry:
    """A registry with one remote, "next": the server at an address."""
    table = {"next": {"uri": f"voxgate://{address}{prefix}", "writable": writable, **stated}}
    return Registry.from_config(parse_remotes(table, Path.cwd()))


@contextlib.contextmanager
def two_hops(registry: Registry, prefix: str = "/mem") -> Iterator[tuple]:
    """A client of a server whose remote is a server whose remote is a server with `registry`; and the three servers.

    What the last calls "mem/x", the client calls "next/next/x".
    """
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(volume_server(registry))
        middle = stack.enter_context(volume_server(chained_registry(far.address, prefix)))
        near = stack.enter_context(volume_server(chained_registry(middle.address)))
        client = stack.enter_context(connect(near.address))
        yield client, near, middle, far
