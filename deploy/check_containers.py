"""Checks of the suite as `make demo-containers` plays it: health, confinement, and one pass through every service."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

import voxgate

_HEALTH_PORTS = {"volume": 50152, "mesh": 50162, "transfer": 50172}
_SERVER = "localhost:50151"
_HTTP_PORT = 50180
_METRICS_PORTS = (50153, 50163, 50173, 50181)
_PATIENCE_S = 60.0


def main() -> int:
    """Run every check; the first that fails ends the program with its reason."""
    for service, port in _HEALTH_PORTS.items():
        _wait(f"{service} is ready", functools.partial(_ready, port))
    _wait("the gateway is ready", lambda: _get("/readyz") is not None)
    for port in _METRICS_PORTS:
        _require(b"voxgate_build_info" in (_get("/metrics", port) or b""), f"metrics are to be read at {port}")
    for service in (*_HEALTH_PORTS, "gateway"):
        _check_confinement(f"{service}-pod-0-{service}")
    with voxgate.connect(_SERVER) as client:
        _check_services(client)
    print("containers: ready, confined, and every service answers")
    return 0


def _check_services(client: voxgate.Client) -> None:
    segmentation = client.volume("fib25/seg")
    _require(np.asarray(client.volume("fib25/em").scale(2)).any(), "the image is not all zeros")
    largest = segmentation.segments(top=1)
    mesh = segmentation.mesh(largest.ids[0])
    _require(len(mesh.faces) > 100, "the largest segment has a surface")
    copy = f"scratch/copy-{uuid.uuid4().hex[:8]}"
    client.transfer("fib25/seg", copy).result(timeout_s=120)
    _require(np.array_equal(client.volume(copy)[:], segmentation[:]), "the copy equals its source, every voxel")
    # Created by one service, followed through the other: both know the same records, and write to the same claim.
    meshed = segmentation.mesh_all(f"{copy}-meshes", scale=1).result(timeout_s=120)
    _require(meshed.segment_count > 10, "all segments are meshed, and stored")
    info = json.loads(_get("/ng/fib25/seg/-/raw/info") or "{}")
    scale = info["scales"][0]
    cell = "_".join(
        f"{start}-{start + min(edge, size)}"
        for start, edge, size in zip(scale["voxel_offset"], scale["chunk_sizes"][0], scale["size"], strict=True)
    )
    body = _get(f"/ng/fib25/seg/-/raw/{scale['key']}/{cell}") or b""
    x, y, z = scale["chunk_sizes"][0]
    _require(body == np.ascontiguousarray(segmentation[:z, :y, :x]).tobytes(), "HTTP and gRPC give the same voxels")


def _check_confinement(container: str) -> None:
    """Not root, no capabilities, nothing writable but /tmp and the claims that are meant for it."""
    probe = (
        "import os, re\n"
        "caps = re.search(r'CapEff:\\s*(\\w+)', open('/proc/self/status').read()).group(1)\n"
        "def state(folder):\n"
        "    try:\n        open(folder + '/probe', 'w'); return 'writable'\n"
        "    except OSError:\n        return 'read-only'\n"
        "print(os.getuid(), int(caps, 16), *map(state, ('/opt', '/data', '/tmp')))"
    )
    command = ["podman", "exec", container, "python", "-c", probe]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()  # noqa: S603
    _require(said == "65532 0 read-only read-only writable", f"{container} is confined, not {said!r}")


def _ready(port: int) -> bool:
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="ready"), timeout=5
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _get(path: str, port: int = _HTTP_PORT) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=30) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def _wait(what: str, true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not true():
        _require(time.monotonic() < until, what)
        time.sleep(0.2)


def _require(true: object, what: str) -> None:
    if not true:
        sys.exit(f"failed: {what}")


if __name__ == "__main__":
    sys.exit(main())
