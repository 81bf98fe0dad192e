"""The repositories of a server, by alias or UUID, remembered briefly."""

from __future__ import annotations

import re
import time
from collections import Counter

from voxgate.model.errors import MetadataInvalid, UnknownVersion, UnknownVolume
from voxgate.model.volumes import CallContext
from voxgate_remotes.dvid.client import Ask, DvidClient
from voxgate_remotes.dvid.graph import Repo, parse_repo
from voxgate_remotes.dvid.kept import Kept

_UUID = re.compile(r"[0-9a-fA-F]{32}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_ALIASES_S = 30.0
"""Aliases are looked up in a list of everything the server has, which can be long; they hardly ever change."""


def is_segment(text: str) -> bool:
    """Whether a name of DVID's can be a segment of a volume's name."""
    return text not in ("", ".", "..") and not any(mark in text for mark in "/\\\0")


def is_uuid(text: str) -> bool:
    """Whether a text has the form of a whole UUID."""
    return _UUID.fullmatch(text) is not None


def is_uuid_part(text: str) -> bool:
    """Whether a text may be the start of a UUID."""
    return len(text) <= 32 and _HEX.fullmatch(text) is not None


class Repos:
    """What the server says of its repositories. Thread-safe."""

    def __init__(self, client: DvidClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._repos: Kept[str, Repo] = Kept()
        self._names: Kept[str, dict[str, str]] = Kept()

    def names(self, context: CallContext, most_age_s: float | None = None) -> dict[str, str]:
        """The UUIDs of all repositories by the names they have here: the alias where it is unique, else the UUID."""
        kept = self._names.get("", self._seconds if most_age_s is None else most_age_s)
        if kept is not None:
            return kept
        asked_at = time.monotonic()
        found = self._client.get_json(Ask(("repos", "info")), context)
        if not isinstance(found, dict):
            raise MetadataInvalid("the store's list of repositories cannot be used", "look at it in DVID")
        repos = [parse_repo(document) for document in found.values() if document]
        known = Counter(repo.alias for repo in repos)
        names = {_name(repo, known): repo.root for repo in repos}
        return self._names.put("", names, asked_at)

    def find(self, segment: str, context: CallContext) -> Repo:
        """The repository of an alias, or of any version's UUID or a unique part of its start.

        Raises:
            UnknownVolume.
        """
        if not is_uuid(segment):
            kept = min(_ALIASES_S, self._seconds * _ALIASES_S)
            root = self.names(context, kept).get(segment) or self.names(context).get(segment)
            if root is not None:
                return self.of_uuid(root, context)
            if not is_uuid_part(segment):
                raise UnknownVolume(f"there is no repository {segment!r}", "list the remote for those there are")
        return self.of_uuid(segment.lower(), context)

    def of_uuid(self, uuid: str, context: CallContext) -> Repo:
        """The repository that a version's UUID, or a unique part of its start, is of.

        Raises:
            UnknownVolume.
        """
        kept = self._repos.get(uuid, self._seconds)
        if kept is not None:
            return kept
        asked_at = time.monotonic()
        try:
            document = self._client.get_json(Ask(("repo", uuid, "info")), context)
        except UnknownVersion as error:
            raise UnknownVolume(f"there is no one repository {uuid!r}", error.remedy) from None
        return self._repos.put(uuid, parse_repo(document), asked_at)

    def forget(self, root: str) -> None:
        """Ask again about a repository that something was done to."""
        self._repos.forget(lambda _, repo: repo.root == root)


def _name(repo: Repo, known: Counter[str]) -> str:
    fits = is_segment(repo.alias) and known[repo.alias] == 1 and not is_uuid(repo.alias)
    return repo.alias if fits else repo.root
