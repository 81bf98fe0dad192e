"""Rows of chains: a voxgate server whose remote is another one, which has the image in raw chunks in a folder.

One program asks both for a chunk that was read before: the far one (one hop), and the near one (two), which is told how
long descriptions are believed: asking the far one again whether a volume is still there is a hop, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.data import CHUNK, Data
from tests.bench.harness import Work
from tests.bench.processes import player
from tests.bench.rows_reading import same, spans
from tests.support.servers import ServerProcess, server_process
from voxgate import Box
from voxgate.model.geometry import Vec3

_BELIEVED_S = 3600
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
def _chained(data: Data, near_remote: str) -> Iterator[Work]:
    volume = data.em()
    chunk = Box.at(data.whole.start, Vec3(*CHUNK))
    home = data.folder.parent
    told = f"options = {{ believed_s = {_BELIEVED_S} }}\n"
    with _server(home, "far", data.folder.as_uri()) as far, _server(home, "near", _behind(far), told) as near:
        where: dict[str, Any] = {"box": spans(chunk)}
        with (
            player("two hops", "sdk", address=near.address, volume=f"{near_remote}/{volume}", **where) as two,
            player("one hop", "sdk", address=far.address, volume=f"{_CACHED}/{volume}", **where) as one,
        ):
            contenders = [each.contender() for each in (two, one)]
            yield Work(contenders, same, 1.0, amount_unit="chunks")


def _behind(server: ServerProcess) -> str:
    return f"voxgate://{server.address}/{_CACHED}"


@contextlib.contextmanager
def _server(home: Path, name: str, uri: str, options: str = "") -> Iterator[ServerProcess]:
    """`python -m voxgate_volume` with one store as two remotes."""
    config = home / f"{name}.toml"
    stated = f'uri = "{uri}"\nimmutable = true\n{options}'
    config.write_text(f"[remotes.{_PLAIN}]\n{stated}[remotes.{_CACHED}]\n{stated}[remotes.{_CACHED}.cache]\n")
    with server_process("voxgate_volume", config, home / f"{name}.log") as server:
        yield server
