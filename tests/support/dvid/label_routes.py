"""Requests about labels: at points, of bodies, and the changes of proofreading."""

from __future__ import annotations

import gzip
import json
from typing import Any

import lz4.block
import numpy as np

from .graph import Node, Repo, now
from .instances import Instance
from .labels import LabelInstance
from .sparse import Bounds, body_runs, coarse_runs, with_header
from .voxel_routes import scale_of
from .wire import BYTES, JSON, PLAIN, Refused, Reply, Request, json_reply, label_of, not_found, point

_MOST_LISTED = 10_000_000
_NEEDS_INDEX = ("sparsevol", "sparsevol-coarse", "maxlabel", "nextlabel", "cleave", "merge")


_OF_BLOCKS = ("label", "labels")
_OF_ARRAYS = (*_OF_BLOCKS, "sparsevol", "sparsevol-coarse", "maxlabel", "nextlabel", "merge")


def answers(instance: LabelInstance, keyword: str) -> bool:
    """Whether this kind of labels knows the request at all."""
    known = {"labelblk": _OF_BLOCKS, "labelarray": _OF_ARRAYS}
    return instance.typename not in known or keyword in known[instance.typename]


def check_indexed(instance: Instance, keyword: str) -> None:
    if not isinstance(instance, LabelInstance) or instance.typename == "labelblk":
        return
    if not instance.indexed and keyword in _NEEDS_INDEX:
        raise Refused(
            f'data "{instance.name}" is not label indexed (IndexedLabels=false): "{keyword}" endpoint is not supported'
        )


def label_at(node: Node, instance: LabelInstance, request: Request) -> Reply:
    where = point(_argument(request, "coord"))
    found = instance.at(node, where, scale_of(request), request.flag("supervoxels"))
    return Reply(f'{{"Label": {found}}}'.encode(), JSON)


def labels_at(node: Node, instance: LabelInstance, request: Request) -> Reply:
    """The points come as the body of a GET. A point of two numbers is taken to lie at z 0."""
    points = _list(request, "labels", "Batch labels query must be a GET request")
    supervoxels, scale = request.flag("supervoxels"), scale_of(request)
    found = []
    for one in points:
        if not isinstance(one, list) or not all(type(c) is int and abs(c) < 2**31 for c in one):
            raise Refused("Bad labels request JSON: json: cannot unmarshal into Go value of type dvid.Point3d")
        x, y, z = (*(int(c) for c in one), 0, 0, 0)[:3]
        found.append(instance.at(node, (x, y, z), scale, supervoxels))
    return json_reply(found)


def mapping(node: Node, instance: LabelInstance, request: Request) -> Reply:
    """The bodies of supervoxels, 0 for one that has no voxels; with nolookup=true those are answered as they are."""
    bodies = instance.bodies_of(node)
    asked = _ids(request, "Batch mapping query must be a GET request")
    body_of = bodies.body_of if request.flag("nolookup") else bodies.known_body
    return json_reply([body_of(one) for one in asked])


def mappings(node: Node, instance: LabelInstance, request: Request) -> Reply:
    rows = sorted(instance.bodies_of(node).mapping.items())
    text = "".join(f"{one} {body}\n" for one, body in rows)
    return Reply(text.encode(), PLAIN if text else None)


def size(node: Node, instance: LabelInstance, request: Request) -> Reply:
    found, label = _supervoxels(node, instance, request), _label(request)
    bodies = instance.bodies_of(node)
    if request.flag("supervoxels") and bodies.mapping.get(label) == 0:
        gone = f"cannot get label for supervoxel {label}, which has been split and doesn't exist anymore"
        raise Refused(f"unable to get label {label} size: {gone}")
    return not_found() if found is None else json_reply({"voxels": bodies.size(found)})


def sizes(node: Node, instance: LabelInstance, request: Request) -> Reply:
    bodies, supervoxel = instance.bodies_of(node), request.flag("supervoxels")
    asked = _ids(request, "Batch sizes query must be a GET request")
    return json_reply([bodies.size(bodies.of(one, supervoxel) or []) for one in asked])


