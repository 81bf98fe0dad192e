"""The last stage of a bulk meshing: the pieces of all chunks become meshes as neuroglancer reads them.

Nothing is held whole: tables of one partition, and of meshes a few pieces at a time. A mesh's manifest follows its
fragments, and `info` follows all meshes, so that whoever finds one finds the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkMissing
from voxgate.model.geometry import Vec3
from voxgate.model.mesh_stores import MeshStore, ProductFiles
from voxgate.model.volumes import CallContext
from voxgate_mesh.bulk.finishing import below, finish_product
from voxgate_mesh.bulk.gathering import Node, Pieces, chunk_of, gathered, in_order, octree
from voxgate_mesh.bulk.lifting import Lifter
from voxgate_mesh.bulk.manifests import manifest, manifest_size
from voxgate_mesh.bulk.partials import partial_folder, pieces_name
from voxgate_mesh.bulk.pieces import Made
from voxgate_mesh.bulk.plan import MeshPlan
from voxgate_mesh.bulk.properties import write_rows
from voxgate_mesh.bulk.shards import shard_layout, shard_name

__all__ = ["finish_product", "make_product"]

_COPIED_BYTES = 4 << 20

_Fragment = tuple[int, int]
"""A segment's level and its fragment's number in it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes of a partial file."""

    name: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Meshes:
    """The meshes of a partition's segments, as what they are copied from.

    Attributes:
        plan: of the job.
        files: of the destination.
        partials: the folder of partial files.
        pieces: of the partition.
        context: ends the work.
        lifted: fragments that are no chunk's own piece, by segment.
    """

    plan: MeshPlan
    files: ProductFiles
    partials: str
    pieces: Pieces
    context: CallContext
    lifted: dict[int, dict[_Fragment, Source]] = field(default_factory=dict)

    def lift(self, name: str) -> None:
        """Make the fragments that are no chunk's own piece, into a file of their own; none where there are none.

        Raises:
            ChunkMissing, ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        rows, starts = self.pieces.rows, self.pieces.starts
        tops = np.maximum.reduceat(self.pieces.levels, starts[:-1]) if len(rows) else np.empty(0, np.uint8)
        complete = (rows["rises"] == 0) & (rows["length"] > 0)
        complete &= self.pieces.levels < np.repeat(tops, np.diff(starts))
        segments = np.unique(np.searchsorted(starts, np.flatnonzero(complete), side="right") - 1)
        if len(segments):
            self.files.write(name, self._lifted(segments.tolist(), name))

    def _lifted(self, segments: Iterable[int], name: str) -> Iterator[bytes]:
        lifter, at = Lifter(self.plan, self.files, self.partials, self.pieces), 0
        for segment in segments:
            self.context.check()
            for level, nodes in enumerate(octree(self.plan, self.pieces, segment)):
                for number, node in enumerate(nodes):
                    data = lifter.fragment(level, node) if node.lifted else None
                    if data is not None:
                        self.lifted.setdefault(segment, {})[level, number] = Source(name, at, len(data))
                        at += len(data)
                        yield data

    def fragments(self, segment: int) -> list[list[tuple[Vec3, Source]]]:
        """A segment's fragments level by level, and what they are copied from; nothing where nothing is drawn."""
        tree, lifted = octree(self.plan, self.pieces, segment), self.lifted.get(segment, {})
        return [
            [(node.position, lifted.get((level, number)) or self._own(node)) for number, node in enumerate(nodes)]
            for level, nodes in enumerate(tree)
        ]

    def sizes(self, segment: int) -> tuple[int, int]:
        """The bytes of a segment's fragments, and of its manifest."""
        levels = self.fragments(segment)
        together = sum(source.length for fragments in levels for _, source in fragments)
        return together, manifest_size([len(fragments) for fragments in levels])

    def manifest(self, segment: int) -> bytes:
        """A segment's manifest."""
        levels = self.fragments(segment)
        return manifest(self.plan, [[(position, source.length) for position, source in each] for each in levels])

    def data(self, segments: Iterable[int]) -> Iterator[bytes]:
        """The bytes of segments' fragments, one after the other, each segment's followed by an empty part."""
        for part in in_order(self.read, self.ranges(segments)):
            self.context.check()
            yield part

    def ranges(self, segments: Iterable[int]) -> Iterator[Source | None]:
        """What segments' fragments are copied from, in parts of a few MiB; None after each segment's."""
        for segment in segments:
            for fragments in self.fragments(segment):
                for _, source in fragments:
                    for start in range(0, source.length, _COPIED_BYTES):
                        length = min(_COPIED_BYTES, source.length - start)
                        yield Source(source.name, source.start + start, length)
            yield None

    def read(self, source: Source | None) -> bytes:
        """The bytes of a part; none for None."""
        if source is None:
            return b""
        data = self.files.read(source.name, source.start, source.start + source.length)
        if data is None:
            raise ChunkMissing("a partial file of a meshing job is gone", "cancel the job and start it anew")
        return data

    def _own(self, node: Node) -> Source:
        if node.own < 0:
            return Source("", 0, 0)
        block = chunk_of(self.plan, int(self.pieces.blocks[node.own]))
        row = self.pieces.rows[node.own]
        return Source(pieces_name(self.partials, block), int(row["offset"]), int(row["length"]))


