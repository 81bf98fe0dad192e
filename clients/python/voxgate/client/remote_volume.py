"""The Volume that lives on a server: satisfies the same Protocol as an adapter, over gRPC."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import grpc
import numpy as np

from voxgate.client.channels import Stubs
from voxgate.client.cutouts import CutoutAssembler, check_written, preferred_encodings, write_messages
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model.geometry import Box, Vec3
from voxgate.model.meshes import MeshSource
from voxgate.model.requests import check_box, check_channels, check_opened, check_out, check_write, scale_of
from voxgate.model.volumes import C, OpenOptions, SegmentCount, SegmentIndex, VolumeInfo, Voxels, Writable
from voxgate.v1 import segment_pb2, volume_pb2
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import box_to_proto, dtype_to_proto, label_view_to_proto, vec3_to_proto

UNARY_TIMEOUT_S = 120.0
_PAGE = 10_000


class RemoteVolume:
    """A volume on a server, bound to one resolved version, time and label view. Thread-safe.

    Args:
        stubs: of the server.
        info: the volume as the server described it.
        options: time, label view and patience; the version is the one that `info` was resolved to.
        writable: whether the server says it takes writes.
    """

    def __init__(self, stubs: Stubs, info: VolumeInfo, options: OpenOptions, *, writable: bool) -> None:
        self._stubs = stubs
        self._info = info
        self._options = options
        self._writable = writable

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def capability(self, kind: type[C]) -> C | None:
        """Writable, SegmentIndex and MeshSource where the server offers them."""
        offers = {offer.name for offer in self._info.services if offer.support != "unavailable"}
        if kind is Writable:
            return cast("C", self) if self._writable else None
        if kind is SegmentIndex:
            return cast("C", self) if "segments" in offers else None
        if kind is MeshSource:
            source = GrpcMeshSource(self._stubs.mesh, self._info.name, self._bound(), self._stubs.addresses["mesh"])
            return cast("C", source) if "mesh" in offers else None
        return None

    def _bound(self) -> OpenOptions:
        options = self._options
        return OpenOptions(self._info.resolved_version, options.time_index, options.label_view, options.context)

    def _timeout(self, most: float | None) -> float | None:
        context = self._options.context
        context.check()
        if context.deadline is None:
            return most
        left = max(0.0, context.deadline - time.monotonic())
        return left if most is None else min(left, most)

    def _selects(self) -> dict[str, Any]:
        """The fields that every request about this volume has in common."""
        fields: dict[str, Any] = {
            "volume": self._info.name,
            "version": self._info.resolved_version,
            "label_view": label_view_to_proto(self._options.label_view),
        }
        if self._options.time_index is not None:
            fields["time_index"] = self._options.time_index
        return fields

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `Volume.read`.

        Raises:
            IncompleteAnswer: when the stream ended before every voxel came; and whatever the server refuses.
        """
        check_box(self._info, box, scale)
        check_opened(self._info, self._options)
        wanted = check_channels(self._info, channels)
        shape = (len(wanted), *box.shape.zyx)
        check_out(self._info, shape, out)
        result = np.empty(shape, self._info.dtype) if out is None else out
        if not wanted:
            return result
        request = volume_pb2.ReadCutoutRequest(
            **self._selects(),
            scale_index=scale,
            box=box_to_proto(box),
            channels=wanted if channels is not None else (),
            accept_encodings=preferred_encodings(self._info),
            if_version=self._info.resolved_version,
        )
        assembler = CutoutAssembler(self._info, box, result)
        call = self._stubs.read_cutout(request, timeout=self._timeout(None))
        try:
            for response in call:
                self._options.context.check()
                assembler.response(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._stubs.addresses["volume"]) from None
        finally:
            call.cancel()
        return assembler.finish()

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `Writable.write`.

        Raises:
            PartialWriteError: when some granules were written and others not; and whatever the server refuses.
        """
        level = check_write(self._info, box, voxels, scale)
        check_opened(self._info, self._options)
        header = volume_pb2.WriteCutoutHeader(
            volume=self._info.name,
            version=self._info.resolved_version,
            scale_index=scale,
            box=box_to_proto(box),
            data_type=dtype_to_proto(self._info.dtype),
        )
        if self._options.time_index is not None:
            header.time_index = self._options.time_index
        messages = write_messages(header, self._info, level, voxels)
        try:
            response = self._stubs.volume.WriteCutout(messages, timeout=self._timeout(None))
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._stubs.addresses["volume"]) from None
        check_written(response)

    def segments_in(self, box: Box, *, scale: int = 0, top: int | None = None) -> list[SegmentCount]:
        """The segments in a box; see `SegmentIndex.segments_in`."""
        check_box(self._info, box, scale)
        order = segment_pb2.SEGMENT_ORDER_ID if top is None else segment_pb2.SEGMENT_ORDER_LARGEST_FIRST
        found: list[SegmentCount] = []
        token = ""
        while top is None or len(found) < top:
            request = segment_pb2.ListSegmentsRequest(
                **self._selects(),
                scale_index=scale,
                box=box_to_proto(box),
                order=order,
                page_size=_PAGE if top is None else min(_PAGE, top - len(found)),
                page_token=token,
            )
            page = self._unary(self._stubs.segment.ListSegments, request)
            found.extend(SegmentCount(s.segment_id, s.voxel_count) for s in page.segments)
            token = page.next_page_token
            if not token:
                break
        return found

    def segments_at(self, points: Sequence[Vec3], *, scale: int = 0) -> list[int]:
        """The segment at each point; see `SegmentIndex.segments_at`."""
        scale_of(self._info, scale)
        request = segment_pb2.LookupSegmentsRequest(
            **self._selects(), scale_index=scale, points=[vec3_to_proto(point) for point in points]
        )
        return list(self._unary(self._stubs.segment.LookupSegments, request).segment_ids)

    def _unary(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout(UNARY_TIMEOUT_S))
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._stubs.addresses["volume"]) from None
