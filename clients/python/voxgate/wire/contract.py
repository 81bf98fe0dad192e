"""Which contract this installation speaks."""

from __future__ import annotations

import hashlib

from voxgate.v1 import (
    job_pb2,
    mesh_pb2,
    metadata_pb2,
    segment_pb2,
    skeleton_pb2,
    transfer_pb2,
    types_pb2,
    version_pb2,
    volume_pb2,
)

_FILES = (
    job_pb2,
    mesh_pb2,
    metadata_pb2,
    segment_pb2,
    skeleton_pb2,
    transfer_pb2,
    types_pb2,
    version_pb2,
    volume_pb2,
)


def contract_version() -> str:
    """The package of the contract and a digest of its files' descriptors: "voxgate.v1+1f3a5c7e9b2d4f60"."""
    digest = hashlib.sha256()
    for file in _FILES:
        digest.update(file.DESCRIPTOR.serialized_pb)
    return f"{volume_pb2.DESCRIPTOR.package}+{digest.hexdigest()[:16]}"
