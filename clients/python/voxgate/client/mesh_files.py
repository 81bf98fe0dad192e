"""The files of meshes that the store of a volume on a server keeps, as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from voxgate.client.calls import BoundCalls
from voxgate.client.resuming import Tries, is_break
from voxgate.model.errors import UnknownKey, VersionMoved
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
            VersionMoved: when it changed while it was read.
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
        """The file, over as many streams as it takes: each goes on after the last byte that came."""
        address = self.calls.stubs.addresses["mesh"]
        tries = Tries(self.calls.options.context)
        seen: MeshFilePiece | None = None
        while True:
            try:
                for piece in self._once(request, start, stop):
                    if seen is not None and (seen.tag, seen.byte_count) != (piece.tag, piece.byte_count):
                        raise VersionMoved("the file changed while it was read", "read it again")
                    seen, start = piece, start + len(piece.data)
                    tries.bore_fruit()
                    yield piece
            except grpc.RpcError as error:
                # Of a file without a tag nobody knows whether it is still the same.
                if not is_break(error) or (seen is not None and not seen.tag):
                    raise from_rpc_error(error, address) from None
                tries.broke(from_rpc_error(error, address))
                request.start_byte = start
                continue
            return

    def _once(self, request: mesh_pb2.ReadMeshFileRequest, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
        """One stream."""
        call = self.calls.stubs.mesh.ReadMeshFile(request, timeout=self.calls.timeout(None))
        try:
            yield from mesh_file_pieces(call, start, stop)
        finally:
            # Whoever stops iterating stops the server's work too.
            call.cancel()
