"""Which contract this installation speaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from google.protobuf.descriptor import MethodDescriptor

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

FILES = (
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
"""The files of the contract, as modules."""

_READING_VERBS = ("Export", "Get", "List", "Lookup", "Read", "Resolve", "Watch")


def reads(method: str) -> bool:
    """Whether a method changes nothing: the contract calls every method by a verb and a noun, as in "GetVolume"."""
    return method.startswith(_READING_VERBS)


def methods() -> Iterator[tuple[str, str]]:
    """Every method: the full name of its service, and its own."""
    for method in method_descriptors():
        yield method.containing_service.full_name, method.name


def method_descriptors() -> Iterator[MethodDescriptor]:
    """Every method of every service."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def contract_version() -> str:
    """The package of the contract and a digest of its files' descriptors: "voxgate.v1+1f3a5c7e9b2d4f60"."""
    digest = hashlib.sha256()
    for file in FILES:
        digest.update(file.DESCRIPTOR.serialized_pb)
    return f"{volume_pb2.DESCRIPTOR.package}+{digest.hexdigest()[:16]}"
