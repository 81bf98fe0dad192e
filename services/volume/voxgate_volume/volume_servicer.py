"""The VolumeService on the wire: only translates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import grpc

from voxgate.model.access import Role
from voxgate.model.errors import (
    ChunkCorrupt,
    DataTypeMismatch,
    InvalidArgument,
    LimitExceeded,
    ShapeMismatch,
    VoxgateError,
)
from voxgate.model.geometry import merged
from voxgate.model.remotes import VolumeEntry
from voxgate.model.volumes import Encoding, Volume
from voxgate.v1 import volume_pb2 as pb
from voxgate.v1 import volume_pb2_grpc
from voxgate.wire import encodings
from voxgate.wire.downsampling import downsampling_to_proto
from voxgate.wire.errors import item_from_error
from voxgate.wire.requests import open_options, scale_index
from voxgate.wire.volumes import (
    box_from_proto,
    box_to_proto,
    dtype_from_proto,
    encoding_from_proto,
    facts_to_proto,
    spec_from_proto,
)
from voxgate_serving.budget import ByteBudget
from voxgate_serving.calls import call_context
from voxgate_serving.settings import MAX_MESSAGE_BYTES
from voxgate_volume.catalog import Catalog
from voxgate_volume.paging import page_size
from voxgate_volume.reads import CutoutMessages, read_chunk
from voxgate_volume.server_info import ServerFacts
from voxgate_volume.writes import MAX_REPORTED_BOXES, GranuleWriter, WriteReport

_MAX_PAGE = 1000


class VolumeServicer(volume_pb2_grpc.VolumeServiceServicer):
    """Reads, writes, lists and creates the volumes of a registry."""

    def __init__(self, catalog: Catalog, facts: ServerFacts, budget: ByteBudget) -> None:
        self._catalog = catalog
        self._facts = facts
        self._budget = budget

    def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: grpc.ServicerContext
    ) -> pb.GetServerInfoResponse:
        """Say who this is."""
        return self._facts.to_proto()

    def ListVolumes(self, request: pb.ListVolumesRequest, context: grpc.ServicerContext) -> pb.ListVolumesResponse:
        """List one level."""
        size = page_size(request.page_size, _MAX_PAGE, _MAX_PAGE)
        page, token = self._catalog.for_caller(call_context(context)).page(request.parent, size, request.page_token)
        entries = [pb.VolumeEntry(name=entry.name, kind=_kind(entry)) for entry in page]
        return pb.ListVolumesResponse(entries=entries, next_page_token=token)

    def ListRemotes(self, request: pb.ListRemotesRequest, context: grpc.ServicerContext) -> pb.ListRemotesResponse:
        """List the configured remotes."""
        page, token = self._catalog.for_caller(call_context(context)).remotes(
            page_size(request.page_size, _MAX_PAGE, _MAX_PAGE), request.page_token
        )
        remotes = [
            pb.RemoteEntry(name=each.name, store=each.store, writable=each.writable, deletable=each.deletable)
            for each in page
        ]
        return pb.ListRemotesResponse(remotes=remotes, next_page_token=token)

    def GetDownsampling(
        self, request: pb.GetDownsamplingRequest, context: grpc.ServicerContext
    ) -> pb.GetDownsamplingResponse:
        """Say how far the coarser levels are."""
        state = self._catalog.pyramid(request.volume, call_context(context)).downsampling()
        return pb.GetDownsamplingResponse(state=downsampling_to_proto(state))

    def StartDownsampling(
        self, request: pb.StartDownsamplingRequest, context: grpc.ServicerContext
    ) -> pb.StartDownsamplingResponse:
        """Ask for the coarser levels."""
        state = self._catalog.pyramid(request.volume, call_context(context)).start_downsampling()
        return pb.StartDownsamplingResponse(state=downsampling_to_proto(state))

    def DeleteVolume(self, request: pb.DeleteVolumeRequest, context: grpc.ServicerContext) -> pb.DeleteVolumeResponse:
        """Delete a volume."""
        self._catalog.for_caller(call_context(context)).delete(request.volume)
        return pb.DeleteVolumeResponse()

    def GetVolume(self, request: pb.GetVolumeRequest, context: grpc.ServicerContext) -> pb.GetVolumeResponse:
        """Describe a volume."""
        described = self._catalog.describe(request.volume, request.version, call_context(context))
        return pb.GetVolumeResponse(volume=facts_to_proto(described))

    def ResolveVolume(
        self, request: pb.ResolveVolumeRequest, context: grpc.ServicerContext
    ) -> pb.ResolveVolumeResponse:
        """Find the name of a URI."""
        volume, version = self._catalog.for_caller(call_context(context)).resolve(request.uri)
        return pb.ResolveVolumeResponse(volume=volume, version=version)

    def CreateVolume(self, request: pb.CreateVolumeRequest, context: grpc.ServicerContext) -> pb.CreateVolumeResponse:
        """Create a volume."""
        described = self._catalog.for_caller(call_context(context)).create(
            request.volume, spec_from_proto(request.spec)
        )
        return pb.CreateVolumeResponse(volume=facts_to_proto(described))

    def ReadCutout(  # type: ignore[override]  # framed already: see voxgate_serving.handlers
        self, request: pb.ReadCutoutRequest, context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """Stream a box; the messages are framed already."""
        call = call_context(context)
        volume = self._catalog.open(request.volume, open_options(request, call), request.if_version)
        messages = CutoutMessages(volume, request)
        limit = self._facts.settings.max_cutout_bytes
        if limit and messages.raw_bytes > limit:
            raise LimitExceeded(
                f"the cutout has {messages.raw_bytes} bytes, the limit is {limit}",
                "ask for less at a time, or for a coarser scale",
                details={"asked": str(messages.raw_bytes), "limit": str(limit), "field": "box"},
            )
        wanted = min(self._facts.settings.stream_budget_bytes, max(messages.raw_bytes, 1))
        with self._budget.share(wanted, call) as share:
            yield from messages.stream(share, call)

    def ReadChunk(self, request: pb.ReadChunkRequest, context: grpc.ServicerContext) -> bytes:  # type: ignore[override]  # framed already
        """Read a small box; the message is framed already."""
        call = call_context(context)
        volume = self._catalog.open(request.volume, open_options(request, call), request.if_version)
        return read_chunk(volume, request, MAX_MESSAGE_BYTES)

    def WriteCutout(
        self, request_iterator: Iterator[pb.WriteCutoutRequest], context: grpc.ServicerContext
    ) -> pb.WriteCutoutResponse:
        """Write a box."""
        call = call_context(context)
        first = next(request_iterator, None)
        if first is None or not first.HasField("header"):
            raise InvalidArgument("the first message has no header", "send WriteCutoutHeader first")
        header = first.header
        volume = self._catalog.open(header.volume, replace(open_options(header, call), role=Role.WRITE), "")
        dtype = dtype_from_proto(header.data_type)
        if dtype != volume.info.dtype:
            raise DataTypeMismatch(
                f"the voxels sent are {dtype}", f"the volume holds {volume.info.dtype}: nothing is cast"
            )
        box, scale = box_from_proto(header.box), scale_index(volume.info, header)
        accepted = [encoding_from_proto(e) for e in header.encodings] or [Encoding()]
        with self._budget.share(self._facts.settings.stream_budget_bytes, call) as share:
            writer = GranuleWriter(volume, box, scale, share)
            error: VoxgateError | None = None
            try:
                _take_chunks(writer, volume, accepted, _messages(first, request_iterator))
                call.check()
            except VoxgateError as failure:
                error = failure
            report = writer.finish(error)
        return _write_response(report, volume.info.resolved_version)


def _kind(entry: VolumeEntry) -> pb.EntryKind:
    if entry.is_volume:
        return pb.ENTRY_KIND_VOLUME
    return pb.ENTRY_KIND_KEY_VALUES if entry.is_key_values else pb.ENTRY_KIND_GROUP


def _messages(first: pb.WriteCutoutRequest, rest: Iterator[pb.WriteCutoutRequest]) -> Iterator[pb.WriteCutoutRequest]:
    yield first
    for message in rest:
        if message.HasField("header"):
            raise InvalidArgument("a later message repeats the header", "send it once")
        yield message


def _take_chunks(
    writer: GranuleWriter, volume: Volume, accepted: list[Encoding], messages: Iterable[pb.WriteCutoutRequest]
) -> None:
    info = volume.info
    for message in messages:
        for chunk in message.chunks:
            if chunk.encoding_index >= len(accepted):
                raise InvalidArgument(
                    f"a chunk points to encoding {chunk.encoding_index}", f"the header lists {len(accepted)}"
                )
            if chunk.HasField("data_box"):
                raise InvalidArgument("a written chunk has a data_box", "leave it unset: the bytes fill the box")
            box = box_from_proto(chunk.box)
            writer.check(box)
            writer.check_room(box)
            shape = (info.channel_count, *box.shape.zyx)
            try:
                voxels = encodings.decode(chunk.data, accepted[chunk.encoding_index], shape, info.dtype)
            except ChunkCorrupt as error:
                # On the way in, bytes that do not fit their box are the caller's doing.
                raise ShapeMismatch(error.message, f"the chunk {box} needs voxels of {info.dtype}") from None
            writer.add(box, voxels)


def _write_response(report: WriteReport, version: str) -> pb.WriteCutoutResponse:
    return pb.WriteCutoutResponse(
        outcome=pb.WRITE_OUTCOME_PARTIAL if report.failures else pb.WRITE_OUTCOME_COMPLETE,
        written=[box_to_proto(box) for box in merged(report.written)[:MAX_REPORTED_BOXES]],
        failures=[
            pb.WriteFailure(box=box_to_proto(box), error=item_from_error(error))
            for box, error in report.failures[:MAX_REPORTED_BOXES]
        ],
        size_bytes=report.size_bytes,
        resolved_version=version,
    )
