"""A repository: its versions and the names of its instances, from /api/repo/{uuid}/info.

The master branch has the empty name; `Parents` and `Children` are version numbers of the server, not UUIDs (measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import MetadataInvalid, UnknownVersion
from voxgate.model.versions import VersionInfo

MASTER = "master"


@dataclass(frozen=True, slots=True)
class Node:
    """One version. `parents` and `children` are numbers like `number`."""

    uuid: str
    number: int
    branch: str
    note: str
    is_locked: bool
    parents: tuple[int, ...]
    children: tuple[int, ...]
    created: str


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository.

    Attributes:
        root: the UUID of its first version, which names it.
        alias: what people call it; may be empty, or that of others too.
        nodes: its versions by UUID.
        types: the type names of its instances by their names.
    """

    root: str
    alias: str
    nodes: Mapping[str, Node]
    types: Mapping[str, str]

    def node(self, version: str) -> Node:
        """The version that a text names: "" or ":branch", "UUID" or a unique part of its start, "UUID:branch".

        Raises:
            UnknownVersion: for none, or several.
        """
        start, colon, branch = version.partition(":")
        if not start:
            return self._leaf(branch or MASTER)
        exact = self.nodes.get(start.lower()) or self.nodes.get(start)
        found = [exact] if exact else [node for uuid, node in self.nodes.items() if uuid.startswith(start.lower())]
        if len(found) != 1:
            why = "several versions start so" if found else "there is none"
            raise UnknownVersion(f"there is no one version {version!r}: {why}", "list the versions for their UUIDs")
        return self._leaf(branch or MASTER) if colon else found[0]

    def versions(self) -> list[Node]:
        """Every version, parents before their children (numbers only grow)."""
        return sorted(self.nodes.values(), key=lambda node: node.number)

    def described(self, node: Node) -> VersionInfo:
        """A version in the words of the contract."""
        uuids = {one.number: one.uuid for one in self.nodes.values()}
        parents = tuple(uuids[number] for number in node.parents if number in uuids)
        return VersionInfo(node.uuid, parents, node.branch, node.note, node.is_locked, node.created)

    def _leaf(self, branch: str) -> Node:
        """The last version of a branch."""
        name = "" if branch == MASTER else branch
        on_branch = [node for node in self.nodes.values() if node.branch == name]
        inner = {number for node in on_branch for number in node.parents}
        leaves = [node for node in on_branch if node.number not in inner]
        if not leaves:
            names = sorted({node.branch or MASTER for node in self.nodes.values()})
            raise UnknownVersion(f"there is no branch {branch!r}", f"there are: {', '.join(names[:50])}")
        return max(leaves, key=lambda node: node.number)


def parse_repo(document: Any) -> Repo:
    """The repository that a document of DVID's describes.

    Raises:
        MetadataInvalid: when it describes none.
    """
    try:
        nodes = {uuid: _node(uuid, one) for uuid, one in document["DAG"]["Nodes"].items()}
        instances = document["DataInstances"] or {}
        types = {str(name): str(one["Base"]["TypeName"]) for name, one in instances.items()}
        return Repo(str(document["Root"]), str(document.get("Alias") or ""), nodes, types)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise MetadataInvalid("the store's description of a repository cannot be used", "look at it in DVID") from None


def _node(uuid: str, document: Any) -> Node:
    return Node(
        uuid=uuid,
        number=int(document["VersionID"]),
        branch=str(document["Branch"]),
        note=str(document.get("Note") or ""),
        is_locked=bool(document["Locked"]),
        parents=tuple(int(one) for one in document["Parents"] or ()),
        children=tuple(int(one) for one in document["Children"] or ()),
        created=str(document.get("Created") or ""),
    )
