"""The chunks of a bulk meshing, made in memory, and what their pieces say once they are decoded."""

from dataclasses import dataclass

import DracoPy
import numpy as np

from support.mesh_volumes import OFFSET, SIZE, segmentation
from voxgate.model.jobs import MeshJobSpec
from voxgate.model.volumes import CallContext
from voxgate_mesh.bulk.coarser import make_coarser
from voxgate_mesh.bulk.partials import pieces_name, read_table
from voxgate_mesh.bulk.pieces import Places, make_pieces
from voxgate_mesh.bulk.planning import planned


class MemoryFiles:
    """ProductFiles that keep everything in a dict."""

    def __init__(self):
        self.kept = {}

    def read(self, name, start=0, stop=None):
        return self.kept[name][start:stop] if name in self.kept else None

    def size(self, name):
        return len(self.kept[name]) if name in self.kept else None

    def write(self, name, parts):
        self.kept[name] = b"".join(parts)
        return len(self.kept[name])

    def remove(self, name):
        self.kept = {each: data for each, data in self.kept.items() if not f"{each}/".startswith(f"{name}/")}


@dataclass(frozen=True, eq=False)
class Decoded:
    """A piece: its row, the chunk, and integers (n, 3) on the grid that all chunks of a level share; faces (m, 3)."""

    row: np.void
    block: object
    own: np.ndarray
    integers: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True, eq=False)
class Chunks:
    """A plan, the files of its chunks, and what they come to."""

    plan: object
    files: MemoryFiles
    made: list

    def pieces(self, level):
        """All pieces of a level with triangles, by segment."""
        found = {}
        top = 2**self.plan.quantization_bits - 1
        for block in (block for block in self.plan.chunks() if block.level == level):
            name = pieces_name("partials", block)
            for partition in range(self.plan.partition_count):
                for row in read_table(self.files, name, partition):
                    data = self.files.read(name, int(row["offset"]), int(row["offset"] + row["length"]))
                    own, faces = decoded(data) if data else (np.zeros((0, 3), int), np.zeros((0, 3), int))
                    there = own + top * np.array(tuple(block.position))
                    found.setdefault(int(row["segment_id"]), []).append(Decoded(row, block, own, there, faces))
        return found

    def nanometres(self, level, integers):
        """Where integers of the grid of a level are, global."""
        unit = self.plan.chunk_nm * 2**level / (2**self.plan.quantization_bits - 1)
        return self.plan.base_nm + integers * unit

    def surface(self, level, pieces):
        """Pieces of one segment side by side: vertices in nanometres, faces."""
        starts = np.cumsum([0, *(len(each.integers) for each in pieces)])
        vertices = np.concatenate([self.nanometres(level, each.integers) for each in pieces])
        return vertices, np.concatenate([each.faces + start for each, start in zip(pieces, starts, strict=False)])


def decoded(data):
    mesh = DracoPy.decode(data)
    points = np.asarray(mesh.points)
    assert np.array_equal(points, np.rint(points))
    faces = getattr(mesh, "faces", ())
    return points.astype(int), np.asarray(faces, int).reshape(-1, 3)


def chunked(labels, *, offset=OFFSET, size=SIZE, **asked):
    """Run all chunks of a bulk meshing, one level after the other."""
    volume = segmentation(np.asarray(labels), offset=offset, size=size)
    plan, files, made = planned(MeshJobSpec("lab/seg", **asked), volume.info), MemoryFiles(), []
    places = Places(files, "partials")
    for block in plan.chunks():
        if block.level:
            made.append(make_coarser(plan, block, places, CallContext()))
        else:
            made.append(make_pieces(plan, volume, block.position, places, CallContext()))
    return Chunks(plan, files, made)


def open_edges(pieces):
    """How many directed edges of pieces side by side do not meet their opposites; ends of one place make no edge."""
    corners = np.concatenate([piece.integers[piece.faces] for piece in pieces]).reshape(-1, 3)
    places, numbers = np.unique(corners, axis=0, return_inverse=True)
    faces = numbers.reshape(-1, 3)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, which = np.unique(ends.min(axis=1) * len(places) + ends.max(axis=1), return_inverse=True)
    return np.count_nonzero(np.bincount(which, np.sign(ends[:, 1] - ends[:, 0]), len(edges)))


def turned(keys):
    """Triangles (m, 3, 3) of integers in one order, each turned to its least corner: equal for equal surfaces."""
    weights = np.array([1 << 42, 1 << 21, 1])
    codes = (keys - keys.reshape(-1, 3).min(axis=0)) @ weights if len(keys) else np.zeros((0, 3), int)
    least = codes.argmin(axis=1)
    rows = np.take_along_axis(codes, (least[:, None] + np.arange(3)) % 3, axis=1)
    return rows[np.lexsort(rows.T)]


def octants(piece, bits):
    """For each triangle the octants that a viewer may count it to, as bits; 0 for one that crosses a middle plane."""
    point = 2 ** (bits - 1)
    sides = np.where(piece.own < point, 1, np.where(piece.own > point, 2, 3))
    return np.bitwise_and.reduce(sides[piece.faces], axis=1)
