"""The SkeletonService on the wire: only translates."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from voxgate.model.errors import InvalidArgument
from voxgate.model.requests import check_opened
from voxgate.model.volumes import CallContext
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.v1 import skeleton_pb2_grpc
from voxgate.wire.requests import named_scale, open_options
from voxgate.wire.skeleton_requests import skeleton_format_from_proto, skeleton_request_from_proto
from voxgate_mesh.skeleton_messages import skeleton_file_messages, skeleton_messages
from voxgate_mesh.skeleton_sources import Skeletons
from voxgate_mesh.skeletonizing import Killable, SkeletonEvent, SkeletonSettings
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.calls import call_context


@dataclass(frozen=True, slots=True)
class _Work:
    """A request, opened and under way."""

    resolved_version: str
    events: Generator[SkeletonEvent]


class SkeletonServicer(skeleton_pb2_grpc.SkeletonServiceServicer):
    """Answers skeletons of segments of the volumes of a registry."""

    def __init__(self, registry: Registry, workers: Killable, settings: SkeletonSettings, budget: ByteBudget) -> None:
        """Serve a registry.

        Args:
            registry: the volumes.
            workers: where skeletons are computed.
            settings: limits of the server.
            budget: the bytes that all calls hold together.
        """
        self._registry = registry
        self._workers = workers
        self._settings = settings
        self._budget = budget

    def GetSkeletons(
        self, request: pb.GetSkeletonsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.GetSkeletonsResponse]:
        """Stream the skeletons of segments, stored or computed."""
        with self._started(request, call_context(context)) as work:
            yield from skeleton_messages(work.events, work.resolved_version)

    def ExportSkeleton(
        self, request: pb.ExportSkeletonRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportSkeletonResponse]:
        """Stream the skeleton of one segment as a file."""
        fmt = skeleton_format_from_proto(request.format)
        if len(request.spec.segment_ids) != 1:
            raise InvalidArgument(
                f"a file has one skeleton, and {len(request.spec.segment_ids)} segments were named",
                "name exactly one",
                details={"field": "spec.segment_ids"},
            )
        with self._started(request.spec, call_context(context)) as work:
            yield from skeleton_file_messages(work.events, fmt, work.resolved_version)

    @contextmanager
    def _started(self, spec: pb.GetSkeletonsRequest, call: CallContext) -> Iterator[_Work]:
        """Open the volume, and end the work when nobody takes its events any more."""
        if not spec.volume:
            raise InvalidArgument("the request names no volume", "set volume", details={"field": "volume"})
        options = open_options(spec, call)
        volume = self._registry.open(spec.volume, options)
        check_opened(volume.info, options)
        request = skeleton_request_from_proto(spec, named_scale(volume.info, spec))
        skeletons = Skeletons(volume, self._workers, call, self._settings, self._budget.share)
        events = skeletons.events(request)
        try:
            yield _Work(volume.info.resolved_version, events)
        finally:
            events.close()
