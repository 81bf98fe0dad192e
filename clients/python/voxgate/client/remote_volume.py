"""The Volume that lives on a server: satisfies the same Protocol as an adapter, over gRPC."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import grpc
import numpy as np

from voxgate.client.calls import UNARY_TIMEOUT_S, BoundCalls, unary
from voxgate.client.channels import Stubs
from voxgate.client.cutouts import CutoutAssembler, check_written, write_messages
from voxgate.client.powers import power_of
from voxgate.client.preferences import preferred_encodings
from voxgate.client.remote_versions import Deletes, OpensVersions
from voxgate.client.resuming import Attempt, Broken, OneVersion, is_break, lanes_of, read_in_lanes, read_whole
from voxgate.client.viewing import Viewable, reached_from
from voxgate.model.errors import Cancelled, ChunkCorrupt, IncompleteAnswer, LimitExceeded
from voxgate.model.geometry import Box
from voxgate.model.names import VolumeName
from voxgate.model.requests import check_box, check_channels, check_opened, check_out, check_write
from voxgate.model.volumes import (
    C,
    LabelView,
    OpenOptions,
    VolumeFacts,
    VolumeInfo,
    Voxels,
    Writable,
)
from voxgate.v1 import volume_pb2
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import box_to_proto, dtype_to_proto, facts_from_proto

_LANE_BYTES = 16 << 20
"""The least raw bytes for which another connection is worth its call."""
_SINGLE_BYTES = 1 << 20
"""The most raw bytes that are asked for in one message: half of what the contract allows."""


class RemoteVolume:
    """A volume on a server, bound to one resolved version, time and label view. Thread-safe.

    Args:
        stubs: of the server.
        facts: the volume as the server described it.
        options: time, label view and patience; the version is the one that `facts` was resolved to.
    """

    def __init__(self, stubs: Stubs, facts: VolumeFacts, options: OpenOptions) -> None:
        self._stubs = stubs
        self._info = facts.info
        self._options = options
        self._calls = BoundCalls(stubs, facts, options)

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def capability(self, kind: type[C]) -> C | None:
        """What the server offers: see `voxgate.client.powers`."""
        if kind is Writable:
            return cast("C", self) if "write" in self._calls.facts.powers else None
        if kind in (OpensVersions, Deletes, Viewable):
            return cast("C", self)
        return cast("C | None", power_of(self._calls, kind))

    @property
    def gateway_url(self) -> str:
        """See `voxgate.client.viewing.Viewable`."""
        return reached_from(self._stubs.server.address, self._stubs.server.http_url)

    def __reduce__(self) -> Any:
        # A caller's patience stays in its own process.
        selected = (self._options.version, self._options.time_index, self._options.label_view)
        return (_again, (self._stubs, self._calls.facts, selected))

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `Volume.read`.

        A stream that breaks is taken up again at the same version: only what is missing is asked for. When that fails
        too, `out` may be partly filled.

        Raises:
            IncompleteAnswer: when streams ended before every voxel came; and whatever the server refuses.
            ServerUnreachable: when the server stays away.
            ChunkCorrupt: when a block comes damaged twice.
            VersionMoved: when the volume changed in the middle.
        """
        level = check_box(self._info, box, scale)
        check_opened(self._info, self._options)
        wanted = check_channels(self._info, channels)
        shape = (len(wanted), *box.shape.zyx)
        check_out(self._info.dtype, shape, out)
        result = np.empty(shape, self._info.dtype) if out is None else out
        if not wanted:
            return result
        request = volume_pb2.ReadCutoutRequest(
            **self._calls.selects,
            scale_index=scale,
            box=box_to_proto(box),
            channels=wanted if channels is not None else (),
            accept_encodings=preferred_encodings(self._info, self._stubs.wish),
            want_checksums=self._stubs.wants_checksums,
        )
        if result.nbytes <= _SINGLE_BYTES and self._read_single(request, box, result):
            return result
        context = self._options.context
        reading = _Reading(request, box, result, OneVersion(self._info.resolved_version), threading.Event())
        count = min(self._stubs.server.streams, max(1, result.nbytes // _LANE_BYTES))
        parts = lanes_of(box, level, count)
        if len(parts) == 1:
            read_whole(box, self._attempt(reading, 0), context=context)
        else:
            attempts = [self._attempt(reading, lane) for lane in range(len(parts))]
            read_in_lanes(parts, attempts, context=context, failed=reading.failed)
        return result

    def _read_single(self, request: volume_pb2.ReadCutoutRequest, box: Box, result: Voxels) -> bool:
        """Read a small box in one message; False where it has to be streamed after all.

        The two requests have the same fields under the same numbers, so one's bytes are the other's.
        """
        assembler = CutoutAssembler(self._info, box, result)
        try:
            assembler.single(self._stubs.read_chunk(request, timeout=self._calls.timeout(UNARY_TIMEOUT_S)))
        except grpc.RpcError as error:
            typed = from_rpc_error(error, self._stubs.addresses["volume"])
            if is_break(error) or isinstance(typed, LimitExceeded):
                return False
            raise typed from None
        except ChunkCorrupt:
            return False
        return _ending(assembler) is None

    def _attempt(self, reading: _Reading, lane: int) -> Attempt:
        """Asks for one part of a read on one connection."""

        def ask(part: Box) -> Broken | None:
            assembler = CutoutAssembler(self._info, part, reading.place_of(part))
            call = self._stubs.read_cutout_lanes[lane](reading.request_for(part), timeout=self._calls.timeout(None))
            try:
                for response in call:
                    self._options.context.check()
                    if reading.failed.is_set():
                        raise Cancelled("another part of the same read failed")
                    assembler.response(response)
                    reading.version.note(assembler.resolved_version)
            except grpc.RpcError as error:
                typed = from_rpc_error(error, self._stubs.addresses["volume"])
                if not is_break(error):
                    raise typed from None
                # When only the last words are missing, every voxel is here.
                missing = assembler.missing
                return Broken(typed, tuple(missing)) if missing else None
            except ChunkCorrupt as error:
                return Broken(error, tuple(assembler.missing))
            finally:
                call.cancel()
            return _ending(assembler)

        return ask

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
            response = self._stubs.volume.WriteCutout(messages, timeout=self._calls.timeout(None))
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._stubs.addresses["volume"]) from None
        check_written(response)

    def delete(self) -> None:
        """Delete it for good; see `Deletes.delete`."""
        request = volume_pb2.DeleteVolumeRequest(volume=self._info.name)
        self._calls.unary(self._stubs.volume.DeleteVolume, request)

    def at_version(self, version: str, *, time_index: int | None = None) -> RemoteVolume:
        """The same volume at another version; see `OpensVersions.at_version`."""
        time = self._options.time_index if time_index is None else time_index
        options = replace(self._options, version=version, time_index=time)
        return open_remote(self._stubs, self._info.name, options)


def open_remote(stubs: Stubs, name: str, options: OpenOptions) -> RemoteVolume:
    """The volume of a name, as the server describes it now.

    Raises:
        MalformedName, UnknownRemote, UnknownVolume, UnknownVersion.
    """
    VolumeName.parse(name)
    request = volume_pb2.GetVolumeRequest(volume=name, version=options.version)
    volume = unary(stubs.volume.GetVolume, request, stubs.addresses["volume"]).volume
    return RemoteVolume(stubs, facts_from_proto(volume), options)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One read, over as many calls as it takes.

    Attributes:
        request: what every call asks for, but for the box and the version.
        box: the whole box.
        result: array of shape (c, z, y, x) that it is read into.
        version: what every call must be answered at.
        failed: set when a part failed.
    """

    request: volume_pb2.ReadCutoutRequest
    box: Box
    result: Voxels
    version: OneVersion
    failed: threading.Event

    def place_of(self, part: Box) -> Voxels:
        """The view of the result that a part fills."""
        return self.result if part == self.box else self.result[(slice(None), *part.slices_zyx(self.box.start))]

    def request_for(self, part: Box) -> volume_pb2.ReadCutoutRequest:
        """The request for a part, at the version of the parts before."""
        request = volume_pb2.ReadCutoutRequest(if_version=self.version.wanted)
        request.MergeFrom(self.request)
        request.box.CopyFrom(box_to_proto(part))
        return request


def _ending(assembler: CutoutAssembler) -> Broken | None:
    """What a stream that ended well left to ask for.

    Raises:
        IncompleteAnswer: when it broke the contract in another way than by ending early.
    """
    try:
        assembler.finish()
    except IncompleteAnswer as error:
        missing = assembler.missing
        if not missing:
            raise
        return Broken(error, tuple(missing))
    return None


def _again(stubs: Stubs, facts: VolumeFacts, selected: tuple[str, int | None, LabelView]) -> RemoteVolume:
    """A volume out of a pickle."""
    return RemoteVolume(stubs, facts, OpenOptions(*selected))
