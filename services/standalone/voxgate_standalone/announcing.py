"""What `voxgate serve` tells the person who started it: where it listens, and what volumes there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from voxgate.cli.output import extent_text, table_lines
from voxgate.model.volumes import VolumeInfo
from voxgate_remotes.config import RemoteConfig
from voxgate_standalone.discovery import Discovery, Found, Survey
from voxgate_standalone.statements import statement_lines, unknown_of
from voxgate_standalone.suite import Suite

_HEADER = ("VOLUME", "FORMAT", "KIND", "X x Y x Z", "TYPE", "VOXEL NM", "SCALES", "")
_STATING = "What is inferred or unknown can be stated in a voxgate.toml (voxgate serve --config):"


def announce(suite: Suite, discovery: Discovery, unwritten: Mapping[str, RemoteConfig], *, as_json: bool) -> None:
    """Say where a suite listens, at once; on a terminal then what it has, as far as that is found in time.

    Args:
        suite: already serving.
        discovery: not started; it is only where somebody reads what it finds.
        unwritten: the remotes of the command line, by name.
        as_json: one line for programs, and nothing else.
    """
    url = suite.gateway.url if suite.gateway else ""
    if as_json:
        where: dict[str, str | int] = {"grpc": suite.server.address, "http": url}
        where["health_port"] = suite.server.health_port
        if suite.server.speaks_tls:
            where["tls"] = True
        if suite.server.metrics_port is not None:
            where["metrics_port"] = suite.server.metrics_port
        print(json.dumps(where), flush=True)
        return
    secured = "  (TLS)" if suite.server.speaks_tls else ""
    print(f"gRPC  {suite.server.address}{secured}\nHTTP  {url}", flush=True)
    if not sys.stdout.isatty():
        return
    print("stop with Ctrl-C\n", flush=True)
    discovery.start()
    print("\n".join(survey_lines(discovery.wait(), unwritten)), flush=True)


def survey_lines(survey: Survey, unwritten: Mapping[str, RemoteConfig]) -> list[str]:
    """A table of what was found, what was left out, and what an operator can state about it."""
    rows = [_row(each) for each in survey.found]
    rows += [
        (f"{each.name}/", each.store, *[""] * 5, f"not walked: voxgate ls {each.name}") for each in survey.not_walked
    ]
    lines = table_lines(_HEADER, rows) if rows else []
    if not rows and survey.is_complete:
        lines.append("no volumes yet")
    if survey.more or not survey.is_complete:
        count = f"{'' if survey.is_complete else 'at least '}{survey.more} more" if survey.more else "there may be more"
        lines.append(f"… {count}: voxgate ls -r")
    statements = statement_lines(survey.found, unwritten)
    if statements:
        lines += ["", _STATING, "", *statements]
    return lines


def _row(found: Found) -> tuple[str, ...]:
    info = found.info
    if info is None:
        return (found.name, *[""] * 6, f"cannot be read: {found.problem}")
    first = info.scales[0] if info.scales else None
    size = None if first is None else first.voxel_size_nm
    return (
        found.name,
        info.format,
        info.kind.value,
        extent_text(first.bounds.shape) if first else "no voxels",
        info.dtype.name,
        extent_text(size) if size else "unknown",
        str(len(info.scales)),
        _notes(info),
    )


def _notes(info: VolumeInfo) -> str:
    """What is uncommon about a volume: more axes than three, and what nobody states."""
    channels = f"{info.channel_count} channels" if "c" in info.axes else ""
    times = f"{info.time_count} times" if info.time_count > 1 else ""
    inferred = f"inferred: {', '.join(info.inferred)}" if info.inferred else ""
    unknown = f"unknown: {', '.join(unknown_of(info))}" if unknown_of(info) else ""
    return "; ".join(filter(None, (channels, times, inferred, unknown)))
