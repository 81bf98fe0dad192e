"""Where meshes are kept for good: the files of one product, beside a volume or by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol


class ProductFiles(Protocol):
    """The files of one product in a store; names are plain segments joined by "/". Thread-safe.

    Whoever reads sees all of a file or nothing of it. What `write` answered for outlives a loss of power.
    """

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """The bytes [start, stop) of a file, up to its end for None; None where there is no such file.

        Raises:
            StoreUnavailable: when it cannot be read, or ends before `stop`.
        """
        ...

    def size(self, name: str) -> int | None:
        """How many bytes a file has; None where there is none.

        Raises:
            StoreUnavailable: when that cannot be told.
        """
        ...

    def write(self, name: str, parts: Iterable[bytes]) -> int:
        """Write a file whole from its parts, which are not all held at once; it replaces one that is there.

        Returns:
            The bytes of the file.

        Raises:
            StoreUnavailable: when it cannot be written; the file is as it was before.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with everything in it; nothing happens where there is none."""
        ...

    def names(self, folder: str) -> Iterator[str]:
        """The files right in a folder, in any order; empty for the place itself. Those being written are none.

        Raises:
            StoreUnavailable: when it cannot be read.
        """
        ...


class MeshStore(Protocol):
    """A place of a store that takes the meshes of a segmentation."""

    @property
    def files(self) -> ProductFiles:
        """Everything at this place: meshes go to the folder `folder` of it, properties to "segment_properties"."""
        ...

    @property
    def folder(self) -> str:
        """Where meshes go: "mesh" beside a volume; empty for a place that is nothing but meshes."""
        ...

    def announced(self) -> Mapping[str, Any] | None:
        """The `info` of the meshes that the place has; None while there are none."""
        ...

    def announce(self, info: Mapping[str, Any], *, properties: bool) -> None:
        """Let everybody find the meshes: their `info` is written, and the volume's names them; the last step of all.

        Args:
            info: of the meshes.
            properties: whether there are segment properties too.
        """
        ...


class TakesMeshes(Protocol):
    """A remote that keeps meshes, beside its volumes and by themselves."""

    def mesh_store(self, path: tuple[str, ...]) -> MeshStore:
        """The place at a path: of a volume, of meshes alone, or of nothing yet. Writes nothing.

        Raises:
            ReadOnly, PathRefused, StoreUnavailable.
            UnsupportedFormat: when something is there that takes no meshes, such as a Zarr volume.
        """
        ...