def make_product(plan: MeshPlan, store: MeshStore, partition: int, context: CallContext) -> Made:
    """Store the meshes of a partition, and what `finish_product` will say of them. Thread-safe.

    Raises:
        ChunkMissing, ChunkCorrupt: when partial files are not what was written.
        StoreUnavailable, Cancelled, DeadlineExceeded.
    """
    files, partials = store.files, partial_folder(store.folder, plan)
    pieces = gathered(plan, files, partials, partition, context)
    meshes = Meshes(plan, files, partials, pieces, context)
    spool = f"{partials}/lifted/{partition}"
    meshes.lift(spool)
    write = _write_shard if plan.spec.sharded else _write_files
    size, checksum = write(meshes, store.folder, partition)
    write_rows(files, partials, partition, pieces, size)
    files.remove(spool)
    return Made(0, checksum)


def _write_shard(meshes: Meshes, folder: str, partition: int) -> tuple[int, bytes]:
    """A partition as a shard; none for a partition without meshes. Answers its bytes and SHA-256."""
    name = below(folder, shard_name(meshes.plan, partition))
    segment_ids, digest = meshes.pieces.segment_ids, hashlib.sha256()
    if not len(segment_ids):
        meshes.files.remove(name)
        return 0, digest.digest()
    sizes = np.array([meshes.sizes(segment) for segment in range(len(segment_ids))], np.int64)
    layout = shard_layout(meshes.plan, segment_ids, sizes[:, 0], sizes[:, 1])

    def parts() -> Iterator[bytes]:
        yield layout.head
        remaining = iter(layout.order.tolist())
        for part in meshes.data(layout.order.tolist()):
            yield part or meshes.manifest(next(remaining))
        yield layout.tail

    return meshes.files.write(name, _digested(parts(), digest)), digest.digest()


def _write_files(meshes: Meshes, folder: str, partition: int) -> tuple[int, bytes]:  # noqa: ARG001  (as the other one)
    """A partition as two files for each mesh, the manifest last. Answers their bytes and the SHA-256 of them all."""
    segment_ids = meshes.pieces.segment_ids.tolist()

    def write(segment: int) -> tuple[int, bytes]:
        digest = hashlib.sha256(segment_ids[segment].to_bytes(8, "little"))
        name, index = below(folder, str(segment_ids[segment])), meshes.manifest(segment)
        size = meshes.files.write(name, _digested(_whole(meshes, segment), digest))
        return size + meshes.files.write(f"{name}.index", _digested([index], digest)), digest.digest()

    whole, size = hashlib.sha256(), 0
    for written, digest in in_order(write, range(len(segment_ids))):
        size += written
        whole.update(digest)
    return size, whole.digest()


def _whole(meshes: Meshes, segment: int) -> Iterator[bytes]:
    """A segment's fragments, one after the other."""
    for source in meshes.ranges([segment]):
        meshes.context.check()
        yield meshes.read(source)


def _digested(parts: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    for part in parts:
        digest.update(part)
        yield part
