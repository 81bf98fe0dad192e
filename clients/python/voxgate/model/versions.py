"""Versions of volumes, for stores that keep a history of committed nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version of a volume.

    Attributes:
        version: its full name in the store; what `VolumeInfo.resolved_version` is.
        parents: the versions it was made from.
        branch: the branch it is on; empty on the main one.
        note: what its author said.
        is_committed: whether it can never change again.
        created: when, ISO 8601; empty where the store does not say.
    """

    version: str
    parents: tuple[str, ...] = ()
    branch: str = ""
    note: str = ""
    is_committed: bool = False
    created: str = ""


class Versioned(Protocol):
    """The store keeps versions. Everything is about the version that the volume was opened at."""

    def versions(self) -> list[VersionInfo]:
        """Every version, parents before their children."""
        ...

    def commit(self, note: str) -> VersionInfo:
        """Close this version for good. Committing a committed version again answers it unchanged.

        Raises:
            ReadOnly: when the remote takes no writes.
        """
        ...

    def new_version(self, note: str) -> VersionInfo:
        """Open a child of this committed version on the same branch. Not idempotent.

        Raises:
            ReadOnly: when the remote takes no writes.
            FailedPrecondition: when this version is not committed, or has a child on its branch already.
        """
        ...

    def new_branch(self, branch: str, note: str) -> VersionInfo:
        """Open a child of this committed version on a new branch.

        Raises:
            ReadOnly: when the remote takes no writes.
            AlreadyExists: when there is a branch of that name.
            FailedPrecondition: when this version is not committed.
        """
        ...


class HasVersions(Protocol):
    """A remote whose volumes are Versioned, those that are created there, too."""

    @property
    def keeps_versions(self) -> bool:
        """True; a remote without this power keeps none, or does not know."""
        ...
