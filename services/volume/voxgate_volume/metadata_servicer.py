"""The MetadataService on the wire: only translates."""

from __future__ import annotations

import grpc

from voxgate.v1 import metadata_pb2 as pb
from voxgate.v1 import metadata_pb2_grpc
from voxgate_serving.calls import call_context
from voxgate_volume.catalog import Catalog
from voxgate_volume.metadata import MetadataAt
from voxgate_volume.paging import page_size

_Request = pb.ListMetadataRequest | pb.GetMetadataRequest | pb.SetMetadataRequest | pb.DeleteMetadataRequest


class MetadataServicer(metadata_pb2_grpc.MetadataServiceServicer):
    """Reads and writes the metadata of a registry's stores."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def ListMetadata(self, request: pb.ListMetadataRequest, context: grpc.ServicerContext) -> pb.ListMetadataResponse:
        """List the keys at a name."""
        size = page_size(request.page_size, 1000, 10_000)
        keys, token = self._at(request, context).page(request.prefix, size, request.page_token)
        return pb.ListMetadataResponse(keys=keys, next_page_token=token)

    def GetMetadata(self, request: pb.GetMetadataRequest, context: grpc.ServicerContext) -> pb.GetMetadataResponse:
        """Answer the value of a key."""
        return pb.GetMetadataResponse(value=self._at(request, context).get(request.key))

    def SetMetadata(self, request: pb.SetMetadataRequest, context: grpc.ServicerContext) -> pb.SetMetadataResponse:
        """Set the value of a key."""
        self._at(request, context).set(request.key, request.value)
        return pb.SetMetadataResponse()

    def DeleteMetadata(
        self, request: pb.DeleteMetadataRequest, context: grpc.ServicerContext
    ) -> pb.DeleteMetadataResponse:
        """Delete a key."""
        self._at(request, context).delete(request.key)
        return pb.DeleteMetadataResponse()

    def _at(self, request: _Request, context: grpc.ServicerContext) -> MetadataAt:
        catalog = self._catalog.for_caller(call_context(context))
        return MetadataAt(catalog.key_values(request.name, request.version))
