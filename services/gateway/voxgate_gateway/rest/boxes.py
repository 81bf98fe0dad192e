"""The parameters that say which voxels: x, y, z, scale, channel, time, labels; and the wish that they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import InvalidArgument, UnknownScale, UnsupportedFormat
from voxgate.model.geometry import Box
from voxgate.model.requests import scale_of
from voxgate.model.volumes import LabelView, VolumeInfo
from voxgate_gateway.backend.cutouts import CutoutWish, check_wish
from voxgate_gateway.rest.kinds import choice, integer, words
from voxgate_gateway.rest.operations import Kind, Parameter

_NUMBER = r"-?[0-9]{1,15}"
_SPAN = re.compile(rf"(?P<one>{_NUMBER})|(?P<start>{_NUMBER})?:(?P<stop>{_NUMBER})?", re.ASCII)
_MOST_CHANNELS = 64
_VIEWS = {view.value: view for view in LabelView}


@dataclass(frozen=True, slots=True)
class AxisSpan:
    """Voxels along one axis: from `start` up to, and without, `stop`; None is where the volume begins or ends."""

    start: int | None = None
    stop: int | None = None


def _span(text: str) -> AxisSpan:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError("it is START:STOP in voxels, without STOP itself, as in 10:20; or one voxel, as in 10")
    one, start, stop = (int(number) if number else None for number in match.group("one", "start", "stop"))
    return AxisSpan(one, one + 1) if one is not None else AxisSpan(start, stop)


def _channels(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[0-9]{1,4}(,[0-9]{1,4})*", text, re.ASCII) or text.count(",") >= _MOST_CHANNELS:
        raise ValueError(f"it is numbers with commas between them, at most {_MOST_CHANNELS}, as in 0 or 0,2")
    return tuple(map(int, text.split(",")))


SPAN = Kind({"type": "string", "pattern": f"^({_NUMBER}|({_NUMBER})?:({_NUMBER})?)$"}, _span)
_CHANNELS = Kind({"type": "string", "pattern": f"^[0-9]{{1,4}}(,[0-9]{{1,4}}){{0,{_MOST_CHANNELS - 1}}}$"}, _channels)
OF_THE_VOLUME = (
    Parameter("scale", integer(0, 1000), "The scale by its index in `info`; without it the finest.", example="0"),
    Parameter(
        "scale_key",
        words(r"[^\x00-\x1f]+", "the key of a scale", 200),
        "The scale by its key in `info`, instead of `scale`.",
    ),
    Parameter("channel", _CHANNELS, "The channels, in this order; without it all of them.", example="0"),
    Parameter("time", integer(0, 2**31), "The time point; required where the volume has several.", example="0"),
    Parameter(
        "labels",
        choice(*_VIEWS),
        "What segment ids mean, where the store tells `bodies` from their `supervoxels`; without it `bodies`.",
    ),
)


def axis(name: str, text: str, *, required: bool, example: str) -> Parameter:
    """The parameter that says where along x, y or z."""
    return Parameter(name, SPAN, text, required=required, example=example)


def wish_of(info: VolumeInfo, values: Mapping[str, Any]) -> CutoutWish:
    """What the parameters ask of a volume, checked; nothing is allocated.

    Raises:
        VoxgateError: whatever the volume does not have; see `check_wish`.
        UnsupportedFormat: for what has no voxels.
    """
    if not info.scales:
        raise UnsupportedFormat(f"{info.name} has no voxels", "its info says what it has")
    scale = scale_index(info, values)
    spans = [values.get(name, AxisSpan()) for name in "xyz"]
    bounds = scale_of(info, scale).bounds
    ends = [
        (a if span.start is None else span.start, b if span.stop is None else span.stop)
        for span, a, b in zip(spans, bounds.start, bounds.stop, strict=True)
    ]
    view = _VIEWS[values["labels"]] if "labels" in values else LabelView.BODIES
    wish = CutoutWish(Box.of(x=ends[0], y=ends[1], z=ends[2]), scale, values.get("channel"), values.get("time"), view)
    check_wish(info, wish)
    return wish


def scale_index(info: VolumeInfo, values: Mapping[str, Any]) -> int:
    """The scale that `scale` or `scale_key` names.

    Raises:
        UnknownScale: where the volume has none of this key.
        InvalidArgument: where both are given.
    """
    key = values.get("scale_key")
    if key is None:
        return int(values.get("scale", 0))
    if "scale" in values:
        raise InvalidArgument("scale and scale_key are given", "give one of them")
    keys = [scale.key for scale in info.scales]
    if key not in keys:
        raise UnknownScale(f"there is no scale {key[:100]!r}", f"it has {', '.join(keys)[:500]}")
    return keys.index(key)
