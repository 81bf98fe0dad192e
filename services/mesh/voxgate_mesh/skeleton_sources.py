"""Skeletons that the store keeps, those computed here, and those of another voxgate: the same events either way."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from voxgate.model.errors import MissingCapability, SegmentNotFound, VoxgateError
from voxgate.model.skeletons import SkeletonFailure, SkeletonRequest, SkeletonSource, StoredSkeletons
from voxgate.model.volumes import CallContext, Relayed, Volume
from voxgate_blocks.readahead import ticking
from voxgate_mesh.checks import check_segment_ids
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.skeletonizing import Killable, SkeletonEvent, SkeletonSettings, skeletonize_segments


@dataclass(frozen=True, slots=True)
class Skeletons:
    """The skeletons of one volume, for one caller.

    Attributes:
        volume: the volume.
        workers: where skeletons are made.
        context: when to stop.
        settings: limits of the server.
        share: holds a share of the bytes that all calls hold together; takes the bytes that are wanted.
    """

    volume: Volume
    workers: Killable
    context: CallContext
    settings: SkeletonSettings
    share: Callable[[int, CallContext], AbstractContextManager[int]]

    def events(self, request: SkeletonRequest) -> Generator[SkeletonEvent]:
        """The events of a request, stored skeletons first; see `skeletonize_segments` for what is computed.

        Where the store keeps skeletons, whatever keeps the others from being computed is the failure of those alone.

        Raises:
            MissingCapability: for stored skeletons of a store that keeps none; and what `skeletonize_segments` raises.
        """
        request.check()
        check_segment_ids(request.segment_ids, self.settings.limits)
        kept = self.volume.capability(StoredSkeletons) if request.takes_stored else None
        if kept is not None:
            yield from self._stored_first(kept, request)
        elif request.source == "stored":
            raise MissingCapability(
                "the store keeps no skeletons of this volume",
                'take "computed"',
                details={"capability": "stored_skeletons"},
            )
        else:
            yield from self._computed(request)

    def _stored_first(self, kept: StoredSkeletons, request: SkeletonRequest) -> Generator[SkeletonEvent]:
        missing: list[int] = []
        for segment_id in request.segment_ids:
            self.context.check()
            yield ScanProgress("fetching", 0, 0)
            try:
                skeleton = kept.stored_skeleton(segment_id)
            except VoxgateError as error:
                self.context.check()
                yield SkeletonFailure(segment_id, error)
                continue
            if skeleton is None:
                missing.append(segment_id)
            else:
                yield replace(skeleton, origin="stored")
        if request.source == "stored":
            yield from (SkeletonFailure(segment_id, _absent(segment_id)) for segment_id in missing)
        elif missing:
            yield from self._computed_or_each_refused(replace(request, segment_ids=tuple(missing)))

    def _computed_or_each_refused(self, request: SkeletonRequest) -> Generator[SkeletonEvent]:
        left = list(request.segment_ids)
        try:
            for event in self._computed(request):
                if not isinstance(event, ScanProgress):
                    left.remove(event.segment_id)
                yield event
        except VoxgateError as error:
            self.context.check()
            cannot = error if _lacks_skeletonizer(error) else None
            for segment_id in left:
                yield SkeletonFailure(segment_id, error if cannot is None else _absent(segment_id, cannot))

    def _computed(self, request: SkeletonRequest) -> Generator[SkeletonEvent]:
        """Computed here, or by the voxgate that the volume is from where only that one can."""
        try:
            with self.share(self._wanted_bytes(), self.context) as share:
                # A budget that is smaller than all of it is halved between the mask and what is read ahead.
                ahead = self.settings.ahead
                held = replace(ahead, in_flight_bytes=max(1, min(ahead.in_flight_bytes, share // 2)))
                settings = replace(self.settings, ahead=held)
                yield from skeletonize_segments(
                    self.volume, request, workers=self.workers, context=self.context, settings=settings
                )
        except MissingCapability as error:
            there = self.volume.capability(SkeletonSource) if self.volume.capability(Relayed) is not None else None
            if there is None or not _lacks_skeletonizer(error):
                raise
            yield from self._from(there, replace(request, source="computed"))

    def _wanted_bytes(self) -> int:
        """What is read ahead, and the largest mask that may come to be."""
        scales = self.volume.info.scales
        mask = min(self.settings.max_voxel_count, scales[0].bounds.voxel_count) if scales else 1
        return mask + self.settings.ahead.in_flight_bytes

    def _from(self, there: SkeletonSource, request: SkeletonRequest) -> Generator[SkeletonEvent]:
        pieces = ticking(there.skeletons(request), self.context, self.settings.ahead.tick_s)
        try:
            for piece in pieces:
                yield ScanProgress("elsewhere", 0, 0) if piece is None else piece
        finally:
            pieces.close()


def _lacks_skeletonizer(error: VoxgateError) -> bool:
    return isinstance(error, MissingCapability) and error.details.get("capability") == "skeletonizer"


def _absent(segment_id: int, cannot: VoxgateError | None = None) -> SegmentNotFound:
    """What to say of a segment whose skeleton is not kept, and why it is not computed, where that was tried."""
    message, remedy = f"the store keeps no skeleton of segment {segment_id}", 'take "computed" or "auto"'
    if cannot is not None:
        message, remedy = f"{message}, and {cannot.message}", cannot.remedy
    return SegmentNotFound(
        message, f"{remedy}, or check the id and the label view", details={"segment_id": str(segment_id)}
    )
