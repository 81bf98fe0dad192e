"""OME-NGFF's `omero` metadata, both ways: what channels are called, and how they are to be shown.

Format: ngff.openmicroscopy.org 0.4 and 0.5, "omero": `channels[]` with `label`, `color` (RRGGBB), and `window` with
`start`, `end`, `min` and `max`; a writer that states channels states colour and window of each. Of what others leave
out or garble nothing is needed to read voxels, so it is then unknown, and no error. What our own writer had to state
without knowing it is listed in a channel's `voxgate:unknown`, so that it does not come back as a statement.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from voxgate.model.errors import InvalidArgument
from voxgate.model.volumes import Channel

_COLOR = re.compile(r"#?([0-9A-Fa-f]{6})")
_WHITE = "FFFFFF"
_UNKNOWN = "voxgate:unknown"
"""Our own member of a channel: names of what was filled in."""


def channels_of(attributes: Mapping[str, Any]) -> tuple[Channel, ...]:
    """The channels that a group's attributes tell of; none where they tell of none.

    Args:
        attributes: `.zattrs` of Zarr v2, or `attributes` of Zarr v3's zarr.json.
    """
    ome = attributes.get("ome")
    omero = (ome if isinstance(ome, dict) else attributes).get("omero")
    listed = omero.get("channels") if isinstance(omero, dict) else None
    return tuple(map(_channel, listed)) if isinstance(listed, list) else ()


def _channel(said: Any) -> Channel:
    if not isinstance(said, dict):
        return Channel()
    window = said.get("window")
    window = window if isinstance(window, dict) else {}
    color = _COLOR.fullmatch(str(said.get("color")))
    channel = Channel(
        name=str(said.get("label") or ""),
        window=_range(window.get("start"), window.get("end")),
        value_range=_range(window.get("min"), window.get("max")),
        color=color.group(1).upper() if color else "",
    )
    return _as_known(channel, said.get(_UNKNOWN))


def _as_known(channel: Channel, unknown: Any) -> Channel:
    """The channel without what our writer filled in and nobody changed since."""
    names = unknown if isinstance(unknown, list) else []
    if "color" in names and channel.color == _WHITE:
        channel = replace(channel, color="")
    window, value_range = channel.window, channel.value_range
    if "window" in names and window == value_range:
        channel = replace(channel, window=None)
    if "value_range" in names and window == value_range:
        channel = replace(channel, value_range=None)
    return channel


def _range(low: Any, high: Any) -> tuple[float, float] | None:
    """Two finite numbers in order; None for anything else."""
    if not all(type(number) in (int, float) for number in (low, high)):
        return None
    try:
        start, stop = float(low), float(high)
    except OverflowError:
        return None
    return (start, stop) if math.isfinite(start) and math.isfinite(stop) and start <= stop else None


def omero_of(channels: Sequence[Channel], dtype: np.dtype[Any]) -> dict[str, Any] | None:
    """The `omero` metadata of channels; None where nothing is known of any.

    What is not known of one is white, and the window all values of the dtype (0 to 1 for floats): it must be stated.

    Raises:
        InvalidArgument: for windows and colours that are none.
    """
    if all(channel == Channel() for channel in channels):
        return None
    return {"channels": [_document(channel, dtype) for channel in channels]}


def _document(channel: Channel, dtype: np.dtype[Any]) -> dict[str, Any]:
    least, most = (0.0, 1.0) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    value_range = channel.value_range or channel.window or (least, most)
    window = channel.window or value_range
    if _range(*value_range) is None or _range(*window) is None:
        raise InvalidArgument(
            "the window of a channel is not two finite numbers in order", "correct it, or leave it out"
        )
    if channel.color and _COLOR.fullmatch(channel.color) is None:
        raise InvalidArgument("the colour of a channel is not six hexadecimal digits", 'write red as "FF0000"')
    (start, end), (low, high) = window, value_range
    unknown = [name for name in ("window", "value_range", "color") if not getattr(channel, name)]
    return {
        "label": channel.name,
        "color": channel.color.removeprefix("#") or _WHITE,
        "window": {"start": start, "end": end, "min": low, "max": high},
        **({_UNKNOWN: unknown} if unknown else {}),
    }
