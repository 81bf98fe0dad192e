"""A Mesh service over a real socket that answers what a test tells it to, for what the real one never sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import numpy.typing as npt

from voxgate.model.errors import VoxgateError
from voxgate.model.meshes import Mesh
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import mesh_pb2_grpc
from voxgate.wire.errors import status_code, to_status

Answer = Iterable[pb.GetMeshesResponse] | VoxgateError
UNKNOWN_FIELD = b"\xc2\x3e\x05later"
"""Field 1000 of some message of a later release: five bytes."""


class ScriptedMeshes(mesh_pb2_grpc.MeshServiceServicer):
    """Answers every call with `answer`; None answers nothing until the caller gives up.

    Attributes:
        answer: messages, or the error to fail with.
        calls: the metadata of each call.
        specs: what each call asked for.
    """

    def __init__(self) -> None:
        self.answer: Answer | None = ()
        self.calls: list[dict[str, str]] = []
        self.specs: list[pb.MeshSpec] = []

    def GetMeshes(  # noqa: N802  (the contract's name)
        self, request: pb.GetMeshesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.GetMeshesResponse]:
        """Play the script."""
        self.calls.append({key: str(value) for key, value in context.invocation_metadata()})
        self.specs.append(request.spec)
        if self.answer is None:
            given_up = threading.Event()
            if context.add_callback(given_up.set):
                given_up.wait(120)
            return
        if isinstance(self.answer, VoxgateError):
            context.set_trailing_metadata((("grpc-status-details-bin", to_status(self.answer).SerializeToString()),))
            context.abort(status_code(self.answer), self.answer.message)
        yield from self.answer


def serving(servicer: ScriptedMeshes, bind: Callable[[grpc.Server], int]) -> Iterator[int]:
    """Serve until the generator is closed; yields the port.

    Args:
        servicer: what to serve.
        bind: opens the server's port.
    """
    server = grpc.server(ThreadPoolExecutor(4))
    mesh_pb2_grpc.add_MeshServiceServicer_to_server(servicer, server)
    port = bind(server)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait(30)


def part(mesh: Mesh, vertices: slice, faces: slice) -> pb.MeshPart:
    """A part of a mesh, with its normals if it has any."""
    rows: list[npt.NDArray[np.generic]] = [mesh.vertices[vertices], mesh.faces[faces]]
    if mesh.normals is not None:
        rows.insert(1, mesh.normals[vertices])
    return pb.MeshPart(
        segment_id=mesh.segment_id,
        first_vertex=vertices.start,
        vertex_count=len(mesh.vertices[vertices]),
        face_count=len(mesh.faces[faces]),
        has_normals=mesh.normals is not None,
        data=b"".join(table.tobytes() for table in rows),
    )


def end(mesh: Mesh) -> pb.MeshEnd:
    """The end of a mesh."""
    return pb.MeshEnd(segment_id=mesh.segment_id, vertex_count=len(mesh.vertices), face_count=len(mesh.faces))


def message(*pieces: pb.MeshPart | pb.MeshEnd) -> pb.GetMeshesResponse:
    """One message of these pieces."""
    return pb.GetMeshesResponse(
        parts=[piece for piece in pieces if isinstance(piece, pb.MeshPart)],
        ends=[piece for piece in pieces if isinstance(piece, pb.MeshEnd)],
    )
