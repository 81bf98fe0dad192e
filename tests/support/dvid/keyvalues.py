"""The key-value instance: bytes under a key, per version."""

from __future__ import annotations

from .graph import Node
from .instances import Instance, lineage


class KeyValueInstance(Instance):
    """Values under keys. A deletion hides what the versions before had; an empty value reads as absent."""

    def __init__(self, name: str, root: str) -> None:
        super().__init__(name, "keyvalue", root)
        self._values: dict[str, dict[str, bytes | None]] = {}

    def get(self, node: Node, key: str) -> bytes | None:
        for uuid in lineage(node):
            if key in self._values.get(uuid, {}):
                return self._values[uuid][key] or None
        return None

    def put(self, node: Node, key: str, value: bytes | None) -> None:
        self._values.setdefault(node.uuid, {})[key] = value

    def keys(self, node: Node) -> list[str]:
        """In order. A key with an empty value is listed all the same."""
        seen: dict[str, bytes | None] = {}
        for uuid in lineage(node):
            for key, value in list(self._values.get(uuid, {}).items()):
                seen.setdefault(key, value)
        return sorted(key for key, value in seen.items() if value is not None)
