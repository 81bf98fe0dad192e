"""What requests of every service have in common: which version, time, label view, and which scale."""

from __future__ import annotations

from typing import Any

from voxgate.model.errors import UnknownScale
from voxgate.model.requests import scale_of
from voxgate.model.volumes import CallContext, OpenOptions, VolumeInfo
from voxgate.v1 import types_pb2
from voxgate.wire.volumes import label_view_from_proto


def open_options(request: Any, context: CallContext) -> OpenOptions:
    """What a request fixes when its volume is opened.

    `request` is any message of the contract with `version`; `time_index` and `label_view` count where it has them.
    """
    fields = request.DESCRIPTOR.fields_by_name
    view = request.label_view if "label_view" in fields else types_pb2.LABEL_VIEW_UNSPECIFIED
    has_time = "time_index" in fields and request.HasField("time_index")
    return OpenOptions(
        version=request.version,
        time_index=request.time_index if has_time else None,
        label_view=label_view_from_proto(view),
        context=context,
    )


def scale_index(info: VolumeInfo, request: Any) -> int:
    """The scale that a message with the oneof `scale` picks, by index or key; the finest where it picks none.

    Raises:
        UnknownScale: naming the scales there are.
    """
    if request.WhichOneof("scale") == "scale_key":
        keys = [scale.key for scale in info.scales]
        if request.scale_key not in keys:
            raise UnknownScale(f"there is no scale {request.scale_key!r}", f"there are {', '.join(keys)}")
        return keys.index(request.scale_key)
    scale_of(info, request.scale_index)
    return int(request.scale_index)


def named_scale(info: VolumeInfo, request: Any) -> int | None:
    """The scale that a message with the oneof `scale` picks, by index or key; None where it picks none.

    Raises:
        UnknownScale: naming the scales there are.
    """
    return None if request.WhichOneof("scale") is None else scale_index(info, request)