def sparsevol_size(node: Node, instance: LabelInstance, request: Request) -> Reply:
    """The box is that of the blocks, not of the voxels."""
    found = _supervoxels(node, instance, request)
    if not found:
        return not_found()
    bodies = instance.bodies_of(node)
    places, edge = np.array(bodies.blocks(found)), np.array(instance.grid.block_size)
    return json_reply(
        {
            "voxels": bodies.size(found),
            "numblocks": len(places),
            "minvoxel": (places.min(axis=0) * edge).tolist(),
            "maxvoxel": ((places.max(axis=0) + 1) * edge - 1).tolist(),
        }
    )


def supervoxels(node: Node, instance: LabelInstance, request: Request) -> Reply:
    found = instance.bodies_of(node).supervoxels(_label(request))
    return json_reply(found) if found else not_found()


def supervoxel_sizes(node: Node, instance: LabelInstance, request: Request) -> Reply:
    bodies = instance.bodies_of(node)
    found = bodies.supervoxels(_label(request))
    if not found:
        return not_found()
    return json_reply({"supervoxels": found, "sizes": [bodies.size([one]) for one in found]})


def list_labels(node: Node, instance: LabelInstance, request: Request) -> Reply:
    """Bodies in order as uint64; with sizes=true each is followed by its voxels."""
    bodies = instance.bodies_of(node)
    start = label_of(request.query.get("start", "0"))
    number = min(label_of(request.query.get("number") or str(_MOST_LISTED)), _MOST_LISTED)
    listed = sorted(one for one in bodies.members if one >= start)[:number]
    if request.flag("sizes"):
        listed = [value for one in listed for value in (one, bodies.size(bodies.supervoxels(one)))]
    return Reply(np.array(listed, "<u8").tobytes())


def existing_labels(node: Node, instance: LabelInstance, request: Request) -> Reply:
    return json_reply(sorted(instance.bodies_of(node).members))


def max_label(node: Node, instance: LabelInstance, request: Request) -> Reply:
    if request.method != "GET":
        raise Refused("POST /maxlabel requires admin privileges (admintoken or DSG admin)")
    found = instance.max_label(node)
    if not found:
        raise Refused(f"No maximum label found for {instance.name} version {node.version_id}\n")
    return Reply(f'{{"maxlabel": {found}}}'.encode(), JSON)


def next_label(node: Node, instance: LabelInstance, request: Request) -> Reply:
    if request.method == "GET":
        return Reply(f'{{"nextlabel": {instance.next_free}}}'.encode(), JSON)
    if len(request.parts) < 5:
        raise Refused("DVID requires number of requested labels to follow POST /nextlabel")
    with instance.lock:
        count = label_of(request.parts[4])
        start, end = instance.reserve(node, count, f"allocating {count} new labels")
    return Reply(f'{{"start": {start}, "end": {end}}}'.encode(), JSON)


def sparsevol(node: Node, instance: LabelInstance, request: Request) -> Reply:
    """Runs of a body: rles with a header, srles without. A body whose voxels are gone answers 200 and nothing."""
    found = _supervoxels(node, instance, request)
    bounds = Bounds.of(request)
    if request.method == "HEAD":
        # Asks the index alone, in blocks of scale 0 whatever the scale, and has it the wrong way round: with bounds
        # it says whether any block lies outside them.
        places = instance.bodies_of(node).blocks(found or [])
        there = any(bounds.open or not bounds.touches(where, instance.grid.block_size) for where in places)
        return Reply(b"", "text/html", 200 if there else 204)
    if request.method != "GET":
        raise Refused("POST of sparsevol not currently implemented\n")
    rows = None if not found else body_runs(node, instance, found, scale_of(request), bounds)
    if rows is None:
        return not_found()
    if request.query.get("format") == "blocks":
        raise Refused("this stand-in answers runs only")
    body = rows.tobytes() if request.query.get("format") == "srles" else with_header(rows) if len(rows) else b""
    compression = request.query.get("compression", "")
    if compression == "lz4":
        body = lz4.block.compress(body, store_size=False)
    elif compression == "gzip":
        body = gzip.compress(body)
    return Reply(body, BYTES)


