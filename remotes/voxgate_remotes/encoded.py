"""What the adapters of files share about handing out stored chunks as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box
from voxgate.model.requests import scale_of
from voxgate.model.volumes import (
    CallContext,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    OpenOptions,
    VolumeInfo,
)
from voxgate_remotes.grid import cell_index
from voxgate_remotes.tensorstores import Bounds, TensorStoreVolume, View

C = TypeVar("C")

_SLACK, _SMALL_BYTES = 2, 65536


class StoredChunks(Protocol):
    """The stored chunks of one scale."""

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """What they may come in, the likeliest first; empty where they cannot be passed on."""
        ...

    def read_encoded(self, cells: Sequence[Box], time: int, context: CallContext) -> list[EncodedChunk | None]:
        """The chunks of grid cells in order, at a time; see `voxgate.model.volumes.EncodedChunks.read_encoded`."""
        ...


class PassingVolume(TensorStoreVolume):
    """A volume over tensorstore views that also hands out stored chunks as they are. Thread-safe."""

    def __init__(
        self,
        info: VolumeInfo,
        views: Sequence[View],
        options: OpenOptions,
        stored: Sequence[StoredChunks],
        bounds: Sequence[Bounds] = (),
    ) -> None:
        """Bind views, and the stored chunks of each, to a caller; the rest as of a TensorStoreVolume."""
        super().__init__(info, views, options, bounds=bounds)
        self._stored = stored

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        """The encodings that chunks of a scale may come in; empty where they cannot be passed on.

        Raises:
            UnknownScale.
        """
        scale_of(self._info, scale)
        return self._stored[scale].encodings

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        """The stored chunks of grid cells; see `voxgate.model.volumes.EncodedChunks.read_encoded`.

        Their size is bounded, their content is not looked at: who decodes them finds what is wrong with it.

        Raises:
            UnknownScale; InvalidArgument for a box that is no cell, and where nothing can be passed on; and what the
            Protocol says.
        """
        level = scale_of(self._info, scale)
        if not self._stored[scale].encodings:
            raise InvalidArgument(f"chunks of scale {scale} cannot be passed on as they are stored", "read voxels")
        for cell in cells:
            cell_index(level, cell)
        time = self._chosen_time()
        self._context.check()
        return self._stored[scale].read_encoded(cells, time, self._context)

    def capability(self, kind: type[C]) -> C | None:
        """EncodedChunks where those of a scale can be passed on, and what every volume of files has."""
        if kind is EncodedChunks:
            return cast("C", self) if any(stored.encodings for stored in self._stored) else None
        return super().capability(kind)


def size_limit(raw_bytes: int) -> int:
    """The most bytes that a stored chunk of so many bytes of voxels may have, encoded or decoded.

    No codec makes them that much larger; a file that is larger is a mistake or an attack on this process's memory.
    """
    return _SLACK * raw_bytes + _SMALL_BYTES
