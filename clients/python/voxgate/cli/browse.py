"""`voxgate ls` and `voxgate info`: what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli.output import (
    channel_text,
    encoding_text,
    extent_text,
    print_facts,
    print_json,
    print_table,
    volume_document,
)
from voxgate.cli.session import AsJson, Server, Volume, connected, opened
from voxgate.model.errors import ServerUnreachable, Unauthenticated, VoxgateError
from voxgate.model.volumes import VolumeInfo

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray
    from voxgate.client.connection import Client
    from voxgate.model.remotes import VolumeEntry


def ls(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A remote or group; without it, the remotes.")] = "",
    *,
    details: Annotated[bool, typer.Option("--long", "-l", help="Say what each volume is.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="List what is below, too.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List remotes, groups and volumes.

    Groups end in a slash. With -l, instances that hold metadata and no voxels are called key-values, and of a volume
    that cannot be read it is said why.
    """
    with connected(context, server) as client:
        entries = list(_entries(client, name.rstrip("/"), recursive=recursive))
        infos = {entry.name: _looked_at(client, entry) for entry in entries if entry.is_volume} if details else {}
    if as_json:
        print_json({"entries": [_entry_document(entry, infos.get(entry.name)) for entry in entries]})
        return
    header = ("NAME", "FORMAT", "KIND", "TYPE", "X x Y x Z", "VOXEL NM", "SCALES") if details else ("NAME",)
    print_table(header, [_row(entry, infos.get(entry.name), len(header)) for entry in entries])


def _entries(client: Client, parent: str, *, recursive: bool) -> Iterator[VolumeEntry]:
    for entry in client.volumes(parent):
        yield entry
        if recursive and not (entry.is_volume or entry.is_key_values):
            yield from _entries(client, entry.name, recursive=True)


def _looked_at(client: Client, entry: VolumeEntry) -> VolumeArray | VoxgateError:
    """A volume of a listing, or what is wrong with it: one that is broken hides no other."""
    try:
        return client.volume(entry.name)
    except (ServerUnreachable, Unauthenticated):  # nothing else would be answered, either
        raise
    except VoxgateError as error:
        return error


def _row(entry: VolumeEntry, looked_at: VolumeArray | VoxgateError | None, columns: int) -> tuple[str, ...]:
    if looked_at is None:
        is_group = not (entry.is_volume or entry.is_key_values)
        kind = "key-values" if entry.is_key_values else ""
        return (f"{entry.name}/" if is_group else entry.name, *["", kind, "", "", "", ""][: columns - 1])
    if isinstance(looked_at, VoxgateError):
        return (entry.name, *[""] * (columns - 2), f"cannot be read: {looked_at.message}")
    array = looked_at
    size = array.voxel_size_nm
    return (
        entry.name,
        array.info.format or "-",
        array.kind.value,
        array.dtype.name,
        extent_text(array.bounds.shape),
        extent_text(size) if size else "unknown",
        str(len(array.scales)),
    )


def _entry_document(entry: VolumeEntry, looked_at: VolumeArray | VoxgateError | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": entry.name,
        "is_volume": entry.is_volume,
        "is_key_values": entry.is_key_values,
    }
    if looked_at is None:
        return document
    if isinstance(looked_at, VoxgateError):
        return document | {"error": {"reason": looked_at.reason, "message": looked_at.message}}
    return document | {"volume": volume_document(looked_at.info, looked_at.capabilities)}


def info(context: typer.Context, name: Volume, *, server: Server = None, as_json: AsJson = False) -> None:
    """Describe a volume.

    Its voxels, its scales, what can be done with it, and what had to be guessed.
    """
    with connected(context, server) as client:
        array = opened(client, name)
        described, capabilities = array.info, array.capabilities
    if as_json:
        print_json(volume_document(described, capabilities))
        return
    print_facts(_facts(described, capabilities))
    print()
    rows = [
        (
            str(index),
            scale.key,
            extent_text(scale.bounds.shape),
            str(scale.bounds),
            extent_text(scale.voxel_size_nm) if scale.voxel_size_nm else "unknown",
            extent_text(scale.stored_chunk_shape),
            ", ".join(encoding_text(encoding) for encoding in scale.stored_encodings) or "-",
        )
        for index, scale in enumerate(described.scales)
    ]
    print_table(("SCALE", "KEY", "X x Y x Z", "BOUNDS", "VOXEL NM", "CHUNK", "STORED AS"), rows)


def _facts(described: VolumeInfo, capabilities: tuple[str, ...]) -> dict[str, str]:
    facts = {
        "name": described.name,
        "version": described.resolved_version or "-",
        "format": described.format or "-",
        "kind": described.kind.value,
        "dtype": described.dtype.name,
        "axes": described.axes,
        "fill value": str(described.fill_value),
        "can": ", ".join(capabilities),
    }
    if described.channels:
        facts["channels"] = ", ".join(channel_text(c, i) for i, c in enumerate(described.channels))
    if described.time_count > 1:
        facts["times"] = str(described.time_count)
    if described.inferred:
        facts["guessed"] = ", ".join(described.inferred)
    for offer in described.services:
        facts[f"service {offer.name}"] = f"{offer.support}: {offer.why}" if offer.why else offer.support
    return facts
