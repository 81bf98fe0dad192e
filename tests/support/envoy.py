"""Envoy with the configuration that operators get, in front of replicas on this machine's loopback."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from support.faults import free_port, until
from support.house import ROOT
from support.peers import peer_python
from support.processes import until_left

CONFIG = ROOT / "deploy" / "envoy" / "envoy.yaml"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a replica answers, and where its health does.

    Attributes:
        port: of its service.
        health_port: of its health; 0 where that is at the same one.
    """

    port: int
    health_port: int = 0


@dataclass(frozen=True, slots=True)
class Envoy:
    """A running Envoy.

    Attributes:
        port: of the edge.
        admin: of its own pages.
    """

    port: int
    admin: int

    @property
    def address(self) -> str:
        """For gRPC, and after "http://" for everybody else."""
        return f"127.0.0.1:{self.port}"

    def stats(self, cluster: str) -> dict[str, int]:
        """Its counters of a cluster, by their names after "cluster.NAME."."""
        text = urllib3.request("GET", f"http://127.0.0.1:{self.admin}/stats?filter=cluster.{cluster}[.]").data.decode()
        lines = (line.rpartition(": ") for line in text.splitlines())
        return {name.removeprefix(f"cluster.{cluster}."): int(value) for name, _, value in lines if value.isdecimal()}


def program() -> Path:
    """Envoy itself; skips the test where it is not installed."""
    return peer_python("envoy").parent / "envoy"


def configuration(places: Mapping[str, Sequence[Place]], envoy: Envoy, **of_calls: str) -> dict[str, Any]:
    """The operators' configuration with addresses of this machine; `of_calls` are other values of its connections.

    A cluster that is not in `places` has no endpoint.
    """
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["admin"]["address"]["socket_address"]["port_value"] = envoy.admin
    resources = config["static_resources"]
    (listener,) = resources["listeners"]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": envoy.port}
    listener["filter_chains"][0]["filters"][0]["typed_config"].update(of_calls)
    for cluster in resources["clusters"]:
        cluster["type"] = "STATIC"
        ends = [_end(place) for place in places.get(cluster["name"], ())]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": ends}]
    return config


def _end(place: Place) -> dict[str, Any]:
    end: dict[str, Any] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": place.port}}}
    if place.health_port:
        end["health_check_config"] = {"port_value": place.health_port}
    return {"endpoint": end}


@contextlib.contextmanager
def envoy_before(places: Mapping[str, Sequence[Place]], folder: Path, **of_calls: str) -> Iterator[Envoy]:
    """Envoy until the block ends, from when it takes calls and every replica of its own says that it is well."""
    made = Envoy(free_port(), free_port())
    config = folder / "envoy.yaml"
    config.write_text(yaml.safe_dump(configuration(places, made, **of_calls)))
    command = [program(), "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    with until_left(process):
        until(lambda: _is_ready(made, process, places), "Envoy and the replicas behind it")
        yield made


def _is_ready(envoy: Envoy, process: subprocess.Popen[bytes], places: Mapping[str, Sequence[Place]]) -> bool:
    assert process.poll() is None, "Envoy ended"
    try:
        if urllib3.request("GET", f"http://127.0.0.1:{envoy.admin}/ready", retries=False, timeout=5).status != 200:
            return False
    except urllib3.exceptions.HTTPError:
        return False
    return all(envoy.stats(name)["membership_healthy"] == len(found) for name, found in places.items())
