"""What a channel is: asked of the store, and believed for a moment.

A server opens a volume for every call, so opening must cost next to nothing; and a channel can be deleted, made again
or written by others at any time. So a description is believed for some seconds, and looked at again at once when the
store answers something that does not fit it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.model.errors import StoreUnavailable, UnknownVolume, UnsupportedFormat, VoxgateError
from voxgate.model.geometry import Vec3
from voxgate.model.hops import LEVELS_HEADER, levels_of_text
from voxgate.model.volumes import CallContext, Scale, VolumeInfo, VolumeKind
from voxgate_remotes.bossdb import routes
from voxgate_remotes.bossdb.client import BossClient, document_of
from voxgate_remotes.bossdb.documents import (
    ChannelDocument,
    ExperimentDocument,
    FrameDocument,
    LevelsDocument,
    parsed,
)
from voxgate_remotes.bossdb.failures import SYSTEM_ERROR, refusal, refused
from voxgate_remotes.bossdb.levels import Level, levels_of
from voxgate_remotes.http.answers import StoreAnswer, StoreCall

CUBOID = Vec3(512, 512, 16)
"""The unit of storage at every level, on a grid that starts at voxel 0 (CUBOIDSIZE of jhuapl-boss/spdb)."""

_ORIGIN = Vec3(0, 0, 0)
_DTYPES = ("uint8", "uint16", "uint32", "uint64")
_KINDS = {"image": VolumeKind.IMAGE, "annotation": VolumeKind.SEGMENTATION}
_KEPT = 1024
_PATIENCE_S = 0.25
_MOST_WAYS = 64


@dataclass(frozen=True, slots=True)
class Described:
    """A channel as the store described it, and as we do."""

    channel: ChannelDocument
    experiment: ExperimentDocument
    frame: FrameDocument
    info: VolumeInfo

    @property
    def has_index(self) -> bool:
        """Whether the store knows which segments are where.

        It indexes what is written to it; of time series it answers for time 0, whatever was asked.
        """
        return self.channel.type == "annotation" and not self.channel.is_elsewhere and self.info.time_count == 1


@dataclass(slots=True)
class _Kept:
    """What is kept of a channel.

    Attributes:
        asking: held by whoever asks, by the servers that the callers came through. Two that came different ways do not
            wait for each other: of voxgates that have each other as remotes, each would wait for the other for ever.
    """

    asking: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    described: Described | None = None
    good_until: float = 0


class Channels:
    """The descriptions of a remote's channels. Thread-safe; of several that want to know, one asks the store."""

    def __init__(self, client: BossClient, believed_s: float) -> None:
        self._client = client
        self._believed_s = believed_s
        self._kept: dict[tuple[str, ...], _Kept] = {}
        self._lock = threading.Lock()

    def get(self, path: tuple[str, ...], context: CallContext) -> Described:
        """The description of a channel; the same object as long as nothing changes.

        Raises:
            UnknownVolume, MetadataInvalid, UnsupportedFormat, StoreAccessDenied, StoreBusy, StoreUnavailable.
        """
        if len(path) != 3 or not all(map(routes.is_name, path)):
            raise UnknownVolume(
                f"there is no volume {'/'.join(path)!r}", "volumes are named COLLECTION/EXPERIMENT/CHANNEL"
            )
        with self._lock:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            kept = self._kept.setdefault(path, _Kept())
        if kept.described is not None and time.monotonic() < kept.good_until:
            return kept.described
        with _held(self._turn(kept, context.via), context):
            if kept.described is not None and time.monotonic() < kept.good_until:
                return kept.described
            return self._ask(path, kept, context)

    def drop(self, path: tuple[str, ...]) -> None:
        """Believe no longer what was said of a channel."""
        with self._lock:
            kept = self._kept.get(path)
        if kept is not None:
            kept.good_until = 0

    def has_moved(self, path: tuple[str, ...], described: Described, context: CallContext) -> bool:
        """Whether a channel is not what it was, looked at now; not known counts as no.

        Raises:
            UnknownVolume: when it is gone.
        """
        self.drop(path)
        try:
            return self.get(path, context).info != described.info
        except UnknownVolume:
            raise
        except VoxgateError:
            return False

    def _turn(self, kept: _Kept, via: tuple[str, ...]) -> threading.Lock:
        with self._lock:
            if len(kept.asking) >= _MOST_WAYS:
                kept.asking.clear()
            return kept.asking.setdefault(via, threading.Lock())

    def _ask(self, path: tuple[str, ...], kept: _Kept, context: CallContext) -> Described:
        started = time.monotonic()
        try:
            found = self._described(path, context)
        except UnknownVolume:
            with self._lock:
                self._kept.pop(path, None)
            raise
        if found == kept.described:
            found = kept.described  # the same object: what was derived from it stays good
        kept.described = found
        kept.good_until = started + self._believed_s
        return found

    def _described(self, path: tuple[str, ...], context: CallContext) -> Described:
        ask = self._client.document
        answer = self._client.done(StoreCall("GET", routes.resource(path)), context, 200)
        channel = parsed(ChannelDocument, document_of(answer), "channel")
        experiment = parsed(ExperimentDocument, ask(routes.resource(path[:2]), context), "experiment")
        frame = parsed(FrameDocument, ask(routes.frame(experiment.coord_frame), context), "coordinate frame")
        levels = _stated(answer)
        if not levels:
            is_plain = channel.base_resolution == 0 and not channel.is_downsampled
            told = None if is_plain else self._levels(path, context)
            levels = levels_of(channel, experiment, frame, told)
        return Described(channel, experiment, frame, _info(channel, experiment, levels))

    def _levels(self, path: tuple[str, ...], context: CallContext) -> LevelsDocument | None:
        """What `/downsample` says; None where the store has no such address, or fails at it.

        It fails with its code 9001 for frames whose voxels are not square in x and y (get_isotropic_level of
        jhuapl-boss/spdb). The levels are then worked out by the same rule: see `levels`.
        """
        answer = self._client.answer(StoreCall("GET", routes.downsample(path)), context)
        if answer.status == 200:
            return parsed(LevelsDocument, document_of(answer), "answer about resolution levels")
        said = refusal(answer)
        if (answer.status, said.code) in ((404, None), (400, SYSTEM_ERROR)):
            return None
        raise refused(answer)


