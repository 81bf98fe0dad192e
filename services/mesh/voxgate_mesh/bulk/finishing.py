"""The end of a bulk meshing: everybody finds the meshes, and nothing is left of what was only needed on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkMissing
from voxgate.model.jobs import MeshJobResult
from voxgate.model.mesh_stores import MeshStore, ProductFiles
from voxgate_mesh.bulk.manifests import mesh_info
from voxgate_mesh.bulk.origins import origin_of
from voxgate_mesh.bulk.partials import partial_folder
from voxgate_mesh.bulk.plan import MeshPlan
from voxgate_mesh.bulk.properties import MOST_LISTED, Rows, properties_parts, read_rows
from voxgate_mesh.bulk.shards import shard_names

PROPERTIES = "segment_properties"
_MARK = "voxgate"
_ENDINGS = ("", ".index")


@dataclass(frozen=True, slots=True)
class _Totals:
    segment_count: int = 0
    face_count: int = 0
    stored_bytes: int = 0
    most_voxels: int = 0


def below(folder: str, name: str) -> str:
    """The name of a file in the folder of the meshes."""
    return f"{folder}/{name}" if folder else name


def finish_product(plan: MeshPlan, store: MeshStore, checksum: str) -> MeshJobResult:
    """Announce the meshes of all partitions; called again after an interruption, it completes what was not done.

    Meshes of segments that are none any more are removed before: of a job that was given up, or of those that are
    replaced where they are. Segment properties are stored of at most MOST_LISTED segments.

    Args:
        plan: of the job.
        store: the destination.
        checksum: SHA-256 over the blocks' checksums, lower-case hex.

    Raises:
        ChunkMissing: when partial files are gone.
        StoreUnavailable.
    """
    partials = partial_folder(store.folder, plan)
    totals = _totals(plan, store.files, partials)
    if totals is None:
        totals = _recorded(store.announced(), plan, checksum)
    else:
        _sweep(plan, store, partials)
        has_properties = plan.spec.segment_properties and totals.segment_count <= MOST_LISTED
        if has_properties:
            _write_properties(plan, store.files, partials, totals)
        own = has_properties and not store.folder
        record = {"plan": plan.digest, "checksum": checksum, **asdict(totals), "provenance": origin_of(plan.spec)}
        store.announce({**mesh_info(plan, PROPERTIES if own else ""), _MARK: record}, properties=has_properties)
    store.files.remove(partials)
    destination = plan.spec.destination or plan.spec.volume
    return MeshJobResult(destination, totals.segment_count, totals.face_count, totals.stored_bytes, checksum)


def _totals(plan: MeshPlan, files: ProductFiles, partials: str) -> _Totals | None:
    """What all partitions came to; None where rows of one are gone."""
    segments = faces = size = voxels = 0
    for partition in range(plan.partition_count):
        found = read_rows(files, partials, partition)
        if found is None:
            return None
        stored_bytes, rows = found
        segments += len(rows)
        faces += int(rows["face_count"].sum(dtype=np.uint64))
        size += stored_bytes
        voxels = max(voxels, int(rows["voxel_count"].max(initial=0)))
    return _Totals(segments, faces, size, voxels)


def _recorded(info: Mapping[str, Any] | None, plan: MeshPlan, checksum: str) -> _Totals:
    """What the meshes that are announced came to, if they are the job's."""
    record = (info or {}).get(_MARK)
    if not isinstance(record, dict) or (record.get("plan"), record.get("checksum")) != (plan.digest, checksum):
        raise ChunkMissing("the partial files of a meshing job are gone", "start it anew")
    return _Totals(**{name: int(record[name]) for name in asdict(_Totals())})


def _write_properties(plan: MeshPlan, files: ProductFiles, partials: str, totals: _Totals) -> None:
    def tables() -> Iterator[Rows]:
        return (rows for _, rows in _tables(plan, files, partials))

    files.write(f"{PROPERTIES}/info", properties_parts(tables, totals.most_voxels))


def _tables(plan: MeshPlan, files: ProductFiles, partials: str) -> Iterator[tuple[int, Rows]]:
    for partition in range(plan.partition_count):
        found = read_rows(files, partials, partition)
        if found is None:
            raise ChunkMissing("the partial files of a meshing job are gone", "start it anew")
        yield partition, found[1]


def _sweep(plan: MeshPlan, store: MeshStore, partials: str) -> None:
    """Remove meshes that are not the job's from the folder where its own are; 16 bytes a mesh are held."""
    files, folder = store.files, store.folder
    if plan.spec.sharded:
        own = set(shard_names(plan))
        strangers = [name for name in files.names(folder) if name.endswith(".shard") and name not in own]
        for name in strangers:
            files.remove(below(folder, name))
        _remove_meshes(files, folder, _segments(files, folder))
        return
    for name in [name for name in files.names(folder) if name.endswith(".shard")]:
        files.remove(below(folder, name))
    there = _segments(files, folder)
    partitions = plan.partitions_of(there)
    for partition, rows in _tables(plan, files, partials):
        mine = there[partitions == partition]
        _remove_meshes(files, folder, mine[~np.isin(mine, rows["segment_id"])])


def _segments(files: ProductFiles, folder: str) -> Any:
    """The segments of which there are files of their own: uint64 (n,)."""
    stems = (name.removesuffix(".index") for name in files.names(folder))
    numbers = (int(stem) for stem in stems if stem.isascii() and stem.isdecimal() and len(stem) <= 20)
    return np.unique(np.fromiter((number for number in numbers if number < 2**64), np.uint64))


def _remove_meshes(files: ProductFiles, folder: str, segment_ids: Any) -> None:
    """The manifest first: nobody is then told of fragments that are gone."""
    for segment_id in segment_ids.tolist():
        for ending in reversed(_ENDINGS):
            files.remove(below(folder, f"{segment_id}{ending}"))
