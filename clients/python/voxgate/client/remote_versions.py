"""What a server does with a volume as a whole: its versions, and deleting it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voxgate.client.calls import BoundCalls
from voxgate.model.versions import VersionInfo
from voxgate.model.volumes import Volume
from voxgate.v1 import version_pb2 as pb
from voxgate.wire.versions import version_from_proto


class OpensVersions(Protocol):
    """Can open the same volume at another version."""

    def at_version(self, version: str, *, time_index: int | None = None) -> Volume:
        """The same volume at a version, with the label view of this one, and its time unless another is given.

        Raises:
            UnknownVersion: when there is none of that name.
        """
        ...


class Deletes(Protocol):
    """Can be asked to delete its volume."""

    def delete(self) -> None:
        """Delete the volume for good, voxels and metadata, with all its versions.

        Raises:
            ReadOnly: unless its operator allows it.
            UnknownVolume: when it is deleted already.
            MissingCapability: where the store's volumes cannot be deleted.
            StoreRefused: when the store keeps it, e.g. because another volume lies within.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteVersions:
    """The versions of one volume on a server; satisfies Versioned. Thread-safe.

    Attributes:
        calls: about the volume at the version that it was opened at.
    """

    calls: BoundCalls

    def versions(self) -> list[VersionInfo]:
        """Every version, parents before their children; see `Versioned.versions`."""
        found: list[VersionInfo] = []
        token = ""
        while True:
            request = pb.ListVersionsRequest(volume=self.calls.facts.info.name, page_token=token)
            page = self.calls.unary(self.calls.stubs.version.ListVersions, request)
            found.extend(map(version_from_proto, page.versions))
            token = page.next_page_token
            if not token:
                return found

    def commit(self, note: str) -> VersionInfo:
        """Close this version for good; see `Versioned.commit`."""
        request = pb.CommitVersionRequest(**self.calls.names, note=note)
        return version_from_proto(self.calls.unary(self.calls.stubs.version.CommitVersion, request).version)

    def new_version(self, note: str) -> VersionInfo:
        """Open a child on the same branch; see `Versioned.new_version`."""
        request = pb.CreateVersionRequest(**self.calls.names, note=note)
        return version_from_proto(self.calls.unary(self.calls.stubs.version.CreateVersion, request).version)

    def new_branch(self, branch: str, note: str) -> VersionInfo:
        """Open a child on a new branch; see `Versioned.new_branch`."""
        request = pb.BranchVersionRequest(**self.calls.names, branch=branch, note=note)
        return version_from_proto(self.calls.unary(self.calls.stubs.version.BranchVersion, request).version)
