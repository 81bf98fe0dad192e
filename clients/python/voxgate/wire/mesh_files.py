"""The stream of a stored file of meshes: its header, then its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voxgate.model.errors import IncompleteAnswer
from voxgate.model.kept_mesh_files import MeshFilePiece
from voxgate.v1 import mesh_pb2 as pb


def mesh_file_messages(pieces: Iterable[MeshFilePiece]) -> Iterator[pb.ReadMeshFileResponse]:
    """The messages of a file; what is known of it is in the first one."""
    for index, piece in enumerate(pieces):
        header = pb.MeshFileHeader(tag=piece.tag, byte_count=piece.byte_count) if index == 0 else None
        yield pb.ReadMeshFileResponse(header=header, data=piece.data)


def mesh_file_pieces(
    messages: Iterable[pb.ReadMeshFileResponse], start: int, stop: int | None
) -> Iterator[MeshFilePiece]:
    """The file in messages.

    Args:
        messages: of the answer.
        start: of the first byte that was asked for.
        stop: after the last one; None for the end of the file.

    Raises:
        IncompleteAnswer: when the header does not come first, or not exactly the bytes come that the file has of these.
    """
    facts: MeshFilePiece | None = None
    missing = 0
    for message in messages:
        if (facts is None) != message.HasField("header"):
            raise _broken("its header is not in its first message")
        if facts is None:
            header = message.header
            facts = MeshFilePiece(header.tag, header.byte_count if header.HasField("byte_count") else None)
            missing = _end(facts.byte_count, stop) - start
        missing -= len(message.data)
        if missing < 0 and message.data:
            raise _broken("it has more bytes than the file")
        yield MeshFilePiece(facts.tag, facts.byte_count, message.data)
    if facts is None or missing > 0:
        raise _broken("it ended early")


def _end(byte_count: int | None, stop: int | None) -> int:
    ends = [end for end in (byte_count, stop) if end is not None]
    if not ends:
        raise _broken("it does not say how long the file is")
    return min(ends)


def _broken(why: str) -> IncompleteAnswer:
    return IncompleteAnswer(f"the stream of a file of meshes is broken: {why}", "ask again", retry_after_s=1.0)
