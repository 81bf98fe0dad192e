"""Blocks, reading ahead, stopping, and joining while the work goes on."""

import time

import numpy as np
import pytest

from support.mesh_volumes import CountingVolume, blobs, segmentation, triangles
from voxgate.model.errors import Cancelled, DeadlineExceeded, LimitExceeded, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import CallContext
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh.assembling import MeshPiece, SegmentAssembler
from voxgate_mesh.blocks import Block, block_shape_for
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_mesh.meshing import MeshEnding, MeshingSettings, ScanProgress, mesh_segments
from voxgate_serving.workers import WorkerPool

DEFAULTS = MeshingSettings()


def rows(count, length=4):
    """Blocks along x of a volume of `count` of them."""
    labels = np.zeros((3, 2, count * length), np.uint64)
    labels[1, :, 1:-1] = 2**63 + 1
    volume = segmentation(labels, chunk=Vec3(length, 2, 3))
    boxes = [
        Box.at(volume.info.scales[0].bounds.start + Vec3(i * length, 0, 0), Vec3(length, 2, 3)) for i in range(count)
    ]
    return volume, [Block((0, 0, i), box) for i, box in enumerate(boxes)]


def events(volume, ids, *, context=None, workers=None, settings=DEFAULTS):
    request = MeshRequest(tuple(ids))
    return mesh_segments(
        volume, request, workers=workers or WorkerPool(0), context=context or CallContext(), settings=settings
    )


@pytest.mark.parametrize(
    ("chunk", "region", "expected"),
    [
        (Vec3(64, 64, 64), Vec3(900, 900, 900), Vec3(128, 128, 128)),
        (Vec3(2048, 2048, 1), Vec3(4000, 4000, 400), Vec3(2048, 2048, 1)),
        (Vec3(512, 512, 512), Vec3(2000, 2000, 2000), Vec3(256, 256, 256)),
        (Vec3(64, 64, 64), Vec3(5, 6, 7), Vec3(64, 64, 64)),
        (Vec3(3, 5, 7), Vec3(10**6, 1, 1), Vec3(1572864, 5, 7)),
    ],
)
def test_blocks_are_whole_chunks_of_a_bounded_size(chunk, region, expected):
    assert block_shape_for(chunk, region) == expected


@pytest.mark.parametrize("ending", ["cancel", "deadline", "close"])
def test_after_the_caller_left_no_read_starts(ending):
    volume, blocks = rows(60)
    counting = CountingVolume(volume, blocked=True)
    context = CallContext(deadline=time.monotonic() + 1.2 if ending == "deadline" else None)
    work = events(counting, [2**63 + 1], context=context, settings=MeshingSettings(block_shape=Vec3(4, 2, 3)))
    assert isinstance(next(work), ScanProgress)
    assert counting.started.wait(0) or next(work)  # reads are under way after one heartbeat
    if ending == "cancel":
        context.stop.set()
    if ending == "close":
        work.close()
    else:
        with pytest.raises(Cancelled if ending == "cancel" else DeadlineExceeded):
            list(work)
    before = len(counting.boxes)
    counting.go.set()
    time.sleep(0.3)
    assert 0 < before < len(blocks)
    assert len(counting.boxes) == before


def test_a_failing_store_fails_the_request_and_is_not_background():
    volume, _ = rows(5)

    failing = CountingVolume(volume, error=StoreUnavailable("the store does not answer", "try again"))
    with pytest.raises(StoreUnavailable):
        list(events(failing, [2**63 + 1]))


def test_pieces_come_before_the_last_block_is_read_and_only_append():
    volume, blocks = rows(40)
    counting = CountingVolume(volume)
    settings = MeshingSettings(ahead=ReadAhead(1, 1, 0.5), block_shape=Vec3(4, 2, 3))
    vertices, seen_early = 0, False
    for event in events(counting, [2**63 + 1], settings=settings):
        if isinstance(event, MeshPiece):
            assert event.first_vertex == vertices
            vertices += len(event.vertices)
            assert event.faces.max(initial=0) < vertices
            seen_early |= len(counting.boxes) < len(blocks)
        if isinstance(event, MeshEnding):
            assert event.vertex_count == vertices > 0
    assert seen_early


def test_worker_processes_give_the_same_stream_as_work_inline():
    labels = blobs(21)
    ids = [int(i) for i in np.unique(labels) if i]
    volume, settings = segmentation(labels), MeshingSettings(block_shape=Vec3(9, 8, 7))
    workers = WorkerPool(2)
    try:
        answers = list(VolumeMeshes(volume, workers, settings=settings).meshes(MeshRequest(tuple(ids))))
    finally:
        workers.close()
    inline = list(VolumeMeshes(volume, WorkerPool(0), settings=settings).meshes(MeshRequest(tuple(ids))))
    for one, other in zip(answers, inline, strict=True):
        assert isinstance(one, Mesh)
        assert one.vertices.tobytes() == other.vertices.tobytes()
        assert one.faces.tobytes() == other.faces.tobytes()


def test_progress_ends_at_the_bytes_of_the_region():
    volume, _ = rows(7)
    told = []
    source = VolumeMeshes(volume, WorkerPool(0), settings=MeshingSettings(block_shape=Vec3(4, 2, 3)))
    list(source.meshes(MeshRequest((1,)), progress=lambda phase, done, total: told.append((phase, done, total))))
    total = 3 * 2 * 28 * 8
    assert told[0] == ("meshing", 0, total)
    assert told[-1] == ("meshing", total, total)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_whole_meshes_are_held_up_to_a_limit():
    volume, _ = rows(30)
    source = VolumeMeshes(volume, WorkerPool(0), settings=MeshingSettings(MeshLimits(max_file_bytes=500)))
    with pytest.raises(LimitExceeded, match="500 bytes"):
        list(source.meshes(MeshRequest((2**63 + 1,))))


def test_seams_are_forgotten_once_no_later_block_reaches_them():
    region = Box.of(x=(-3, 5), y=(2, 9), z=(-8, 30))
    assembler = SegmentAssembler(1, region, VoxelSize(1, 1, 1))
    cells = Box(Vec3(-4, 1, -9), Vec3(5, 9, -5))
    low, high = [3, 0, 0], [3, 0, 8]  # at z centres -9 and -5
    surface = (np.array([low, high, [4, 1, 8]], np.int32), np.array([[0, 1, 2]], np.uint32))
    assembler.add(surface, Vec3(-4, 1, -9), cells)
    assembler.forget_below(-5)
    again = assembler.add(surface, Vec3(-4, 1, -9), cells)
    # The seam at -5 is remembered and keeps its number, the one at -9 is not.
    assert len(again.vertices) == 1
    assert again.faces.tolist() == [[3, 1, 2]]


def test_a_tall_volume_joins_across_layers_that_hold_no_label():
    labels = np.zeros((40, 5, 6), np.uint8)
    labels[2:9, 1:4, 1:5] = labels[25:37, 1:4, 2:4] = 5
    volume = segmentation(labels)
    split = VolumeMeshes(volume, WorkerPool(0), settings=MeshingSettings(block_shape=Vec3(3, 2, 4)))
    whole = VolumeMeshes(volume, WorkerPool(0), settings=MeshingSettings(block_shape=Vec3(9, 9, 99)))
    one, other = (next(iter(source.meshes(MeshRequest((5,))))) for source in (split, whole))
    assert triangles(one) == triangles(other)
    assert len(one.vertices) == len(other.vertices)
