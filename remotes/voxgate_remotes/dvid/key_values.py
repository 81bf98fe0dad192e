"""Instances of type keyvalue: values of any bytes by key.

A key that has no bytes is not found by GET, only by HEAD (measured). DELETE succeeds for keys that are not there. A
slash ends a key in the path, encoded or not, so no key can have one.
"""

from __future__ import annotations

from voxgate.model.errors import InvalidArgument, MetadataInvalid, UnknownKey
from voxgate_remotes.dvid.client import Ask
from voxgate_remotes.dvid.voxels import Place

_MOST_CHARACTERS = 1024


class DvidKeyValues:
    """The values of one instance at one version; satisfies KeyValues."""

    def __init__(self, place: Place, instance: str) -> None:
        self._place = place
        self._instance = instance

    def keys(self) -> list[str]:
        """Every key, sorted."""
        found = self._place.client.get_json(Ask(self._place.ask(self._instance, "keys")), self._place.context)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
            raise MetadataInvalid("the store's answer is no list of keys", "look at the instance in DVID")
        return sorted(found)

    def get(self, key: str) -> bytes:
        """The value of a key.

        Raises:
            UnknownKey: when there is none.
        """
        value = self._place.client.find(self._ask(key), self._place.context)
        if value is not None:
            return value
        if self._place.client.exists(self._ask(key), self._place.context):
            return b""
        raise _unknown(key)

    def set(self, key: str, value: bytes) -> None:
        """Set a value, new or not.

        Raises:
            InvalidArgument: for a key that DVID cannot hold.
            VersionLocked: when the version is committed.
        """
        ask = self._ask(key)
        self._place.client.post(Ask(ask.path, body=value), self._place.context)

    def delete(self, key: str) -> None:
        """Delete a key.

        Raises:
            UnknownKey: when there is none.
            VersionLocked: when the version is committed.
        """
        if not self._place.client.exists(self._ask(key), self._place.context):
            raise _unknown(key)
        self._place.client.delete(self._ask(key), self._place.context)

    def _ask(self, key: str) -> Ask:
        if key in ("", ".", "..") or "/" in key or not key.isprintable() or len(key) > _MOST_CHARACTERS:
            raise InvalidArgument(
                f"{key[:80]!r} cannot be a key", f"1 to {_MOST_CHARACTERS} printable characters without a slash"
            )
        return Ask(self._place.ask(self._instance, "key", key), most_bytes=1 << 30)


def _unknown(key: str) -> UnknownKey:
    return UnknownKey(f"there is no key {key!r}", "list the keys for those there are", details={"key": key})
