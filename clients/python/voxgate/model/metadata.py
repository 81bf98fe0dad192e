"""Key-value metadata beside voxels: notes of collections, experiments and channels, key-value instances."""

from __future__ import annotations

from typing import Protocol


class KeyValues(Protocol):
    """Values by key, at one place of a store."""

    def keys(self) -> list[str]:
        """Every key, sorted."""
        ...

    def get(self, key: str) -> bytes:
        """The value of a key.

        Raises:
            UnknownKey: when there is none.
        """
        ...

    def set(self, key: str, value: bytes) -> None:
        """Set a value, new or not.

        Raises:
            ReadOnly: when the remote takes no writes.
            InvalidArgument: for a key or a value that the store cannot hold; says what it can.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete a key.

        Raises:
            UnknownKey: when there is none.
            ReadOnly: when the remote takes no writes.
        """
        ...


class HasKeyValues(Protocol):
    """A remote with metadata at some of its names: groups, volumes, or instances that are nothing else."""

    def key_values(self, path: tuple[str, ...], version: str) -> KeyValues:
        """The metadata at a name.

        Args:
            path: decoded segments of the name.
            version: empty means the store's current one.

        Raises:
            UnknownVolume: when there is nothing of that name, or nothing that holds metadata.
            UnknownVersion: when there is no such version.
        """
        ...
