"""Requests about the server, repositories and versions."""

from __future__ import annotations

from typing import Any

from .graph import Node, Repo, now
from .settings import strings
from .store import Store
from .wire import JSON, Refused, Reply, Request, json_reply

_NEEDS_ADMIN = "Creating a repo requires admin privileges (admintoken or DSG admin) on a server that is not read-only"
VERSION = "v1.0.0 (in memory, of voxgate's tests)"


def describe(repo: Repo) -> dict[str, Any]:
    leaf = repo.leaf("master")
    return {
        "Root": repo.root.uuid,
        "Alias": repo.alias,
        "Description": repo.description,
        "Log": repo.log,
        "Properties": {},
        "DataInstances": {name: one.info(leaf) for name, one in list(repo.instances.items())},
        "DAG": {"Root": repo.root.uuid, "Nodes": {uuid: node.describe() for uuid, node in list(repo.nodes.items())}},
        "MutationID": repo.mutation_id,
        "SavedMutationID": repo.mutation_id + 100,
        "Created": repo.created,
        "Updated": repo.updated,
    }


def server(store: Store, request: Request) -> Reply | None:  # noqa: PLR0911 - a table of routes
    match request.parts:
        case ("heartbeat",):
            return Reply(b"OK", "text/plain")
        case ("load",):
            return json_reply({"GET requests": 0, "PUT requests": 0, "handlers active": 0})
        case ("server", "info"):
            return json_reply(
                {"Cores": "2", "DVID Version": VERSION, "Storage backend": "memory", "Server uptime": "1s"}
            )
        case ("server", "types" | "compiled-types"):
            names = {one.typename: one.type_path for repo in store.repos.values() for one in repo.instances.values()}
            return json_reply(names)
        case ("repos", "info") if request.method == "GET":
            return json_reply({root: describe(repo) for root, repo in list(store.repos.items())})
        case ("repos",) if request.method == "POST":
            if not request.may_create:
                raise Refused(_NEEDS_ADMIN)
            given = strings(request.json()) if request.body else {}
            return json_reply(
                {"root": store.add_repo(given.get("alias", ""), given.get("description", ""), given.get("root"))}
            )
    return None


def repo(store: Store, request: Request) -> Reply | None:  # noqa: PLR0911 - a table of routes
    _, uuid, *rest = request.parts
    if not rest and request.method != "HEAD":
        return None
    found, node = store.resolve(uuid)
    match (request.method, *rest):
        case ("HEAD",):
            return Reply(f"Repo available with root UUID {found.root.uuid}\n".encode(), "text/plain")
        case ("GET", "info"):
            return json_reply(describe(found))
        case ("POST", "info"):
            given = strings(request.json())
            found.alias = given.get("alias", found.alias)
            found.description = given.get("description", found.description)
            return Reply(content_type=None)
        case ("GET", "log"):
            return json_reply({"log": found.log})
        case ("POST", "log"):
            found.log += _stamped(request.json().get("log", []))
            return Reply(content_type=None)
        case ("GET", "branch-versions", branch):
            return json_reply(_branch_versions(found, branch))
        case ("POST", "instance"):
            return _instance(store, node, request)
        case ("POST", "merge"):
            return _merge(store, request)
    return None


def node(store: Store, request: Request) -> Reply | None:  # noqa: PLR0911 - a table of routes
    _, uuid, *rest = request.parts
    _, found = store.resolve(uuid)
    action = rest[0] if rest else ""
    if (
        found.locked
        and not request.admin
        and request.method not in ("GET", "HEAD")
        and action not in ("branch", "newversion", "tag")
    ):
        raise Refused(f"Cannot do {request.method.lower()} on locked node {found.uuid}")
    match (request.method, action):
        case ("GET", "status" | "commit"):
            return Reply(b'{"Locked":true}' if found.locked else b'{"Locked":false}', JSON)
        case ("GET", "note"):
            return json_reply({"note": found.note})
        case ("GET", "log"):
            return json_reply({"log": found.log})
        case ("POST", "note"):
            found.note = request.json()["note"]
            return Reply(content_type=None)
        case ("POST", "log"):
            found.log += _stamped(request.json().get("log", []))
            return Reply(content_type=None)
        case ("POST", "commit"):
            given = request.json()
            return json_reply(
                {"committed": store.commit(found.uuid, given.get("note", ""), _stamped(given.get("log") or []))}
            )
        case ("POST", "newversion"):
            given = request.json() if request.body else {}
            return json_reply({"child": store.new_version(found.uuid, given.get("note", ""), wanted=given.get("uuid"))})
        case ("POST", "branch"):
            return _branch(store, found, request)
    return None


def _branch(store: Store, node: Node, request: Request) -> Reply:
    given = request.json() if request.body else {}
    if given.get("branch", "") in ("", "master"):
        raise Refused("Cannot create a master branch")
    child = store.new_version(node.uuid, given.get("note", ""), given["branch"], given.get("uuid"))
    return json_reply({"child": child})


def _branch_versions(found: Repo, branch: str) -> list[str]:
    try:
        return found.branch_versions(branch)
    except Refused:
        return []


def _instance(store: Store, node: Node, request: Request) -> Reply:
    if node.locked and not request.admin:
        raise Refused(f"New data instance cannot be created on locked node {node.uuid}")
    try:
        given = request.json()
    except Refused as fault:
        raise Refused(f"Error decoding POSTed JSON config for 'new': {fault}") from None
    given = strings(given)
    lowered = {key.lower(): value for key, value in given.items()}
    for needed in ("typename", "dataname"):
        if not lowered.get(needed):
            raise Refused(f"POST on repo endpoint requires specification of valid '{needed}'")
    name, typename = lowered.pop("dataname"), lowered.pop("typename")
    store.add_instance(node.uuid, name, typename, **lowered)
    return json_reply({"result": f"Added {name} [{typename}] to node {node.uuid}"})


def _merge(store: Store, request: Request) -> Reply:
    given = request.json()
    parents = given.get("parents", [])
    if len(parents) < 2:
        raise Refused("Must specify at least two parent UUIDs using 'parents' field")
    if given.get("mergeType") != "conflict-free":
        raise Refused("'mergeType' must be 'conflict-free' at this time")
    return json_reply({"child": store.merge(parents, given.get("note", ""))})


def _stamped(lines: list[str]) -> list[str]:
    return [f"{now()[:19]}Z  {line}" for line in lines]
