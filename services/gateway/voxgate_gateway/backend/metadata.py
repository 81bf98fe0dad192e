"""Values by key beside voxels: those of a group or a volume, as the Metadata service has them."""

from __future__ import annotations

from voxgate.model.errors import MissingCapability, UnknownVolume
from voxgate.v1 import metadata_pb2 as pb
from voxgate.v1 import metadata_pb2_grpc
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.described import VolumeRef

_PAGE = 10_000


def keys_at(calls: Calls, ref: VolumeRef) -> list[str] | None:
    """The keys at the name of a group or a volume, sorted; None where its store keeps no metadata, or none there.

    Raises:
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    keys: list[str] = []
    token = ""
    while True:
        request = pb.ListMetadataRequest(name=ref.name, version=ref.version, page_size=_PAGE, page_token=token)
        try:
            page = calls.unary(_stub(calls).ListMetadata, request)
        except (MissingCapability, UnknownVolume):
            return None
        keys += page.keys
        token = page.next_page_token
        if not token:
            return keys


def value_at(calls: Calls, ref: VolumeRef, key: str) -> bytes:
    """The value of a key.

    Raises:
        UnknownKey: when there is none.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    return calls.unary(
        _stub(calls).GetMetadata, pb.GetMetadataRequest(name=ref.name, version=ref.version, key=key)
    ).value


def set_value(calls: Calls, ref: VolumeRef, key: str, value: bytes) -> None:
    """Set the value of a key, new or not.

    Raises:
        ReadOnly: when the remote takes no writes.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    calls.unary(
        _stub(calls).SetMetadata, pb.SetMetadataRequest(name=ref.name, version=ref.version, key=key, value=value)
    )


def delete_value(calls: Calls, ref: VolumeRef, key: str) -> None:
    """Delete a key.

    Raises:
        UnknownKey: when there is none.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    calls.unary(_stub(calls).DeleteMetadata, pb.DeleteMetadataRequest(name=ref.name, version=ref.version, key=key))


def _stub(calls: Calls) -> metadata_pb2_grpc.MetadataServiceStub:
    return metadata_pb2_grpc.MetadataServiceStub(calls.servers.channel())
