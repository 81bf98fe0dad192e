"""Meshers: marching cubes of one small labelled array. Pure, stateless, run in worker processes.

Every mesher has the signature of `Mesher` and is found by entry point (group "voxgate.meshers"). Positions are
integers on the doubled lattice of voxel centres: voxel i of the array sits at 2 * i, a surface between voxels i and
i + 1 crosses at 2 * i + 1. Integers make seams between blocks exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoints, entry_points
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt
import zmesh
from skimage.measure import marching_cubes

from voxgate.model.errors import InvalidArgument

Surface = tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32]]
"""Vertex keys of shape (n, 3), columns x, y, z, each vertex once; faces of shape (m, 3), counter-clockwise seen from
outside, indices into the keys."""

Mesher = Callable[[npt.NDArray[Any]], dict[int, Surface]]
"""From labels of shape (z, y, x), an unsigned integer dtype, 0 background, to the surface of every label between the
centres of the array's voxels. Nothing is closed at the array's border: the caller pads. Labels without a surface are
left out."""

DEFAULT_MESHER = "cubes"
_GROUP = "voxgate.meshers"
_FEW_FOR_VOXELS = 4  # labels up to this many times the voxels are few enough for a table of them


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A mesher that frees Python's lock while it works: it is run in threads, others in processes.

    Attributes:
        mesher: the function.
    """

    mesher: Mesher

    def __call__(self, labels: npt.NDArray[Any]) -> dict[int, Surface]:
        """See Mesher."""
        return self.mesher(labels)


def frees_gil(mesher: Mesher) -> bool:
    """Whether a mesher is run in threads."""
    return isinstance(mesher, Unlocked)


def _cubes(labels: npt.NDArray[Any]) -> dict[int, Surface]:
    from voxgate_mesh.cubes.kernel import surfaces_of  # noqa: PLC0415  (numba takes a second; others need none of it)

    if int(labels.max(initial=0)) > _FEW_FOR_VOXELS * labels.size:
        small, names = fastremap.renumber(labels, preserve_zero=True)
        back = {number: label for label, number in names.items()}
        return {int(back[label]): surface for label, surface in _cubes(small).items()}
    vertices, faces, keys, corners = surfaces_of(np.ascontiguousarray(labels))
    return {
        int(label): (keys[vertices[label] : vertices[label + 1]], corners[faces[label] : faces[label + 1]])
        for label in np.flatnonzero(np.diff(faces))
    }


cubes_surfaces = Unlocked(_cubes)
"""Mesh all labels in two passes of our own compiled code: every edge between exactly two triangles (see
`voxgate_mesh.cubes.tables`)."""


def zmesh_surfaces(labels: npt.NDArray[Any]) -> dict[int, Surface]:
    """Mesh all labels in one pass with zmesh.

    zmesh answers vertices in the order of the array's axes at half-integer voxel centres, with faces counter-clockwise
    in that order (found by experiment, held by tests): the transposed view makes both x, y, z.
    """
    mesher = zmesh.Mesher((1.0, 1.0, 1.0))
    mesher.mesh(np.ascontiguousarray(labels).T)
    surfaces: dict[int, Surface] = {}
    for label in mesher.ids():
        mesh = mesher.get(label)
        surfaces[int(label)] = (_keys(mesh.vertices), np.asarray(mesh.faces, np.uint32))
    return surfaces


def skimage_surfaces(labels: npt.NDArray[Any]) -> dict[int, Surface]:
    """Mesh label after label with scikit-image, the reference.

    Lorensen's tables put every vertex on a lattice edge and leave no edge open; Lewiner's tie-breaking, undecided on
    masks, makes edges with four faces where voxels meet at corners.
    """
    surfaces: dict[int, Surface] = {}
    if min(labels.shape) < 2:
        return surfaces
    for label in np.unique(labels):
        mask = labels == label
        if label == 0 or mask.all():
            continue
        surface: tuple[Any, ...] = marching_cubes(mask.astype(np.float32), 0.5, method="lorensen")  # type: ignore[no-untyped-call]
        vertices, faces = surface[:2]
        # Columns z, y, x and clockwise there: reversing the columns mirrors, so the faces come out right.
        surfaces[int(label)] = (_keys(vertices[:, ::-1]), np.asarray(faces, np.uint32))
    return surfaces


def _keys(vertices: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Double half-integer coordinates exactly."""
    return np.ascontiguousarray(np.rint(vertices * 2), np.int32)


def find_mesher(name: str) -> tuple[str, Mesher]:
    """The mesher called `name` (empty: the default), with its name.

    Raises:
        InvalidArgument: for an unknown name; the remedy lists the known ones.
    """
    name = name or DEFAULT_MESHER
    known = _installed()
    if name not in known.names:
        raise InvalidArgument(f"there is no mesher {name!r}", f"known are: {', '.join(sorted(known.names))}")
    mesher: Mesher = known[name].load()
    return name, mesher


def mesher_names() -> tuple[str, ...]:
    """The meshers that are installed, the default first."""
    return tuple(sorted(_installed().names, key=lambda name: (name != DEFAULT_MESHER, name)))


@functools.cache
def _installed() -> EntryPoints:
    """Looked up once: it reads the metadata of every distribution."""
    return entry_points(group=_GROUP)
