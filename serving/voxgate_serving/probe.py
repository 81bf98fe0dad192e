"""`python -m voxgate_serving.probe`: asks a server beside it how it is, for container engines that probe by command.

Exit code 0 when everything asked for is well, 1 when something is not, with one sentence that says what.
"""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_HEALTH_PORT = 50052


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask; the exit code."""
    parser = argparse.ArgumentParser(prog="voxgate_serving.probe", description=__doc__)
    parser.add_argument("wanted", nargs="+", help='names that the health port answers for ("ready"), or http:// pages')
    parser.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("VOXGATE_HEALTH_PORT", _HEALTH_PORT)),
        help="the health port (default: VOXGATE_HEALTH_PORT, or 50052)",
    )
    parser.add_argument("--timeout-s", type=float, default=5.0, help="seconds that each may take (default: 5)")
    options = parser.parse_args(arguments)
    for wanted in options.wanted:
        if wanted.startswith("http://"):
            trouble = _page_trouble(wanted, options.timeout_s)
        else:
            trouble = _health_trouble(wanted, options.port, options.timeout_s)
        if trouble:
            sys.stderr.write(f"{wanted}: {trouble}\n")
            return 1
    return 0


def _health_trouble(service: str, port: int, timeout_s: float) -> str:
    """What the health port says against a name; empty when all is well."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            return f"{error.code().name} at port {port}"
    serving = health_pb2.HealthCheckResponse.SERVING
    return "" if answer.status == serving else health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _page_trouble(url: str, timeout_s: float) -> str:
    """Why a page is not to be had; empty when it is."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=timeout_s):
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except OSError as error:
        return type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
