"""Rows of chains: a voxgate server whose remote is another one, which has the image in raw chunks in a folder.

One program asks both for a chunk that was read before: the far one (one hop), and the near one (two), which is told how
long descriptions are believed: asking the far one again whether a volume is still there is a hop, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.data import CHUNK, Data
from tests.bench.harness import Work
from tests.bench.nginx import wait_until_it_answers
from tests.bench.processes import player
from tests.bench.rows_reading import same, spans
from tests.support.scripted_http import closed_port
from tests.support.servers import ServerProcess, server_process
from voxgate import Box
from voxgate.model.geometry import Vec3

_TOLD = "options = { believed_s = 3600 }\n"
_CACHED, _PLAIN = "cached", "plain"
"""How servers call what is behind a cache, and the same without one."""


@contextlib.contextmanager
def cached_at_each(data: Data) -> Iterator[Work]:
    """H5: every server keeps what it read."""
    with _chained(data, _CACHED) as work:
        yield work


@contextlib.contextmanager
def passed_on(data: Data) -> Iterator[Work]:
    """H5p: the far server alone does, so every chunk makes both hops."""
    with _chained(data, _PLAIN) as work:
        yield work


@contextlib.contextmanager
def by_bossdb(data: Data) -> Iterator[Work]:
    """H5b: as H5, the far server being a BossDB to the near one: its gateway speaks that dialect."""
    home, volume, port = data.folder.parent, data.em(), closed_port()
    told = {"VOXGATE_HTTP_PORT": str(port), "XDG_STATE_HOME": str(home), "VOXGATE_CONFIG": str(home / "far.toml")}
    with (
        _server(home, "far", data.folder.as_uri(), suite=told) as far,
        _server(home, "near", f"bossdb://http://127.0.0.1:{port}", _TOLD) as near,
    ):
        wait_until_it_answers(f"http://127.0.0.1:{port}/readyz", far.process)
        # Of a remote's own volumes the dialect calls the experiment "_".
        with _compared(data, near, f"{_CACHED}/{_CACHED}/_/{volume}", far) as work:
            yield work


@contextlib.contextmanager
def _chained(data: Data, near_remote: str) -> Iterator[Work]:
    home, volume = data.folder.parent, data.em()
    with _server(home, "far", data.folder.as_uri()) as far:
        with (
            _server(home, "near", f"voxgate://{far.address}/{_CACHED}", _TOLD) as near,
            _compared(data, near, f"{near_remote}/{volume}", far) as work,
        ):
            yield work


@contextlib.contextmanager
def _compared(data: Data, near: ServerProcess, named: str, far: ServerProcess) -> Iterator[Work]:
    where: dict[str, Any] = {"box": spans(Box.at(data.whole.start, Vec3(*CHUNK)))}
    with (
        player("two hops", "sdk", address=near.address, volume=named, **where) as two,
        player("one hop", "sdk", address=far.address, volume=f"{_CACHED}/{data.em()}", **where) as one,
    ):
        yield Work([each.contender() for each in (two, one)], same, 1.0, amount_unit="chunks")


@contextlib.contextmanager
def _server(
    home: Path, name: str, uri: str, options: str = "", suite: Mapping[str, str] | None = None
) -> Iterator[ServerProcess]:
    """A server with one store as two remotes: of volumes alone, or all of `voxgate serve` in an environment."""
    config = home / f"{name}.toml"
    stated = f'uri = "{uri}"\nimmutable = true\n{options}'
    config.write_text(f"[remotes.{_PLAIN}]\n{stated}[remotes.{_CACHED}]\n{stated}[remotes.{_CACHED}.cache]\n")
    module = "voxgate_volume" if suite is None else "voxgate_standalone"
    with server_process(module, config, home / f"{name}.log", suite) as server:
        yield server
