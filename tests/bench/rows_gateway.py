"""Rows of the gateway: precomputed made by `voxgate serve` out of raw files, against nginx that sends the files.

Both contenders are the same program in two processes. nginx has nothing to do but to send what the kernel has; the
gateway finds, reads and checks a chunk in one process and answers HTTP in another.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.bench.data import CHUNK, Data
from tests.bench.harness import Work
from tests.bench.nginx import nginx, wait_until_it_answers
from tests.bench.processes import player
from tests.bench.rows_reading import same, spans
from tests.support.scripted_http import closed_port
from tests.support.servers import server_process

_THREADS = 16
_KEY = "10_10_10"


@contextlib.contextmanager
def chunks(data: Data) -> Iterator[Work]:
    """H1: every chunk of the image, by 16 threads of urllib3."""
    volume = data.em()
    (edge,) = set(CHUNK)
    where: dict[str, Any] = {"key": _KEY, "box": spans(data.whole), "edge": edge, "at_once": _THREADS}
    with both(data) as (gateway, files):
        with (
            player(
                "through the gateway",
                "chunks_by_urllib3",
                module="clients_http",
                volume=gateway + volume + "/-",
                **where,
            ) as ours,
            player("through nginx", "chunks_by_urllib3", module="clients_http", volume=files + volume, **where) as peer,
        ):
            count = data.whole.voxel_count / edge**3
            yield Work([each.contender() for each in (ours, peer)], same, count, amount_unit="chunks")


@contextlib.contextmanager
def cloud_volume(data: Data) -> Iterator[Work]:
    """H2: the whole image by cloud-volume."""
    volume = data.em()
    box = spans(data.whole)
    with both(data) as (gateway, files):
        with (
            player(
                "cloud-volume, gateway",
                "cloud_volume_http",
                module="clients_http",
                volume=gateway + volume + "/-",
                box=box,
            ) as ours,
            player(
                "cloud-volume, nginx", "cloud_volume_http", module="clients_http", volume=files + volume, box=box
            ) as peer,
        ):
            yield Work([each.contender() for each in (ours, peer)], same, data.whole.voxel_count / 1e6)


@contextlib.contextmanager
def both(data: Data) -> Iterator[tuple[str, str]]:
    """What the name of a volume is put behind, of `voxgate serve` and of nginx over the same folder."""
    home = data.folder.parent
    config = home / "gateway.toml"
    config.write_text(f"[remotes.bench]\nuri = {json.dumps(str(data.folder))}\n")
    port = closed_port()
    told = {"VOXGATE_HTTP_PORT": str(port), "XDG_STATE_HOME": str(home), "VOXGATE_CONFIG": str(config)}
    with (
        server_process("voxgate_standalone", config, home / "gateway.log", told) as suite,
        nginx(data.folder, home / "nginx") as files,
    ):
        gateway = f"http://127.0.0.1:{port}"
        wait_until_it_answers(gateway, suite.process)
        yield f"{gateway}/ng/bench/", f"{files}/"
