"""URIs of DVID: `dvid://HOST:PORT/UUID/INSTANCE`, as intern writes them with `http://` before the host, too.

`UUID:branch` stands for the last version of a branch. Whether a UUID is of a repository's first version or of another
one cannot be told without asking, so it is both: the repository that has it, and the version that is meant.
"""

from __future__ import annotations

from dataclasses import replace

from voxgate.model.errors import ConfigInvalid
from voxgate.model.remotes import ResolvedUri
from voxgate_remotes.dvid.repos import is_segment, is_uuid_part
from voxgate_remotes.http.uris import StoreUri, base_url

SCHEME = "http"
"""DVID's servers speak plain HTTP; `dvid://https://…` says otherwise."""


def configured(uri: str) -> StoreUri:
    """The server and, where one is named, the repository of a remote.

    Raises:
        ConfigInvalid: when no server can be made out, or more than a repository is named.
    """
    found = base_url(uri, SCHEME)
    if len(found.path) > 1 or any(":" in segment for segment in found.path):
        raise ConfigInvalid("the uri of a dvid remote names more than a repository", "dvid://HOST:PORT/UUID at most")
    return found


def resolved(home: StoreUri, uri: str) -> ResolvedUri | None:
    """What a URI means in the remote at `home`."""
    try:
        asked = base_url(uri, SCHEME) if uri.startswith("dvid://") else None
    except ConfigInvalid:
        return None
    if asked is None or asked.base_url != home.base_url or len(asked.path) > 2 or not all(map(is_segment, asked.path)):
        return None
    host_end = _path_start(uri)
    if not asked.path:
        return None if home.path else ResolvedUri(host_end, ())
    repo, version = _repo_and_version(asked.path[0])
    if not home.path:
        return ResolvedUri(host_end, (repo, *asked.path[1:]), version) if repo else None
    return _within(home.path[0], repo, ResolvedUri(host_end, asked.path[1:], version), uri)


def _within(own: str, repo: str, found: ResolvedUri, uri: str) -> ResolvedUri | None:
    """What is found in a remote of one repository."""
    both = is_uuid_part(repo) and is_uuid_part(own)
    if repo == own or (both and (repo.startswith(own) or own.startswith(repo))):
        named = uri[found.prefix_length :].strip("/").partition("/")[0]
        return replace(found, prefix_length=found.prefix_length + 1 + len(named))
    # Another version of the same repository, or another repository: only the store knows.
    return replace(found, is_exact=False) if both else None


def _repo_and_version(segment: str) -> tuple[str, str]:
    """The repository and the version that the first part of a path stands for."""
    repo, colon, branch = segment.partition(":")
    if is_uuid_part(repo):
        return repo, segment
    return repo, colon + branch  # an alias: the branch alone is a version


def _path_start(uri: str) -> int:
    """Where the path of a URI starts: after the host."""
    rest = uri.removeprefix("dvid://")
    for scheme in ("http://", "https://"):
        if rest.lower().startswith(scheme):
            rest = rest[len(scheme) :]
    return len(uri) - len(rest) + len(rest.partition("/")[0])