@contextmanager
def _held(lock: threading.Lock, context: CallContext) -> Iterator[None]:
    while not lock.acquire(timeout=_PATIENCE_S):
        context.check()
    try:
        yield
    finally:
        lock.release()


def _stated(answer: StoreAnswer) -> tuple[Level, ...]:
    """The levels that another voxgate says there are; none of any other BossDB.

    All that are told can be read whole, wherever they lie; an experiment's frame may be larger than the channel is.

    Raises:
        MetadataInvalid: for a header that is not understood.
    """
    text = answer.headers.get(LEVELS_HEADER, "")
    told = levels_of_text(text)[: routes.MOST_RESOLUTION + 1] if text else ()
    return tuple(Level(resolution, each.bounds, each.voxel_size_nm) for resolution, each in enumerate(told))


def _info(channel: ChannelDocument, experiment: ExperimentDocument, levels: tuple[Level, ...]) -> VolumeInfo:
    if not routes.is_name(experiment.coord_frame):
        raise StoreUnavailable("the experiment names no coordinate frame", "correct it in the store")
    scales = tuple(
        Scale(
            key=str(level.resolution),
            bounds=level.bounds,
            stored_chunk_shape=CUBOID,
            write_granule_shape=CUBOID,
            grid_origin=_ORIGIN,
            voxel_size_nm=level.voxel_size_nm,
            writable=level.resolution == channel.base_resolution and not channel.is_elsewhere,
        )
        for level in levels
    )
    return VolumeInfo(
        name="",
        dtype=_dtype(channel),
        kind=_KINDS[channel.type],
        scales=scales,
        axes="tzyx" if experiment.num_time_samples > 1 else "zyx",
        time_count=experiment.num_time_samples,
    )


def _dtype(channel: ChannelDocument) -> np.dtype[Any]:
    if channel.datatype not in _DTYPES:
        raise UnsupportedFormat(
            f"channels of the type {channel.datatype!r} are not supported", f"convert it to one of {', '.join(_DTYPES)}"
        )
    return np.dtype(channel.datatype).newbyteorder("<")
