"""Makers of meshes that tell what they were asked for, a cache that tells who waits, and answers to compare."""

import threading
from dataclasses import replace

import numpy as np

from voxgate.model.errors import LimitExceeded
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate_mesh.finished import FinishedMeshes
from voxgate_mesh.progress import ScanProgress

HUGE = 2**63 + 9
MIB = 1 << 20


class Watched(FinishedMeshes):
    """Tells when a call begins to wait for another."""

    def __init__(self, max_bytes=MIB, **options):
        super().__init__(max_bytes, **options)
        self.waiting = threading.Semaphore(0)
        self._told = set()

    def wait(self, key, flight, timeout_s):
        if (threading.get_ident(), flight) not in self._told:
            self._told.add((threading.get_ident(), flight))
            self.waiting.release()
        return super().wait(key, flight, timeout_s)

    def until_waited_for(self, count):
        for _ in range(count):
            assert self.waiting.acquire(timeout=30)


class Maker:
    """Makes two pieces and an ending for each id; remembers what it was asked for, and waits where it is told to."""

    def __init__(self, rows=5, *, blocked=False, error=None, ending=None):
        self.rows = rows
        self.error = error
        self.ending = ending or {}
        self.asked = []
        self.began = threading.Event()
        self.go = threading.Event()
        if not blocked:
            self.go.set()

    def __call__(self, request):
        if len(request.segment_ids) > 50:
            raise LimitExceeded("too many", "ask for fewer")
        return self._events(request)

    def _events(self, request):
        self.asked.append(request.segment_ids)
        yield ScanProgress("meshing", 1, 7)
        self.began.set()
        for segment_id in request.segment_ids:
            yield from self._pieces(segment_id)[:1]
        assert self.go.wait(30)
        if self.error:
            raise self.error
        for segment_id in request.segment_ids:
            yield from self._pieces(segment_id)[1:]
            yield MeshEnding(segment_id, 2 * self.rows, 2 * self.rows, **self.ending)

    def _pieces(self, segment_id):
        faces = np.arange(3 * self.rows, dtype=np.uint32).reshape(-1, 3)
        return [
            MeshPiece(segment_id, i * self.rows, faces.astype(np.float32) + segment_id % 89 + i, faces) for i in (0, 1)
        ]


def answers(events):
    """By id: vertices, faces and the end; each exactly once."""
    pieces, found = {}, {}
    for event in events:
        if isinstance(event, MeshPiece):
            assert event.first_vertex == sum(len(each.vertices) for each in pieces.get(event.segment_id, []))
            pieces.setdefault(event.segment_id, []).append(event)
        elif isinstance(event, MeshEnding):
            assert event.segment_id not in found
            parts = pieces.get(event.segment_id, [])
            tables = [
                np.concatenate([getattr(p, name) for p in parts]).tolist() for name in ("vertices", "faces") if parts
            ]
            found[event.segment_id] = (tables, replace(event, error=None), str(event.error))
    assert set(pieces) <= set(found)
    return found


def make_alone(*ids, **options):
    return Maker(**options)(MeshRequest(ids or (HUGE,)))
