"""Rows of simplification: all labels of a block, from labels to simplified surfaces, one thread, against zmesh.

Deviations are made equal so: zmesh runs first with `reduction_factor=100, max_error=10`; the greatest deviation of
any of its surfaces is measured, both ways, at vertices and at samples 5 nm apart; ours is asked for that as
`max_error_nm` and measured in the same way. A run counts only when ours is not further off than zmesh.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import fastremap
import numpy as np
import zmesh

from tests.bench.data import Array, Data
from tests.bench.harness import Contender, Work
from voxgate.model.mesh_facts import Simplification
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.simplifying import simplify
from voxgate_mesh.simplifying.distances import farthest, target_of

BLOCK_ZYX = (88, 96, 104)
_SIZE_NM = 10.0
_ZMESH_ERROR = 10.0
_SPACING_NM = 5.0

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
    labels = np.pad(fastremap.renumber(data.labels(BLOCK_ZYX))[0].astype(np.uint32), 1)
    exact = unsimplified(labels)
    theirs = zmesh_simplified(labels)
    wish = Simplification(max_error_nm=deviation(exact, theirs), mode=mode)
    yield Work(
        [
            _contender(f"voxgate mesher and simplifier, {mode}", exact, lambda: ours(labels, wish)),
            _contender("zmesh get and simplify", exact, lambda: zmesh_simplified(labels)),
        ],
        _no_further,
        most_rounds=3,
    )


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


def _no_further(ours: Answer, theirs: Answer) -> bool:
    """The same labels, ours not further off and not of many more triangles."""
    return ours[0] == theirs[0] and ours[1] <= theirs[1] and ours[2] <= 1.6 * theirs[2]
