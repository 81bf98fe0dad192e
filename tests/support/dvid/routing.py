"""Which request goes where, and what a locked version refuses."""

from __future__ import annotations

from . import keyvalue_routes, label_routes, repo_routes, tar_supervoxels, voxel_routes
from .graph import Node, Repo
from .instances import Instance, VoxelInstance
from .keyvalues import KeyValueInstance
from .labels import LabelInstance, Panicked
from .store import Store
from .tar_supervoxels import TarSupervoxelsInstance
from .wire import PLAIN, Refused, Reply, Request, json_reply

_READS = {
    "label": label_routes.label_at,
    "labels": label_routes.labels_at,
    "mapping": label_routes.mapping,
    "mappings": label_routes.mappings,
    "size": label_routes.size,
    "sizes": label_routes.sizes,
    "sparsevol-size": label_routes.sparsevol_size,
    "supervoxels": label_routes.supervoxels,
    "supervoxel-sizes": label_routes.supervoxel_sizes,
    "listlabels": label_routes.list_labels,
    "existing-labels": label_routes.existing_labels,
    "maxlabel": label_routes.max_label,
    "nextlabel": label_routes.next_label,
    "sparsevol": label_routes.sparsevol,
    "sparsevol-coarse": label_routes.sparsevol_coarse,
    "lastmod": label_routes.last_modified,
}
_EDITS = {
    "merge": label_routes.merge,
    "cleave": label_routes.cleave,
    "renumber": label_routes.renumber,
    "split": label_routes.split,
}
_VOXELS = {
    "raw": voxel_routes.raw,
    "metadata": voxel_routes.metadata,
    "extents": voxel_routes.extents,
    "blocks": voxel_routes.blocks,
    "subvolblocks": voxel_routes.subvolume_blocks,
    "specificblocks": voxel_routes.specific_blocks,
}
_CHANGES = ("POST", "PUT", "DELETE")
_KEYS = {"key": keyvalue_routes.key, "keys": keyvalue_routes.keys, "keyrange": keyvalue_routes.key_range}


def answer(store: Store, request: Request) -> Reply:
    """The reply to any request; refusals and panics included."""
    try:
        return _routed(store, request) or Reply(b"404 page not found\n", PLAIN, 404)
    except ValueError as fault:  # a number that is none, somewhere in the request
        return Reply(f"{fault} ({request.path}).\n".encode(), PLAIN, 400)
    except Refused as refused:
        return Reply(f"{refused} ({request.path}).\n".encode(), PLAIN, refused.status)
    except Panicked as panic:
        return Reply(f"Panic detected on request:\n{panic}\nURL: {request.path}\n\n".encode(), PLAIN, 500)


def _routed(store: Store, request: Request) -> Reply | None:
    parts = request.parts
    if parts[:1] == ("repo",) and len(parts) >= 2:
        return repo_routes.repo(store, request)
    if parts[:1] == ("node",) and len(parts) >= 4:
        return _of_instance(store, request)
    if parts[:1] == ("node",) and len(parts) in (2, 3):
        return repo_routes.node(store, request)
    return repo_routes.server(store, request)


def _of_instance(store: Store, request: Request) -> Reply:
    _, uuid, name, keyword = request.parts[:4]
    repo, node, instance = store.instance(uuid, name)
    if node.locked and not request.admin and instance.versioned and request.method in _CHANGES:
        raise Refused(f'Cannot do {request.method} on endpoint "{keyword}" of locked node {node.uuid}')
    label_routes.check_indexed(instance, keyword)
    image = isinstance(instance, VoxelInstance) and not isinstance(instance, LabelInstance)
    if image and request.method not in ("GET", "POST"):
        raise Refused(f'Data "{name}" can only handle GET or POST HTTP verbs')
    if keyword == "info":
        return json_reply(instance.info(node))
    if keyword == "tags":
        return json_reply({"Tags": instance.tags})
    found = _keyword(repo, node, instance, request)
    if found is None:
        text = f'Bad API call ({request.path}) for data "{name}".  See API help at /api/help/{instance.typename}\n'
        return Reply(text.encode(), PLAIN, 400)
    return found


def _keyword(repo: Repo, node: Node, instance: Instance, request: Request) -> Reply | None:
    keyword = request.parts[3]
    if isinstance(instance, KeyValueInstance):
        return _KEYS[keyword](node, instance, request) if keyword in _KEYS else None
    if isinstance(instance, TarSupervoxelsInstance):
        return tar_supervoxels.answer(repo, node, instance, request)
    if isinstance(instance, LabelInstance) and label_routes.answers(instance, keyword):
        if keyword in _READS:
            return _READS[keyword](node, instance, request)
        if keyword in _EDITS:
            return _edit(repo, node, instance, request)
    if isinstance(instance, VoxelInstance):
        return _voxels(node, instance, request)
    return None


def _edit(repo: Repo, node: Node, instance: LabelInstance, request: Request) -> Reply:
    keyword = request.parts[3]
    if request.method != "POST":
        raise Refused(f"{keyword.capitalize()} requests must be POST actions.")
    return _EDITS[keyword](repo, node, instance, request)


def _voxels(node: Node, instance: VoxelInstance, request: Request) -> Reply | None:
    route = _VOXELS.get(request.parts[3])
    return None if route is None else route(node, instance, request)
