"""The figures of a load test: as a document, and as text for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.load.readers import reasons
from tests.load.suite import Found, Load


def document(load: Load, found: Found) -> dict[str, Any]:
    """Everything, ready for JSON. Seconds are those of this machine and of this hour: see who shares it."""
    record, breaker = found.record, found.breaker
    return {
        "readers": load.readers,
        "seconds": round(found.seconds, 1),
        "replicas": load.counts,
        "answers": sum(map(len, record.seconds.values())),
        "checked_mib": round(record.byte_count / (1 << 20), 1),
        "wrong": len(record.wrong),
        "failed": len(record.failed),
        "asked_again_over_http": record.again,
        "killed": breaker.killed,
        "drained": breaker.drained,
        "bad_exits": breaker.bad_exits,
        "turns_without_a_victim": breaker.none_well,
        "wrong_of": reasons(record.wrong),
        "failed_with": reasons(record.failed),
        "latency_s": {kind: _percentiles(seconds) for kind, seconds in sorted(record.seconds.items())},
        "memory": found.memory,
        "edge": found.edge,
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    values = {f"p{at}": round(float(np.percentile(seconds, at)), 4) for at in (50, 90, 99)}
    return {"count": len(seconds), **values, "most": round(max(seconds), 4)}


def text(found: dict[str, Any]) -> str:
    """The document for people."""
    lines = [
        f"{found['answers']} answers ({found['checked_mib']} MiB of voxels) to {found['readers']} readers "
        f"in {found['seconds']} s, every one checked: {found['wrong']} wrong, {found['failed']} failed",
        f"{found['killed']} replicas killed, {found['drained']} drained; "
        f"{found['asked_again_over_http']} requests made again by readers over HTTP",
        "",
        f"{'asked for':<14}{'answers':>9}{'p50 s':>9}{'p90 s':>9}{'p99 s':>9}{'most s':>9}",
    ]
    for kind, each in found["latency_s"].items():
        lines.append(
            f"{kind:<14}{each['count']:>9}" + "".join(f"{each[at]:>9}" for at in ("p50", "p90", "p99", "most"))
        )
    lines += ["", f"{'memory':<14}{'end MiB':>9}{'most MiB':>9}{'MiB/min':>9}"]
    for name, each in found["memory"].items():
        lines.append(f"{name:<14}{each['end_mib']:>9.0f}{each['most_mib']:>9.0f}{each['mib_a_minute']:>9.1f}")
    lines += [f"{each}: {count}" for kind in ("wrong_of", "failed_with") for each, count in found[kind].items()]
    return "\n".join([*lines, *found["bad_exits"]])
