"""The `provenance` of a volume: what the services know of where its voxels came from, in the form of cloud-volume.

Format: https://github.com/seung-lab/cloud-volume, cloudvolume/provenance.py (`description`, `owners`, `processing`,
`sources`). The contract says nothing of owners, and files that a store keeps beside its voxels are no part of it.
"""

from __future__ import annotations

import json
from typing import Any

from voxgate.model.errors import MissingCapability, StoreAccessDenied, Unimplemented, UnknownKey
from voxgate.model.provenance import KEY_PREFIX, processing_step
from voxgate.model.volumes import VolumeInfo
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.metadata import keys_at, value_at

_MOST_ENTRIES = 100
"""Each takes a call; a volume is made once or twice."""


def provenance(backend: Backend, described: Described) -> dict[str, Any]:
    """The document of a volume, for a thread.

    Raises:
        VoxgateError: what the server answered, but for a store that keeps no metadata, or none for this caller.
    """
    entries = _kept(backend, described)
    sources = [source for entry in entries for source in entry.get("sources", ()) if isinstance(source, str)]
    return {
        "description": _said(described.info),
        "owners": [],
        "processing": [processing_step(entry) for entry in entries],
        "sources": list(dict.fromkeys(sources)),
    }


def _said(info: VolumeInfo) -> str:
    """Which volume this is, where people may see a copy of it without its address."""
    version = f"@{info.resolved_version}" if info.resolved_version else ""
    return f"{info.name}{version}{f' ({info.format})' if info.format else ''}, served by voxgate"


def _kept(backend: Backend, described: Described) -> list[dict[str, Any]]:
    """The entries beside the voxels, the oldest first."""
    try:
        keys = keys_at(backend.calls, described.ref) or []
        kept = [key for key in keys if key.startswith(KEY_PREFIX)]
        entries = [_entry(backend, described, key) for key in kept[:_MOST_ENTRIES]]
    except (MissingCapability, StoreAccessDenied, Unimplemented):
        return []
    return sorted(filter(None, entries), key=lambda entry: str(entry.get("finished", "")))


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _entry(backend: Backend, described: Described, key: str) -> dict[str, Any]:
    """What a key holds; nothing where somebody else put something else there."""
    try:
        entry = json.loads(value_at(backend.calls, described.ref, key), parse_constant=_refuse)
    except (UnknownKey, ValueError, RecursionError):  # deleted a moment ago, or no JSON
        return {}
    return entry if isinstance(entry, dict) and isinstance(entry.get("sources"), list) else {}
