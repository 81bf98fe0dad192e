"""Versions of a repository: POST commit, newversion and branch of /api/node/{uuid} (help of the server)."""

from __future__ import annotations

from typing import Any

from voxgate.model.errors import AlreadyExists, InvalidArgument, StoreRefused, StoreUnavailable, VersionLocked
from voxgate.model.versions import VersionInfo
from voxgate_remotes.dvid.client import Ask, json_body, parsed
from voxgate_remotes.dvid.graph import MASTER, Node, Repo
from voxgate_remotes.dvid.repos import Repos
from voxgate_remotes.dvid.voxels import Place


class DvidVersions:
    """The versions of a volume's repository, seen from one of them; satisfies Versioned.

    They are those of the repository: all its instances are committed together.
    """

    def __init__(self, place: Place, root: str, repos: Repos) -> None:
        self._place = place
        self._root = root
        self._repos = repos

    def versions(self) -> list[VersionInfo]:
        """Every version, parents before their children."""
        repo = self._repos.of_uuid(self._root, self._place.context)
        return [repo.described(node) for node in repo.versions()]

    def commit(self, note: str) -> VersionInfo:
        """Close this version; see `voxgate.model.versions.Versioned`. A repetition answers the version as it is."""
        if not self._now()[1].is_locked:
            try:
                self._post("commit", {"note": note, "log": [note] if note else []}, is_repeatable=True)
            except VersionLocked:  # by somebody else in this moment, or by a try whose answer was lost
                pass
            finally:
                self._repos.forget(self._root)
        repo, node = self._now()
        return repo.described(node)

    def new_version(self, note: str) -> VersionInfo:
        """Open a child of this version on its branch.

        Raises:
            StoreRefused: when this version is open, or has a child on its branch.
        """
        repo, node = self._committed()
        if any(other.branch == node.branch and node.number in other.parents for other in repo.nodes.values()):
            branch = node.branch or MASTER
            raise StoreRefused(f"version {node.uuid} was continued on its branch {branch!r}", "open a new branch")
        return self._child("newversion", {"note": note})

    def new_branch(self, branch: str, note: str) -> VersionInfo:
        """Open a child of this version on a new branch.

        Raises:
            InvalidArgument: for a name that DVID cannot address.
            AlreadyExists, StoreRefused.
        """
        if not branch or any(not mark.isprintable() or mark in ":/@ " for mark in branch):
            raise InvalidArgument(f"{branch!r} is no name of a branch", "use letters, digits, - and _")
        repo, _ = self._committed()
        if branch == MASTER or any(node.branch == branch for node in repo.nodes.values()):
            raise AlreadyExists(f"there is a branch {branch!r}", "choose another name")
        return self._child("branch", {"branch": branch, "note": note})

    def _now(self) -> tuple[Repo, Node]:
        """The repository and this version as they are at this moment."""
        self._repos.forget(self._root)
        repo = self._repos.of_uuid(self._root, self._place.context)
        return repo, repo.node(self._place.uuid)

    def _committed(self) -> tuple[Repo, Node]:
        repo, node = self._now()
        if not node.is_locked:
            raise StoreRefused(f"version {node.uuid} is open", "commit it first")
        return repo, node

    def _child(self, action: str, body: dict[str, str]) -> VersionInfo:
        try:
            found = parsed(self._post(action, body, is_repeatable=False))
        finally:
            self._repos.forget(self._root)
        uuid = found.get("child") if isinstance(found, dict) else None
        if not isinstance(uuid, str):
            raise StoreUnavailable("the store did not say which version it opened", "list the versions")
        repo = self._repos.of_uuid(self._root, self._place.context)
        return repo.described(repo.node(uuid))

    def _post(self, action: str, body: dict[str, Any], *, is_repeatable: bool) -> bytes:
        path = ("node", self._place.uuid, action)
        return self._place.client.post(
            Ask(path, body=json_body(body), is_repeatable=is_repeatable), self._place.context
        )
