"""The whole store: repositories by root, and the ways to name a version."""

from __future__ import annotations

import threading
from typing import Any

from .blocks import Point, Voxels
from .graph import MASTER, Node, Repo, new_uuid
from .instances import IMAGES, LABELS, Grid, Instance, VoxelInstance
from .keyvalues import KeyValueInstance
from .labels import LabelInstance
from .settings import flag, ints, numbers, texts
from .tar_supervoxels import TarSupervoxelsInstance
from .wire import Refused


class Store:
    """Everything in memory. Tests seed it by these methods; the routes use the same."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.lock = threading.RLock()
        self._versions = 0

    def _node(self, uuid: str, branch: str, note: str, parents: list[Node]) -> Node:
        if any(uuid in repo.nodes for repo in self.repos.values()):
            raise Refused(f"UUID {uuid} already exists")
        self._versions += 1
        return Node(uuid, self._versions, branch, note, parents=parents)

    def add_repo(self, alias: str = "", description: str = "", root: str | None = None) -> str:
        """A new repository: the uuid of its root, which is open."""
        with self.lock:
            node = self._node(new_uuid(root), MASTER, "", [])
            repo = Repo(node, alias, description, mutation_id=1_000_000_000)
            repo.add(node)
            self.repos[node.uuid] = repo
            return node.uuid

    def add_instance(self, uuid: str, name: str, typename: str, **settings: str) -> Any:
        """An instance with DVID's own settings, all strings: BlockSize="32,32,32", MaxDownresLevel="2"."""
        repo, _ = self.resolve(uuid)
        with self.lock:
            if name in repo.instances:
                raise Refused(f'Data named "{name}" already exists in repo (root {repo.root.uuid})')
            lowered = {key.lower(): value for key, value in settings.items()}
            made = _make(name, typename, repo.root.uuid, lowered)
            made.tags = texts(lowered.get("tags"))
            made.versioned = flag(lowered.get("versioned", "true"))
            repo.instances[name] = made
            return made

    def instance(self, uuid: str, name: str) -> tuple[Repo, Node, Instance]:
        repo, node = self.resolve(uuid)
        if name not in repo.instances:
            raise Refused("invalid data instance name")
        instance = repo.instances[name]
        return repo, node if instance.versioned else repo.root, instance

    def write(self, uuid: str, name: str, start: Point, voxels: Voxels) -> None:
        """Whole blocks into an instance, locked version or not: (z, y, x), the first voxel at `start` (x, y, z)."""
        _, node, instance = self.instance(uuid, name)
        size: Point = voxels.shape[2], voxels.shape[1], voxels.shape[0]
        if isinstance(instance, LabelInstance):
            instance.write_labels(node, start, size, voxels.astype("<u8").tobytes(), mutate=True)
        elif isinstance(instance, VoxelInstance):
            instance.write(node, start, size, voxels.astype(instance.dtype).tobytes())
        else:
            raise Refused(f"{name} holds no voxels")

    def merge_bodies(self, uuid: str, name: str, target: int, others: list[int]) -> None:
        """Map supervoxels: those of `others` become `target`."""
        _, node, instance = self.instance(uuid, name)
        if not isinstance(instance, LabelInstance):
            raise Refused(f"{name} holds no bodies")
        with instance.lock:
            instance.own_bodies(node).merge(target, others)

    def put_value(self, uuid: str, name: str, key: str, value: bytes) -> None:
        _, node, instance = self.instance(uuid, name)
        if not isinstance(instance, KeyValueInstance):
            raise Refused(f"{name} holds no values")
        instance.put(node, key, value)

    def resolve(self, text: str) -> tuple[Repo, Node]:
        """A version by the start of its uuid, by `uuid:branch`, or by `:branch` where there is one repository."""
        start, _, branch = text.partition(":")
        if ":" in branch:
            raise Refused(f'bad UUID specification "{text}"')
        if not start and branch:
            if len(self.repos) != 1:
                raise Refused("UUID must be specified if more than one repo exists")
            (repo,) = self.repos.values()
            return repo, repo.leaf(branch)
        found = [(repo, node) for repo in list(self.repos.values()) for node in _starting(repo, start)]
        if not found:
            raise Refused(f"could not find UUID with partial match to {start}")
        if len(found) > 1:
            raise Refused(f"more than one UUID matches {start}")
        repo, node = found[0]
        return (repo, repo.leaf(branch)) if branch else (repo, node)

    def commit(self, uuid: str, note: str = "", log: list[str] | None = None) -> str:
        _, node = self.resolve(uuid)
        with self.lock:
            node.locked = True
            node.note = note or node.note
            node.log += log or []
            return node.uuid

    def new_version(self, uuid: str, note: str = "", branch: str | None = None, wanted: str | None = None) -> str:
        """A child of a committed version: on its branch, or on a new one."""
        repo, node = self.resolve(uuid)
        with self.lock:
            if not node.locked:
                raise Refused("can't branch an unlocked node")
            taken = (
                {child.branch for child in node.children} if branch is None else {n.branch for n in repo.nodes.values()}
            )
            name = node.branch if branch is None else branch
            if name in taken:
                raise Refused("branch already exists with given name")
            return repo.add(self._node(new_uuid(wanted), name, note, [node])).uuid

    def merge(self, uuids: list[str], note: str = "") -> str:
        found = [self.resolve(uuid) for uuid in uuids]
        with self.lock:
            parents = [node for _, node in found]
            repo = found[0][0]
            if not all(node.locked for node in parents):
                # The original makes the child first and leaves it behind: a version of master without parents.
                repo.add(self._node(new_uuid(), MASTER, "", []))
                raise Refused("can't branch an unlocked node")
            return repo.add(self._node(new_uuid(), parents[0].branch, note, parents)).uuid


def _starting(repo: Repo, text: str) -> list[Node]:
    return [node for node in list(repo.nodes.values()) if node.uuid.startswith(text)]


def _make(name: str, typename: str, root: str, settings: dict[str, str]) -> Instance:
    if typename == "keyvalue":
        return KeyValueInstance(name, root)
    if typename == "tarsupervoxels":
        if "extension" not in settings:
            raise Refused("tarsupervoxels instances must have Extension set in the configuration")
        return TarSupervoxelsInstance(name, root, settings["extension"])
    if typename not in IMAGES:
        raise Refused(f'Data type "{typename}" is not supported by current DVID server')
    default = "64,64,64" if typename in ("labelmap", "labelarray") else "32,32,32"
    grid = Grid(
        ints(settings.get("blocksize", default)),
        numbers(settings.get("voxelsize", "8.0,8.0,8.0")),
        tuple(settings.get("voxelunits", "nanometers,nanometers,nanometers").split(",")),
        _background(settings.get("background", "0")),
    )
    if typename in LABELS:
        return LabelInstance(
            name,
            typename,
            root,
            grid,
            max_scale=int(settings.get("maxdownreslevel", "0")),
            indexed=typename != "labelblk" and flag(settings.get("indexedlabels", "true")),
        )
    return VoxelInstance(name, typename, root, grid)


def _background(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise Refused(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)
