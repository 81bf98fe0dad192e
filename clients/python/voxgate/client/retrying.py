"""Which calls may be made again by themselves, and how often: told to gRPC as the service config of a channel.

What only reads may be repeated, and so may what changes nothing the second time: jobs that are created under a request
id, cancelled or resumed. A write of voxels, of metadata or of versions is never repeated: whether it took place is not
known, and somebody else may have written in between. (A call that provably never reached a server is sent again by gRPC
itself, whatever it is.)
"""

from __future__ import annotations

import functools
import json
from typing import Any

from voxgate.wire.contract import methods, reads

ATTEMPTS = 4
"""How often one call is made at most."""
REPEATED_CODES = ("UNAVAILABLE", "CANCELLED")
"""What gRPC makes such a call again for. CANCELLED is what a server says to calls that reach it while it stops."""
_HARMLESS_AGAIN = frozenset({"CreateTransfer", "CreatePyramid", "CreateMeshJob", "CancelJob", "ResumeJob"})
_RESUMED = frozenset({"ReadCutout", "GetMeshes", "GetSkeletons", "WatchJob"})
"""Streams that the client takes up again where they broke: its patience and gRPC's would multiply."""
_POLICY = {
    "maxAttempts": ATTEMPTS,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": REPEATED_CODES,
}
# Of the calls that fail in a row, the first 50 are made again; of a server that answers, one call in ten.
_BUDGET = {"maxTokens": 100, "tokenRatio": 0.1}


def is_repeatable(method: str) -> bool:
    """Whether a method, by its bare name as in "GetVolume", may be called again when nobody knows what became of it."""
    return reads(method) or method in _HARMLESS_AGAIN


@functools.cache
def service_config(*, is_balanced: bool, resumes: bool) -> str:
    """The service config of a channel, JSON.

    Args:
        is_balanced: spread the calls over every address that the target has, not just the first that answers.
        resumes: the caller takes up streams by itself; gRPC leaves those alone.
    """
    names = [
        {"service": service, "method": method}
        for service, method in methods()
        if is_repeatable(method) and not (resumes and method in _RESUMED)
    ]
    config: dict[str, Any] = {
        "methodConfig": [{"name": names, "retryPolicy": _POLICY}],
        "retryThrottling": _BUDGET,
    }
    if is_balanced:
        config["loadBalancingConfig"] = [{"round_robin": {}}]
    return json.dumps(config)
