"""The files of meshes that the store of a volume on a server keeps, as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from voxgate.client.calls import BoundCalls
from voxgate.model.errors import UnknownKey
from voxgate.model.kept_mesh_files import MeshFilePiece, check_part, mesh_file_kind
from voxgate.v1 import mesh_pb2
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.mesh_files import mesh_file_pieces


@dataclass(frozen=True, slots=True)
class RemoteMeshFiles:
    """Satisfies StoredMeshFiles. Thread-safe.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def read_mesh_file(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[MeshFilePiece] | None:
        """A part of a file; see `StoredMeshFiles.read_mesh_file`.

        Raises:
            IncompleteAnswer: when the stream broke the contract or ended early.
        """
        mesh_file_kind(name)
        check_part(start, stop)
        request = mesh_pb2.ReadMeshFileRequest(**self.calls.names, name=name, start_byte=start, stop_byte=stop)
        pieces = self._pieces(request, start, stop)
        try:
            first = next(pieces)
        except UnknownKey:
            return None
        return itertools.chain((first,), pieces)

    def _pieces(self, request: mesh_pb2.ReadMeshFileRequest, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
        stubs = self.calls.stubs
        call = stubs.mesh.ReadMeshFile(request, timeout=self.calls.timeout(None))
        try:
            yield from mesh_file_pieces(call, start, stop)
        except grpc.RpcError as error:
            raise from_rpc_error(error, stubs.addresses["mesh"]) from None
        finally:
            # Whoever stops iterating stops the server's work too.
            call.cancel()
