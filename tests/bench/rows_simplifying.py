"""Rows of simplification: all labels of a block, from labels to simplified surfaces, against zmesh.

Ours is what a user of the library calls, `mesh_labels`: it meshes, simplifies and measures segments side by side in
threads, as many as there are processors. zmesh holds Python's lock and so has one. The kernels alone in one thread
stand beside them.

Deviations are made equal so: zmesh runs first with `reduction_factor=100, max_error=10`; the greatest deviation of
any of its surfaces is measured, both ways, at vertices and at samples 5 nm apart; ours is asked for that as
`max_error_nm` and measured in the same way. A run counts only when ours is not further off than zmesh.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator

import fastremap
import numpy as np
import zmesh

from tests.bench.data import Array, Data
from tests.bench.harness import Contender, Work
from voxgate.model.mesh_facts import Simplification
from voxgate_mesh.arrays import mesh_labels
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.simplifying import simplify
from voxgate_mesh.simplifying.distances import farthest, target_of

BLOCK_ZYX = (88, 96, 104)
_SIZE_NM = 10.0
_ZMESH_ERROR = 10.0
_SPACING_NM = 5.0
_MOST_FACES = {"quality": 1.2, "fast": 1.6}
"""Beside zmesh's; a preview may have more."""

Surfaces = dict[int, tuple[Array, Array]]
Answer = tuple[frozenset[int], float, int]
"""Which labels, the greatest deviation, how many faces."""


def in_quality(data: Data) -> contextlib.AbstractContextManager[Work]:
    """M3q: with topology kept."""
    return _against_zmesh(data, "quality")


def in_haste(data: Data) -> contextlib.AbstractContextManager[Work]:
    """M3f: for a preview, closed."""
    return _against_zmesh(data, "fast")


@contextlib.contextmanager
def _against_zmesh(data: Data, mode: str) -> Iterator[Work]:
    labels = fastremap.renumber(data.labels(BLOCK_ZYX))[0].astype(np.uint32)
    padded = np.pad(labels, 1)
    exact = unsimplified(padded)
    limit = deviation(exact, zmesh_simplified(padded))
    wish = Simplification(max_error_nm=limit, mode=mode)
    yield Work(
        [
            _contender(f"voxgate mesh_labels, {mode}", by_library(labels, None), lambda: by_library(labels, wish)),
            _contender("zmesh get and simplify", exact, lambda: zmesh_simplified(padded)),
            _contender(f"voxgate kernels, {mode}, one thread", exact, lambda: ours(padded, wish)),
        ],
        functools.partial(_no_further, limit, _MOST_FACES[mode]),
        most_rounds=3,
    )


def by_library(labels: Array, wish: Simplification | None) -> Surfaces:
    """Every label as a user of the library gets it."""
    meshes = mesh_labels(labels, (_SIZE_NM,) * 3, simplification=wish)
    return {label: (mesh.vertices, mesh.faces) for label, mesh in meshes.items()}


def unsimplified(labels: Array) -> Surfaces:
    """Every label's surface by the default mesher, nanometres."""
    surfaces = find_mesher("")[1](labels)
    return {label: ((keys * (_SIZE_NM / 2)).astype(np.float32), faces) for label, (keys, faces) in surfaces.items()}


def ours(labels: Array, wish: Simplification) -> Surfaces:
    """Every label meshed and simplified."""
    answers = {label: simplify(*surface, wish) for label, surface in unsimplified(labels).items()}
    return {label: (answer.vertices, answer.faces) for label, answer in answers.items()}


def zmesh_simplified(labels: Array) -> Surfaces:
    """The same by zmesh."""
    mesher = zmesh.Mesher((_SIZE_NM,) * 3)
    mesher.mesh(labels.T)
    surfaces: Surfaces = {}
    for label in mesher.ids():
        mesh = mesher.get(label, reduction_factor=100, max_error=_ZMESH_ERROR)
        surfaces[int(label)] = (np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return surfaces


def deviation(exact: Surfaces, simple: Surfaces) -> float:
    """The greatest distance between two sets of surfaces, both ways, nanometres."""
    most = 0.0
    for label, (vertices, faces) in simple.items():
        one = vertices.astype(np.float64), faces.astype(np.int32)
        other = exact[label][0].astype(np.float64), exact[label][1].astype(np.int32)
        there = farthest(*one, target_of(*other), _SPACING_NM)
        most = max(most, there, farthest(*other, target_of(*one), _SPACING_NM))
    return most


def _contender(name: str, exact: Surfaces, run: Callable[[], Surfaces]) -> Contender:
    def answer() -> Answer:
        surfaces = run()
        count, most = sum(len(faces) for _, faces in surfaces.values()), deviation(exact, surfaces)
        print(f"  {name}: {count} faces, at most {most:.2f} nm off")
        return frozenset(surfaces), most, count

    def measure() -> float:
        begin = time.perf_counter()
        surfaces = run()
        seconds = time.perf_counter() - begin
        del surfaces
        return seconds

    return Contender(name, answer, measure)


def _no_further(limit: float, most: float, ours: Answer, theirs: Answer) -> bool:
    """The same labels, both within the limit, and not so many times as many triangles."""
    return ours[0] == theirs[0] and max(ours[1], theirs[1]) <= limit and ours[2] <= most * theirs[2]
