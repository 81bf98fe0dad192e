"""The tarsupervoxels instance: a file for each supervoxel, of no version, and tars of those of a body."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from .graph import Node, Repo
from .instances import Instance
from .labels import LabelInstance
from .wire import BYTES, PLAIN, Refused, Reply, Request


class TarSupervoxelsInstance(Instance):
    """What is a body is asked of the labelmap that the instance was synced with."""

    def __init__(self, name: str, root: str, extension: str) -> None:
        super().__init__(name, "tarsupervoxels", root)
        self.extension = extension
        self.synced = ""
        self.files: dict[int, bytes] = {}

    def info(self, node: Node) -> dict[str, Any]:
        told = super().info(node)
        told["Base"]["Syncs"] = [self.synced] if self.synced else []
        return told | {"Extended": {"Extension": self.extension}}


def answer(repo: Repo, node: Node, instance: TarSupervoxelsInstance, request: Request) -> Reply | None:
    keyword = request.parts[3]
    if keyword == "sync" and request.method == "POST":
        instance.synced = str(request.json()["sync"])
        return Reply(content_type=None)
    if keyword not in ("supervoxel", "tarfile"):
        return None
    if len(request.parts) < 5:
        raise Refused(f"expect uint64 to follow '{keyword}' endpoint")
    label = int(request.parts[4])
    if keyword == "supervoxel":
        return _supervoxel(instance, label, request)
    return _tar(repo, node, instance, label, request)


def _supervoxel(instance: TarSupervoxelsInstance, supervoxel: int, request: Request) -> Reply:
    if request.method == "POST":
        instance.files[supervoxel] = request.body
        return Reply(content_type=None)
    if supervoxel not in instance.files:
        return Reply(f"Supervoxel {supervoxel} not found\n".encode(), PLAIN, 404)
    return Reply(instance.files[supervoxel], BYTES)


def _tar(repo: Repo, node: Node, instance: TarSupervoxelsInstance, body: int, request: Request) -> Reply:
    """A HEAD is refused where a supervoxel has no file; a GET has a placeholder."""
    synced = repo.instances.get(instance.synced)
    if not isinstance(synced, LabelInstance):
        raise Refused(f'data "{instance.name}" is not synced with any labelmap instance')
    supervoxels = synced.bodies_of(node).supervoxels(body)
    if not supervoxels:
        raise Refused(f"can't send tarfile for label {body}: label {body} has no supervoxels")
    if request.method == "HEAD":
        if not all(each in instance.files for each in supervoxels):
            raise Refused(f"not all supervoxel data available for label {body}")
        return Reply(b"", None)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for each in reversed(supervoxels):  # in no order
            data = instance.files.get(each)
            entry = tarfile.TarInfo(f"{each}.{instance.extension if data is not None else 'missing'}")
            entry.size = len(data or b"")
            tar.addfile(entry, io.BytesIO(data or b""))
    return Reply(packed.getvalue(), "application/tar")
