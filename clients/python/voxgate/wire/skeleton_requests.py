"""Which skeletons are asked for, between the contract's messages and the vocabulary, both ways."""

from __future__ import annotations

from voxgate.model.errors import InvalidArgument
from voxgate.model.skeletons import SkeletonRequest, Teasar
from voxgate.model.volumes import OpenOptions
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.wire.formats import format_name
from voxgate.wire.volumes import label_view_to_proto

_SOURCES = {
    pb.SKELETON_SOURCE_UNSPECIFIED: "auto",
    pb.SKELETON_SOURCE_AUTO: "auto",
    pb.SKELETON_SOURCE_STORED: "stored",
    pb.SKELETON_SOURCE_COMPUTED: "computed",
}
_SOURCE_NUMBERS = {name: number for number, name in _SOURCES.items()}
_FORMATS = {pb.SKELETON_FORMAT_SWC: "swc", pb.SKELETON_FORMAT_PRECOMPUTED: "precomputed"}


def skeleton_request_to_proto(volume: str, options: OpenOptions, request: SkeletonRequest) -> pb.GetSkeletonsRequest:
    """Which skeletons of a volume, opened with `options`."""
    teasar = request.teasar
    return pb.GetSkeletonsRequest(
        volume=volume,
        version=options.version,
        segment_ids=request.segment_ids,
        label_view=label_view_to_proto(options.label_view),
        time_index=options.time_index,
        source=_SOURCE_NUMBERS[request.source],
        scale_index=request.scale,
        teasar=None if teasar is None else pb.TeasarParameters(scale=teasar.scale, const_nm=teasar.const_nm),
    )


def skeleton_request_from_proto(message: pb.GetSkeletonsRequest, scale: int | None) -> SkeletonRequest:
    """What a message asks for, at the scale that it was found to name; None where it names none.

    Raises:
        InvalidArgument: for words of a newer contract, numbers that mean nothing, and stored skeletons of a choice.
    """
    if message.source not in _SOURCES:
        raise InvalidArgument(f"{message.source} is not a source this side knows", "upgrade the older side")
    teasar = _teasar(message.teasar) if message.HasField("teasar") else None
    request = SkeletonRequest(tuple(message.segment_ids), _SOURCES[message.source], scale, teasar)
    request.check()
    return request


def _teasar(message: pb.TeasarParameters) -> Teasar:
    usual = Teasar()
    return Teasar(
        message.scale if message.HasField("scale") else usual.scale,
        message.const_nm if message.HasField("const_nm") else usual.const_nm,
    )


def skeleton_format_from_proto(number: pb.SkeletonFormat) -> str:
    """A format's name, one of SKELETON_FORMATS.

    Raises:
        InvalidArgument: for an unset or unknown format.
    """
    return format_name(number, _FORMATS)
