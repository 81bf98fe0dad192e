"""The stream of ExportMesh: meshes made whole, written as a file, sent as its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from voxgate.model.mesh_files import encode_meshes, mesh_file_type
from voxgate.model.mesh_stream import MeshEnding
from voxgate.model.meshes import Mesh, MeshFailure
from voxgate.model.volumes import CallContext
from voxgate.v1 import mesh_pb2 as pb
from voxgate.wire.mesh_requests import provenance_from_proto
from voxgate.wire.meshes import MeshFacts, mesh_end_to_proto
from voxgate_blocks.readahead import awaited
from voxgate_mesh.collecting import MeshCollector
from voxgate_mesh.meshing import HEARTBEAT_S, MeshEvent, ScanProgress
from voxgate_mesh.messages import Pace, progress_to_proto
from voxgate_serving.settings import MAX_MESSAGE_BYTES


def file_messages(
    events: Iterator[MeshEvent], collector: MeshCollector, fmt: str, *, facts: MeshFacts, context: CallContext
) -> Iterator[pb.ExportMeshResponse]:
    """Yield progress while the meshes are made, then the header, the file's bytes, and the ends.

    Raises:
        VoxgateError: the failure of the first segment when none has a mesh: there is no file of nothing.
    """
    pace = Pace()
    answers: list[Mesh | MeshFailure] = []
    endings: list[MeshEnding] = []
    progress = ScanProgress("meshing", 0, 0)
    for event in events:
        if isinstance(event, MeshEnding):
            endings.append(event)
        answers.extend(collector.add(event))
        if isinstance(event, ScanProgress):
            progress = event
        if pace.is_due():
            pace.told()
            yield pb.ExportMeshResponse(progress=progress_to_proto(progress))
    meshes = [answer for answer in answers if isinstance(answer, Mesh)]
    failures = [answer for answer in answers if isinstance(answer, MeshFailure)]
    if not meshes:
        raise failures[0].error
    executor = ThreadPoolExecutor(1, thread_name_prefix="mesh-file")
    try:
        writing = executor.submit(_encoded, meshes, fmt, facts)
        for _ in awaited(writing, context, HEARTBEAT_S):
            if pace.is_due():
                pace.told()
                told = ScanProgress("writing", progress.done_bytes, progress.total_bytes)
                yield pb.ExportMeshResponse(progress=progress_to_proto(told))
        data = memoryview(writing.result())
    finally:
        executor.shutdown(wait=False)
    kind = mesh_file_type(fmt)
    header = pb.ExportMeshHeader(media_type=kind.media_type, file_extension=kind.extension, provenance=facts.provenance)
    yield pb.ExportMeshResponse(header=header)
    for start in range(0, len(data), MAX_MESSAGE_BYTES):
        yield pb.ExportMeshResponse(data=bytes(data[start : start + MAX_MESSAGE_BYTES]))
    yield pb.ExportMeshResponse(ends=[mesh_end_to_proto(ending, facts) for ending in endings])


def _encoded(meshes: list[Mesh], fmt: str, facts: MeshFacts) -> bytes:
    provenance = provenance_from_proto(facts.provenance)
    return encode_meshes([replace(mesh, provenance=provenance) for mesh in meshes], fmt)
