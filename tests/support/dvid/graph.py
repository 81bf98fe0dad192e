"""Repositories, their versions and the instances in them."""

from __future__ import annotations

import datetime
import uuid as uuids
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .wire import Refused

if TYPE_CHECKING:
    from .instances import Instance

MASTER = ""  # the branch the documentation calls master has no name inside


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Node:
    """One version. Parents and children are known to clients by `version_id`, not by uuid."""

    uuid: str
    version_id: int
    branch: str = MASTER
    note: str = ""
    log: list[str] = field(default_factory=list)
    locked: bool = False
    parents: list[Node] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    def lineage(self) -> list[Node]:
        """This version and those before it, nearest first: where a read looks, in order."""
        found: dict[str, Node] = {}
        front = [self]
        while front:
            for node in front:
                found.setdefault(node.uuid, node)
            front = [parent for node in front for parent in node.parents if parent.uuid not in found]
        return list(found.values())

    def describe(self) -> dict[str, Any]:
        return {
            "Branch": self.branch,
            "Note": self.note,
            "Log": self.log,
            "UUID": self.uuid,
            "VersionID": self.version_id,
            "Locked": self.locked,
            "Parents": [parent.version_id for parent in self.parents],
            "Children": [child.version_id for child in self.children],
            "Created": self.created,
            "Updated": self.updated,
        }


@dataclass
class Repo:
    """A tree of versions under one root, and the instances every version of it has."""

    root: Node
    alias: str = ""
    description: str = ""
    log: list[str] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    mutation_id: int = 0
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    def leaf(self, branch: str) -> Node:
        wanted = MASTER if branch == "master" else branch
        on_branch = [node for node in self.nodes.values() if node.branch == wanted]
        if not on_branch:
            raise Refused(f'branch "{branch}" not found in repo "{self.root.uuid}"')
        return max(on_branch, key=lambda node: node.version_id)

    def branch_versions(self, branch: str) -> list[str]:
        """The uuids from the leaf of a branch back to the root."""
        found = [self.leaf(branch)]
        while found[-1].parents:
            found.append(found[-1].parents[0])
        return [node.uuid for node in found]

    def add(self, node: Node) -> Node:
        self.nodes[node.uuid] = node
        for parent in node.parents:
            parent.children.append(node)
        return node

    def next_mutation(self) -> int:
        self.mutation_id += 1
        return self.mutation_id


def new_uuid(wanted: str | None = None) -> str:
    if wanted is None:
        return uuids.uuid4().hex
    if len(wanted) != 32 or any(digit not in "0123456789abcdef" for digit in wanted.lower()):
        raise Refused("Bad UUID provided: UUID must be 32 character hexadecimal string")
    return wanted
