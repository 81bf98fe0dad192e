"""While segments are looked for and meshed: signs of life, threads, and callers that leave."""

import threading

import numpy as np
import pytest

from support.mesh_searches import Indexed, indexed, scaled
from support.mesh_volumes import CountingVolume, blobs, segmentation
from voxgate.model.errors import Cancelled
from voxgate.model.geometry import Vec3
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh import meshing
from voxgate_mesh.meshers import Unlocked, zmesh_surfaces
from voxgate_mesh.meshing import MeshingSettings, ScanProgress, mesh_segments
from voxgate_mesh.threads import ThreadWorkers
from voxgate_serving.workers import WorkerPool

HUGE = 2**63 + 9
BLOCK = Vec3(6, 5, 4)


def events(volume, ids, *, context=None, ahead=None, **request):
    settings = MeshingSettings(ahead=ahead or ReadAhead(tick_s=0.05), block_shape=BLOCK)
    wanted = MeshRequest(tuple(ids), **request)
    return mesh_segments(volume, wanted, workers=WorkerPool(0), context=context or CallContext(), settings=settings)


@pytest.fixture
def mesher(monkeypatch):
    """Replaces the mesher by one that runs in threads, is counted, and can be held up."""

    class Mesher:
        def __init__(self):
            self.go = threading.Event()
            self.go.set()
            self.started = threading.Semaphore(0)
            self.count = 0
            self.threads = set()

        def surfaces(self, labels):
            self.count += 1
            self.threads.add(threading.current_thread().name)
            self.started.release()
            assert self.go.wait(30)
            return zmesh_surfaces(labels)

    mesher = Mesher()
    held, known = ("held", Unlocked(mesher.surfaces)), meshing.find_mesher
    monkeypatch.setattr(meshing, "find_mesher", lambda name: known(name) if name else held)
    return mesher


def test_an_index_that_takes_its_time_is_waited_for_with_signs_of_life_and_not_after_the_caller_left():
    labels = blobs(3, ids=(3, HUGE))
    waits = threading.Event()
    volume, counting = indexed(labels, waits=waits)
    context = CallContext()
    work = events(volume, [3, HUGE], context=context)
    for _ in range(3):
        assert next(work) == ScanProgress("locating", 0, 0)
    context.stop.set()
    with pytest.raises(Cancelled):
        list(work)
    waits.set()
    assert counting.reads == []


@pytest.mark.parametrize("search", ["everywhere", "pyramid", "index"])
def test_progress_only_grows_within_a_phase_and_ends_at_its_total(search):
    labels = np.zeros((30, 41, 52), np.uint64)
    labels[2:21, 3:30, 2:32] = HUGE
    below = scaled(labels)
    volume = Indexed(below, labels)
    told = [event for event in events(volume, [HUGE], search=search) if isinstance(event, ScanProgress)]
    for phase in ("locating", "meshing"):
        done = [event.done_bytes for event in told if event.phase == phase]
        assert done == sorted(done)
        assert all(event.done_bytes <= event.total_bytes for event in told if event.phase == phase)
    assert told[-1].phase == "meshing"
    assert told[-1].done_bytes == told[-1].total_bytes
    meshed = told[-1].total_bytes // 8
    assert meshed == labels.size if search == "everywhere" else np.count_nonzero(labels) <= meshed < labels.size
    if search == "pyramid":
        located = [event for event in told if event.phase == "locating"][-1]
        assert located.done_bytes == located.total_bytes
        assert located.total_bytes == 8 * sum(box.voxel_count for _, box in below.reads)


def test_a_mesher_that_frees_the_lock_runs_in_threads_and_gives_the_same_stream(mesher):
    labels = blobs(12)
    ids = [int(each) for each in np.unique(labels) if each]
    threaded = list(events(segmentation(labels), ids))
    begun = mesher.count
    inline = list(events(segmentation(labels), ids, mesher="zmesh"))
    assert mesher.count == begun > 0
    assert all(name.startswith("mesh_") for name in mesher.threads)
    pieces, others = ([each for each in some if isinstance(each, MeshPiece)] for some in (threaded, inline))
    assert pieces
    for one, other in zip(pieces, others, strict=True):
        assert one.vertices.tobytes() == other.vertices.tobytes()
        assert one.faces.tobytes() == other.faces.tobytes()
    ends, others_ends = ([each for each in some if isinstance(each, MeshEnding)] for some in (threaded, inline))
    assert [end.statistics for end in ends] == [end.statistics for end in others_ends]


@pytest.mark.parametrize("ending", ["cancel", "close"])
def test_after_the_caller_left_nothing_more_is_meshed(mesher, ending):
    labels = np.ones((40, 50, 60), np.uint64)
    context = CallContext()
    mesher.go.clear()
    work = events(CountingVolume(segmentation(labels)), [1], context=context)
    assert isinstance(next(work), ScanProgress)
    while not mesher.started.acquire(timeout=0):
        next(work)
    if ending == "close":
        work.close()
    else:
        context.stop.set()
        with pytest.raises(Cancelled):
            list(work)
    begun = mesher.count
    mesher.go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("mesh_"):
            thread.join(30)
    assert 0 < begun <= mesher.count <= ThreadWorkers().parallelism < 1000


def test_a_mesher_that_fails_in_a_thread_fails_the_call(monkeypatch):
    def surfaces(labels):
        raise MemoryError("too little")

    monkeypatch.setattr(meshing, "find_mesher", lambda name: ("broken", Unlocked(surfaces)))
    with pytest.raises(MemoryError):
        list(events(segmentation(blobs(3)), [3]))


@pytest.mark.parametrize("search", ["index", "everywhere"])
def test_pieces_go_out_before_the_last_block_is_read(search):
    labels = np.zeros((6, 5, 300), np.uint64)
    labels[1:4, 1:4, 1:-1] = HUGE
    volume, counting = indexed(labels)
    ahead = ReadAhead(1, 1, 0.05)
    early = None
    for event in events(volume, [HUGE], search=search, ahead=ahead):
        if isinstance(event, MeshPiece) and early is None:
            early = len(counting.reads)
    assert early is not None
    assert early < 0.5 * len(counting.reads)
