"""The whole suite with its gateway on loopback sockets, in this process, over folders of real files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorstore as ts

from support.servers import settings
from voxgate_gateway.settings import GatewaySettings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import Suite, start_suite


@contextlib.contextmanager
def suite_over(folders: Mapping[str, Path], *, gateway: GatewaySettings | None = None, **stated: Any) -> Iterator[str]:
    """Serve each folder as a remote; yields the gateway's URL."""
    remotes = {name: RemoteConfig(uri=folder.as_uri(), **stated) for name, folder in folders.items()}
    with suite_of(remotes, gateway=gateway) as suite:
        yield suite.gateway.url


@contextlib.contextmanager
def suite_of(remotes: Mapping[str, RemoteConfig], *, gateway: GatewaySettings | None = None) -> Iterator[Suite]:
    """Serve remotes."""
    suite = start_suite(RemotesConfig(remotes=dict(remotes)), settings(), gateway_settings=gateway)
    try:
        yield suite
    finally:
        suite.stop(1.0)


def by_tensorstore(address: str, scale: int = 0) -> ts.TensorStore:
    """A precomputed volume at a URL or a path, through tensorstore."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"{address}/", "scale_index": scale}
    return ts.open(spec, open=True, read=True).result()
