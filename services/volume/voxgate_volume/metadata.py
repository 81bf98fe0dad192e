"""The metadata at one name, within the limits of the contract. Pure: knows no grpc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.model.errors import InvalidArgument, LimitExceeded
from voxgate.model.metadata import KeyValues
from voxgate_volume.paging import sorted_page

MAX_VALUE_BYTES = 2 << 20
"""The largest value that fits a message of the contract."""
_MAX_KEY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class MetadataAt:
    """Values by key at one name.

    Attributes:
        values: where the store keeps them.
    """

    values: KeyValues

    def page(self, prefix: str, size: int, token: str) -> tuple[Sequence[str], str]:
        """One page of the keys that start with `prefix`, and the token of the next page ("" on the last)."""
        keys = sorted(key for key in self.values.keys() if key.startswith(prefix))  # noqa: SIM118  (no mapping)
        return sorted_page(keys, str, size, token)

    def get(self, key: str) -> bytes:
        """The value of a key.

        Raises:
            UnknownKey: when there is none. LimitExceeded: for a value of more than MAX_VALUE_BYTES.
        """
        value = self.values.get(_checked_key(key))
        _check_size("value", len(value), MAX_VALUE_BYTES, "read it with the store's own tools")
        return value

    def set(self, key: str, value: bytes) -> None:
        """Set a value, new or not.

        Raises:
            InvalidArgument: for what the store cannot hold. LimitExceeded: for a value of more than MAX_VALUE_BYTES.
        """
        _check_size("value", len(value), MAX_VALUE_BYTES, "keep it in several keys, or as a file elsewhere")
        self.values.set(_checked_key(key), value)

    def delete(self, key: str) -> None:
        """Delete a key.

        Raises:
            UnknownKey: when there is none.
        """
        self.values.delete(_checked_key(key))


def _checked_key(key: str) -> str:
    if not key:
        raise InvalidArgument("the key is empty", "name one", details={"field": "key"})
    _check_size("key", len(key.encode()), _MAX_KEY_BYTES, "choose a shorter one")
    return key


def _check_size(field: str, asked: int, limit: int, remedy: str) -> None:
    if asked > limit:
        raise LimitExceeded(
            f"the {field} has {asked} bytes, the limit is {limit}",
            remedy,
            details={"asked": str(asked), "limit": str(limit), "field": field},
        )
