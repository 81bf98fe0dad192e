"""Metadata by key in this process's memory."""

from __future__ import annotations

from collections.abc import Callable

from voxgate.model.errors import InvalidArgument, UnknownKey


class MemoryKeyValues:
    """The metadata at one name of a memory remote; satisfies `voxgate.model.metadata.KeyValues`. Thread-safe."""

    def __init__(self, values: Callable[[], dict[str, bytes]]) -> None:
        """Look at values.

        Args:
            values: answers them, shared by every handle; raises UnknownVolume once the name is no more.
        """
        self._values = values

    def keys(self) -> list[str]:
        """Every key, sorted."""
        return sorted(self._values().copy())

    def get(self, key: str) -> bytes:
        """The value of a key.

        Raises:
            UnknownKey, UnknownVolume.
        """
        try:
            return self._values()[key]
        except KeyError:
            raise _unknown(key) from None

    def set(self, key: str, value: bytes) -> None:
        """Set a value, new or not.

        Raises:
            InvalidArgument: for an empty key; UnknownVolume.
        """
        if not key:
            raise InvalidArgument("a key has at least one character", "name the value")
        self._values()[key] = bytes(value)

    def delete(self, key: str) -> None:
        """Delete a key.

        Raises:
            UnknownKey, UnknownVolume.
        """
        if self._values().pop(key, None) is None:
            raise _unknown(key)


def _unknown(key: str) -> UnknownKey:
    return UnknownKey(f"there is no key {key!r}", "list the keys")
