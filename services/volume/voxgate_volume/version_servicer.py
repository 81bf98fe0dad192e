"""The VersionService on the wire: only translates."""

from __future__ import annotations

import grpc

from voxgate.model.versions import Versioned
from voxgate.v1 import version_pb2 as pb
from voxgate.v1 import version_pb2_grpc
from voxgate.wire.versions import version_to_proto
from voxgate_serving.calls import call_context
from voxgate_volume.catalog import Catalog
from voxgate_volume.paging import listed_page, page_size


class VersionServicer(version_pb2_grpc.VersionServiceServicer):
    """Lists, closes and opens versions of a registry's volumes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def ListVersions(self, request: pb.ListVersionsRequest, context: grpc.ServicerContext) -> pb.ListVersionsResponse:
        """List the versions of a volume."""
        found = self._history(request.volume, "", context).versions()
        size = page_size(request.page_size, 1000, 1000)
        page, token = listed_page(
            found, lambda each: each.version, size, request.page_token, text=lambda each: f"{each}"
        )
        return pb.ListVersionsResponse(versions=map(version_to_proto, page), next_page_token=token)

    def CommitVersion(
        self, request: pb.CommitVersionRequest, context: grpc.ServicerContext
    ) -> pb.CommitVersionResponse:
        """Close a version."""
        closed = self._history(request.volume, request.version, context).commit(request.note)
        return pb.CommitVersionResponse(version=version_to_proto(closed))

    def CreateVersion(
        self, request: pb.CreateVersionRequest, context: grpc.ServicerContext
    ) -> pb.CreateVersionResponse:
        """Open a child on the same branch."""
        opened = self._history(request.volume, request.version, context).new_version(request.note)
        return pb.CreateVersionResponse(version=version_to_proto(opened))

    def BranchVersion(
        self, request: pb.BranchVersionRequest, context: grpc.ServicerContext
    ) -> pb.BranchVersionResponse:
        """Open a child on a new branch."""
        history = self._history(request.volume, request.version, context)
        return pb.BranchVersionResponse(version=version_to_proto(history.new_branch(request.branch, request.note)))

    def _history(self, volume: str, version: str, context: grpc.ServicerContext) -> Versioned:
        return self._catalog.history(volume, version, call_context(context))
