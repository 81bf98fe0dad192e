"""The finest level: a chunk's voxels are read once, and the surfaces of all of its segments come out of one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3
from voxgate.model.mesh_stores import ProductFiles
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.bulk.encoding import encoded
from voxgate_mesh.bulk.lattice import Faces, Lattice, measured, owned, touches
from voxgate_mesh.bulk.partials import Piece, pieces_name, rising_name, write_pieces
from voxgate_mesh.bulk.plan import LATTICE, LevelBlock, MeshPlan
from voxgate_mesh.bulk.rising import Rising, write_rising
from voxgate_mesh.bulk.thinning import Frame

Labels = npt.NDArray[Any]
_HALF = LATTICE // 2  # the doubled lattice of the mesher to the plan's


@dataclass(frozen=True, slots=True)
class Made:
    """What a block was.

    Attributes:
        byte_count: voxel bytes that were read.
        checksum: SHA-256 of what was written, 32 bytes.
    """

    byte_count: int
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Places:
    """Where a job's partial files are.

    Attributes:
        files: of the destination.
        partials: the folder, see `voxgate_mesh.bulk.partials.partial_folder`.
    """

    files: ProductFiles
    partials: str


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """What the voxels of a chunk say of one segment; `places` are the chunk's cells' vertices, not thinned."""

    segment_id: int
    voxel_count: int
    places: Lattice
    faces: Faces


def make_pieces(plan: MeshPlan, volume: Volume, position: Vec3, places: Places, context: CallContext) -> Made:
    """Make a chunk of level 0; thread-safe.

    Raises:
        Whatever the volume and the files raise; Cancelled or DeadlineExceeded from the context.
        ConfigInvalid: when DracoPy is not installed.
    """
    block = LevelBlock(0, position)
    box = plan.voxel_box(position)
    read = box.intersection(plan.region)
    context.check()
    labels, names = _labels(volume.read(read, scale=plan.spec.scale)[0], read, box)
    maker = _Maker(plan, Frame.of(plan, block))
    pieces, risen = [], []
    for segment in _segments(labels, names, maker.frame):
        context.check()
        piece, rising = maker.made(segment)
        pieces.append(piece)
        if rising is not None:
            risen.append(rising)
    return Made(read.voxel_count * volume.info.dtype.itemsize, write_chunk(plan, block, places, pieces, risen))


def write_chunk(
    plan: MeshPlan, block: LevelBlock, places: Places, pieces: list[Piece], risen: list[Rising] | None
) -> bytes:
    """Write a chunk's files, `risen` where there is a level above; their SHA-256, 32 bytes.

    Raises:
        StoreUnavailable.
    """
    digest = hashlib.sha256(write_pieces(places.files, pieces_name(places.partials, block), pieces, plan))
    if block.level + 1 < plan.level_count:
        digest.update(write_rising(places.files, rising_name(places.partials, block), risen or []))
    return digest.digest()


def _labels(voxels: Labels, read: Box, box: Box) -> tuple[Labels, npt.NDArray[np.uint64]]:
    """Small labels of a chunk's box, background outside of what was read; and the segment of each."""
    small, numbers = fastremap.renumber(voxels, preserve_zero=True, in_place=False)
    names = np.zeros(len(numbers) + 1, np.uint64)
    for segment_id, label in numbers.items():
        names[int(label)] = int(segment_id)
    if read == box:
        return np.ascontiguousarray(small), names
    labels = np.zeros(box.shape.zyx, small.dtype)
    labels[read.slices_zyx(box.start)] = small
    return labels, names


def _segments(labels: Labels, names: npt.NDArray[np.uint64], frame: Frame) -> Iterator[_Segment]:
    """The segments of a chunk, those without a triangle too if the chunk has a voxel of its own of them."""
    from voxgate_mesh.cubes.kernel import surfaces_of  # noqa: PLC0415  (numba takes a second)

    counts = np.zeros(len(names), np.int64)
    owned(labels, counts)
    vertices, faces, keys, corners = surfaces_of(labels)
    del labels
    low = frame.low.astype(np.int32)
    for label in range(1, len(vertices) - 1):
        rows = slice(int(faces[label]), int(faces[label + 1]))
        if rows.start == rows.stop and not counts[label]:
            continue
        places = keys[vertices[label] : vertices[label + 1]] * np.int32(_HALF) + low
        yield _Segment(int(names[label]), int(counts[label]), places, corners[rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Makes pieces out of segments of one chunk."""

    plan: MeshPlan
    frame: Frame

    def made(self, segment: _Segment) -> tuple[Piece, Rising | None]:
        """A segment's piece, and what rises of it."""
        plan, frame, bits = self.plan, self.frame, self.plan.quantization_bits
        if not len(segment.faces):
            return Piece(segment.segment_id, segment.voxel_count, 0.0, 0.0, 0, b"", False), None
        places, faces = segment.places, segment.faces
        if plan.max_error_nm:
            places, faces = frame.thinned(places, faces, plan.max_error_nm)
        area, volume = measured(places, faces, frame.place_nm)
        draco = encoded(frame.integers(places, bits), faces, bits)
        rising = risen(plan, frame, 0, Rising(segment.segment_id, places, faces))
        piece = Piece(segment.segment_id, segment.voxel_count, area, volume, len(faces), draco, rising is not None)
        return piece, rising


def risen(plan: MeshPlan, frame: Frame, level: int, surface: Rising) -> Rising | None:
    """What the level above gets of a surface of this level; None where it is complete in its chunk."""
    if level + 1 == plan.level_count or not touches(surface.places, frame.planes[0], frame.planes[1]):
        return None
    step = plan.error_nm(level + 1) - plan.error_nm(level)
    return Rising(surface.segment_id, *frame.thinned(surface.places, surface.faces, step))
