"""Skeletons from a Skeleton service, and from whatever a volume has to answer them with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from voxgate.client.resuming import OneVersion, answer_each
from voxgate.client.segments import require
from voxgate.model.errors import IncompleteAnswer, SegmentNotFound
from voxgate.model.meshes import MeshProgress
from voxgate.model.skeletons import Skeleton, SkeletonFailure, SkeletonRequest, SkeletonSource, StoredSkeletons, Teasar
from voxgate.model.volumes import OpenOptions, Volume
from voxgate.v1 import skeleton_pb2_grpc
from voxgate.wire.skeleton_requests import skeleton_request_to_proto
from voxgate.wire.skeletons import SkeletonAssembler


@dataclass(frozen=True, slots=True)
class GrpcSkeletonSource:
    """Skeletons of one volume through a Skeleton service: a `SkeletonSource`.

    Attributes:
        stub: of the Skeleton service.
        volume: the volume's name, "remote/path".
        options: the (resolved) version, time and label view that the volume is bound to; and how long to wait.
        address: of the server, for messages to people.
    """

    stub: skeleton_pb2_grpc.SkeletonServiceStub
    volume: str
    options: OpenOptions = field(default_factory=OpenOptions)
    address: str = "the server"

    def skeletons(
        self, request: SkeletonRequest, *, progress: MeshProgress | None = None
    ) -> Iterator[Skeleton | SkeletonFailure]:
        """Yield exactly one Skeleton or SkeletonFailure for each requested id, as they get ready.

        A stream that breaks is taken up again: only the segments that did not come whole are asked for.

        Raises:
            IncompleteAnswer: when the stream broke the contract or ended early.
            ServerUnreachable: when the server stays away.
            VersionMoved: when the volume changed in the middle.
            VoxgateError: whatever the server refuses or fails with.
        """
        context = self.options.context
        version = OneVersion(self.options.version)
        asks = partial(self._once, request, progress)
        for answer in answer_each(request.segment_ids, asks, context=context, address=self.address):
            if isinstance(answer, Skeleton):
                version.note(answer.resolved_version or None)
            yield answer

    def _once(
        self, request: SkeletonRequest, progress: MeshProgress | None, segment_ids: Sequence[int]
    ) -> Iterator[Skeleton | SkeletonFailure]:
        """One stream, for some of the segments."""
        context = self.options.context
        context.check()
        timeout = None if context.deadline is None else max(0.0, context.deadline - time.monotonic())
        asked = replace(request, segment_ids=tuple(segment_ids))
        assembler = SkeletonAssembler(segment_ids)
        call = self.stub.GetSkeletons(skeleton_request_to_proto(self.volume, self.options, asked), timeout=timeout)
        try:
            for response in call:
                context.check()
                if progress is not None and response.HasField("progress"):
                    told = response.progress
                    progress(told.phase, told.done_bytes, told.total_bytes)
                for segment_id, answer in assembler.add(response):
                    yield answer if isinstance(answer, Skeleton) else SkeletonFailure(segment_id, answer)
            assembler.finish()
        finally:
            # Whoever stops iterating stops the server's work too.
            call.cancel()


def skeletons_of(volume: Volume, request: SkeletonRequest, *, progress: MeshProgress | None) -> list[Skeleton]:
    """Skeletons in the order asked for.

    Args:
        volume: a segmentation.
        request: which segments; none twice.
        progress: called with (phase, done bytes, total bytes).

    Raises:
        InvalidArgument: for words and numbers that mean nothing, and wishes that no stored skeleton can have.
        SegmentNotFound: for an absent segment; any other failure of a single segment as its own error.
        MissingCapability: when nothing answers for this volume.
        IncompleteAnswer: when the source left an id out.
    """
    request.check()
    source = volume.capability(SkeletonSource)
    kept = volume.capability(StoredSkeletons) if source is None and request.takes_stored else None
    if kept is not None:
        return [_kept(kept, segment_id) for segment_id in request.segment_ids]
    source = source or require(volume, SkeletonSource, "skeletons")
    answers = {answer.segment_id: answer for answer in source.skeletons(request, progress=progress)}
    found = []
    for segment_id in request.segment_ids:
        answer = answers.get(segment_id)
        if answer is None:
            raise IncompleteAnswer(f"segment {segment_id} was not answered", "ask again")
        if isinstance(answer, SkeletonFailure):
            raise answer.error
        found.append(answer)
    return found


def teasar_of(scale: float | None, const_nm: float | None) -> Teasar | None:
    """Parameters, of which None means the usual one; None for none at all."""
    if scale is None and const_nm is None:
        return None
    usual = Teasar()
    return Teasar(usual.scale if scale is None else scale, usual.const_nm if const_nm is None else const_nm)


def _kept(kept: StoredSkeletons, segment_id: int) -> Skeleton:
    found = kept.stored_skeleton(segment_id)
    if found is None:
        raise SegmentNotFound(f"the store keeps no skeleton of segment {segment_id}", "check the id and the label view")
    return found
