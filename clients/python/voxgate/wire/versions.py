"""Versions between the contract's messages and the model."""

from __future__ import annotations

from voxgate.model.versions import VersionInfo
from voxgate.v1 import version_pb2 as pb


def version_to_proto(version: VersionInfo) -> pb.Version:
    """A version as a message."""
    return pb.Version(
        version=version.version,
        parents=version.parents,
        branch=version.branch,
        note=version.note,
        is_committed=version.is_committed,
        create_time=version.created,
    )


def version_from_proto(message: pb.Version) -> VersionInfo:
    """A message as a version."""
    return VersionInfo(
        version=message.version,
        parents=tuple(message.parents),
        branch=message.branch,
        note=message.note,
        is_committed=message.is_committed,
        created=message.create_time,
    )
