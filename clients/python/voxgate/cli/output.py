"""What commands print: one JSON document, or plain tables that survive a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from voxgate.model.documents import box_document, vec3_document
from voxgate.model.mesh_documents import segment_document
from voxgate.model.mesh_facts import MeshProvenance
from voxgate.model.meshes import Mesh
from voxgate.model.volumes import Channel, Encoding, Scale, VolumeInfo


def print_json(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command. Segment ids in it must be strings already."""
    print(json.dumps(document, indent=2 if sys.stdout.isatty() else None, allow_nan=False))


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns; no header where it is empty."""
    lines = [tuple(header), *map(tuple, rows)] if header else [tuple(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))] if lines else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns; the header on a terminal only, so that what is piped is data."""
    for line in table_lines(header if sys.stdout.isatty() else (), rows):
        print(line)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values, one a line."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name.ljust(width)}  {value}".rstrip())


def scale_document(scale: Scale) -> dict[str, Any]:
    """The JSON of a scale."""
    return {
        "key": scale.key,
        "bounds": box_document(scale.bounds),
        "voxel_size_nm": vec3_document(scale.voxel_size_nm) if scale.voxel_size_nm else None,
        "stored_chunk_shape": vec3_document(scale.stored_chunk_shape),
        "stored_encodings": [encoding_text(encoding) for encoding in scale.stored_encodings],
        "writable": scale.writable,
    }


def channel_document(channel: Channel) -> dict[str, Any]:
    """The JSON of a channel, and of how to show it: null where the store does not say."""
    return {
        "name": channel.name,
        "window": list(channel.window) if channel.window else None,
        "value_range": list(channel.value_range) if channel.value_range else None,
        "color": channel.color or None,
    }


def channel_text(channel: Channel, index: int) -> str:
    """A channel for people: "DAPI (0 to 1500, 0000FF)"."""
    window = "{:g} to {:g}".format(*channel.window) if channel.window else ""
    shown = ", ".join(filter(None, (window, channel.color)))
    return f"{channel.name or index} ({shown})" if shown else channel.name or str(index)


def volume_document(info: VolumeInfo, capabilities: Sequence[str]) -> dict[str, Any]:
    """The JSON of a volume's description. The fill value is a string: it may be above 2**53."""
    return {
        "name": info.name,
        "version": info.resolved_version,
        "immutable": info.immutable,
        "format": info.format,
        "kind": info.kind.value,
        "dtype": info.dtype.name,
        "axes": info.axes,
        "channels": [channel_document(channel) for channel in info.channels],
        "time_count": info.time_count,
        "fill_value": str(info.fill_value),
        "inferred": list(info.inferred),
        "capabilities": list(capabilities),
        "services": [{"name": each.name, "support": each.support, "why": each.why} for each in info.services],
        "scales": [scale_document(scale) for scale in info.scales],
    }


def mesh_document(mesh: Mesh, shared: MeshProvenance | None = None) -> dict[str, Any]:
    """The JSON of a mesh: all but its surface, and the provenance that it shares with others."""
    low, high = mesh.bounds_nm.tolist() if len(mesh.vertices) else (None, None)
    return {
        **segment_document(mesh, shared=shared),
        "vertex_count": len(mesh.vertices),
        "face_count": len(mesh.faces),
        "bounds_nm": {"start": low, "stop": high},
    }


def encoding_text(encoding: Encoding) -> str:
    """An encoding in one word: "jpeg", "raw+gzip"."""
    return encoding.array.value if encoding.bytes.value == "none" else f"{encoding.array.value}+{encoding.bytes.value}"


def bytes_text(count: float) -> str:
    """A number of bytes for people, in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} PiB"


def extent_text(shape: Iterable[float]) -> str:
    """An extent for people: "250 x 131 x 64"."""
    return " x ".join(f"{number:g}" if isinstance(number, float) else str(number) for number in shape)
