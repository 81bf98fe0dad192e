"""Properties of segments: rows of each partition while a job runs, one `info` for all of them in the end.

Format: github.com/google/neuroglancer, src/datasource/precomputed/segment_properties.md: `inline` has `ids`, decimal
strings, and `properties`, each with `values` in the order of the ids; numbers have at most 32 bits.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.mesh_stores import ProductFiles
from voxgate_mesh.bulk.gathering import Pieces

MOST_LISTED = 1_000_000
"""Viewers load all properties at once, some 60 bytes a segment: of more segments than this none are stored."""
ROW: np.dtype[Any] = np.dtype(
    [("segment_id", "<u8"), ("voxel_count", "<u8"), ("volume_nm3", "<f8"), ("area_nm2", "<f8"), ("face_count", "<u8")]
)
"""What is known of a segment."""

Rows = npt.NDArray[Any]
"""A structured array of dtype ROW and shape (n,), ascending by segment."""

_MAGIC = b"vgrows01"
_TYPE = "neuroglancer_segment_properties"


@dataclass(frozen=True, slots=True)
class Column:
    """A property that is stored; `name` is a field of ROW as well."""

    name: str
    id: str
    description: str


COLUMNS = (
    Column("voxel_count", "voxel_count", "Voxels of the segment at the scale that was meshed"),
    Column("volume_nm3", "volume_nm3", "Volume that the finest surface encloses, cubic nanometres"),
    Column("area_nm2", "surface_nm2", "Area of the finest surface, square nanometres"),
)
"""What is stored of segments."""


def write_rows(files: ProductFiles, partials: str, partition: int, pieces: Pieces, stored_bytes: int) -> None:
    """Keep what is known of a partition's segments until the job ends.

    Raises:
        StoreUnavailable.
    """
    rows = np.zeros(len(pieces.segment_ids), ROW)
    rows["segment_id"] = pieces.segment_ids
    for name in ("voxel_count", "volume_nm3", "area_nm2", "face_count"):
        rows[name] = pieces.summed(name)
    files.write(rows_name(partials, partition), [_MAGIC, stored_bytes.to_bytes(8, "little"), rows.tobytes()])


def rows_name(partials: str, partition: int) -> str:
    """The file of a partition's rows."""
    return f"{partials}/properties/{partition}"


def read_rows(files: ProductFiles, partials: str, partition: int) -> tuple[int, Rows] | None:
    """The bytes that a partition's meshes are stored in, and its rows; None where it is not done.

    Raises:
        ChunkCorrupt, StoreUnavailable.
    """
    data = files.read(rows_name(partials, partition))
    if data is None:
        return None
    if data[:8] != _MAGIC or (len(data) - 16) % ROW.itemsize:
        raise ChunkCorrupt("a partial file of a meshing job is not what was written", "cancel it and start it anew")
    return int.from_bytes(data[8:16], "little"), np.frombuffer(data, ROW, -1, 16)


def properties_parts(tables: Callable[[], Iterable[Rows]], most_voxels: int) -> Iterator[bytes]:
    """The `info` of segment properties in parts, of which one partition's are held at a time.

    Args:
        tables: the rows of each partition, again and again: once for the ids and once for each property.
        most_voxels: what no segment has more of.
    """
    yield b'{"@type":"%s","inline":{"ids":[' % _TYPE.encode()
    yield from _listed(tables(), lambda rows: [f'"{each}"' for each in rows["segment_id"].tolist()])
    yield b'],"properties":['
    for number, column in enumerate(COLUMNS):
        kind = "uint32" if column.name == "voxel_count" and most_voxels < 2**32 else "float32"
        stated = {"id": column.id, "type": "number", "data_type": kind, "description": column.description}
        yield ("," * (number > 0) + json.dumps(stated)[:-1] + ',"values":[').encode()
        yield from _listed(tables(), lambda rows, name=column.name: _numbers(rows[name]))  # type: ignore[misc]
        yield b"]}"
    yield b"]}}"


def _numbers(values: npt.NDArray[Any]) -> list[str]:
    if values.dtype.kind == "u":
        return [str(each) for each in values.tolist()]
    return [str(each) for each in values.astype(np.float32)]


def _listed(tables: Iterable[Rows], texts: Callable[[Rows], Sequence[str]]) -> Iterator[bytes]:
    """The items of a JSON list, a table at a time."""
    commas = itertools.chain([""], itertools.repeat(","))
    for rows in tables:
        if len(rows):
            yield (next(commas) + ",".join(texts(rows))).encode()