def sparsevol_coarse(node: Node, instance: LabelInstance, request: Request) -> Reply:
    found = _supervoxels(node, instance, request)
    edge, bounds = instance.grid.block_size, Bounds.of(request)
    places = [] if not found else instance.bodies_of(node).blocks(found)
    inside = [where for where in places if bounds.touches(where, edge)]
    return Reply(with_header(coarse_runs(inside))) if places else not_found()


def merge(repo: Repo, node: Node, instance: LabelInstance, request: Request) -> Reply:
    given = request.json()
    if len(given) < 2:
        raise Refused(f"invalid merge tuple {given}, need at least target and to-merge labels")
    with instance.lock:
        bodies = instance.own_bodies(node)
        bodies.merge(given[0], given[1:])
        mutation = repo.next_mutation()
        bodies.mutations[given[0]] = mutation, now()
    return json_reply({"MutationID": mutation})


def cleave(repo: Repo, node: Node, instance: LabelInstance, request: Request) -> Reply:
    body = _label(request)
    with instance.lock:
        bodies = instance.own_bodies(node)
        new, _ = instance.reserve(node, 1, "new label")  # gone, even when the cleave is refused
        bodies.cleave(body, request.json(), new)
        mutation = repo.next_mutation()
        bodies.mutations[body] = bodies.mutations[new] = mutation, now()
    return json_reply({"CleavedLabel": new, "MutationID": mutation})


def renumber(repo: Repo, node: Node, instance: LabelInstance, request: Request) -> Reply:
    given = request.json()
    if len(given) % 2:
        raise Refused("Bad renumber op JSON, must be even list of numbers [new1, old1, new2, old2, ...]")
    with instance.lock:
        for new, old in zip(given[::2], given[1::2], strict=True):
            instance.own_bodies(node).renumber(old, new)
        repo.next_mutation()
    return Reply(content_type=None)


def split(repo: Repo, node: Node, instance: LabelInstance, request: Request) -> Reply:
    raise Refused("Split endpoint deactivated in this DVID server's configuration.")


def last_modified(node: Node, instance: LabelInstance, request: Request) -> Reply:
    label, bodies = _label(request), instance.bodies_of(node)
    if label not in bodies.members:
        return not_found()
    mutation, when = bodies.mutations.get(label, (0, ""))
    return json_reply({"mutation id": mutation, "last mod user": "", "last mod app": "", "last mod time": when})


def _argument(request: Request, what: str) -> str:
    if len(request.parts) < 5:
        raise Refused(f"DVID requires {what} to follow '{request.parts[3]}' command")
    return request.parts[4]


def _label(request: Request) -> int:
    label = label_of(_argument(request, "label"))
    if label == 0:
        what = "used as sparse volume" if request.parts[3].startswith("sparsevol") else "queried as body"
        raise Refused(f"Label 0 is protected background value and cannot be {what}.\n")
    return label


def _supervoxels(node: Node, instance: LabelInstance, request: Request) -> list[int] | None:
    return instance.bodies_of(node).of(_label(request), request.flag("supervoxels"))


def _ids(request: Request, wrong_verb: str) -> list[int]:
    given = _list(request, "mapping", wrong_verb)
    if not all(type(one) is int and 0 <= one < 2**64 for one in given):
        raise Refused("Bad mapping request JSON: json: cannot unmarshal number into Go value of type uint64")
    return given


def _list(request: Request, what: str, wrong_verb: str) -> list[Any]:
    if request.method != "GET":
        raise Refused(wrong_verb)
    try:
        given = json.loads(request.body)
    except ValueError as fault:
        raise Refused(f"Bad {what} request JSON: {fault}") from None
    if not isinstance(given, list):
        raise Refused(f"Bad {what} request JSON: json: cannot unmarshal object into a list")
    return given
