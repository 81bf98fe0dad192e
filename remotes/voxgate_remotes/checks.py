"""What every adapter refuses in the same words: bad boxes, scales, channels, arrays, versions; and URI prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from voxgate.model.errors import (
    DataTypeMismatch,
    EmptyBox,
    InvalidArgument,
    OutOfBounds,
    ReadOnly,
    ShapeMismatch,
    UnknownScale,
    UnknownVersion,
)
from voxgate.model.geometry import Box
from voxgate.model.volumes import OpenOptions, Scale, VolumeInfo, Voxels


def checked_box(info: VolumeInfo, box: Box, scale: int) -> Scale:
    """The scale at index `scale`, once it is known that `box` is a non-empty part of it.

    Raises:
        UnknownScale, EmptyBox, OutOfBounds.
    """
    if not 0 <= scale < len(info.scales):
        raise UnknownScale(f"there is no scale {scale}", f"this volume has scales 0 to {len(info.scales) - 1}")
    level = info.scales[scale]
    if box.is_empty:
        raise EmptyBox(f"the box {box} is empty", "each stop must be greater than its start")
    if not level.bounds.contains(box):
        raise OutOfBounds(f"the box {box} reaches outside the volume", f"scale {scale} has the voxels {level.bounds}")
    return level


def checked_channels(info: VolumeInfo, channels: Sequence[int] | None) -> list[int]:
    """The channel indices to read, in order; None means all.

    Raises:
        InvalidArgument: for an empty sequence.
        OutOfBounds: for a channel that does not exist; negative ones included.
    """
    if channels is None:
        return list(range(info.channel_count))
    if not channels:
        raise InvalidArgument("no channel was asked for", "leave the channels out to read all of them")
    for channel in channels:
        if not 0 <= channel < info.channel_count:
            raise OutOfBounds(f"there is no channel {channel}", f"channels are 0 to {info.channel_count - 1}")
    return [int(channel) for channel in channels]


def checked_out(shape: tuple[int, ...], dtype: np.dtype[Any], out: Voxels | None) -> Voxels:
    """An array of `shape` and `dtype` to fill: `out` itself where given.

    Raises:
        ShapeMismatch, DataTypeMismatch: when `out` is of another shape or dtype.
    """
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape:
        raise ShapeMismatch(f"`out` has shape {out.shape}, the answer {shape}", "shapes are (channel, z, y, x)")
    if out.dtype != dtype:
        raise DataTypeMismatch(f"`out` has dtype {out.dtype}, the volume {dtype}", "nothing is cast silently")
    return out


def checked_write(info: VolumeInfo, box: Box, voxels: Voxels, scale: int) -> Scale:
    """The scale to write, once it is known that `voxels` are exactly those of `box`, all channels.

    Raises:
        UnknownScale, EmptyBox, OutOfBounds, ReadOnly, ShapeMismatch, DataTypeMismatch.
    """
    level = checked_box(info, box, scale)
    if not level.writable:
        raise ReadOnly("this volume takes no writes", "the operator sets `writable = true` for its remote")
    shape = (info.channel_count, *box.shape.zyx)
    if voxels.shape != shape:
        raise ShapeMismatch(f"the voxels have shape {voxels.shape}, their box {shape}", "send (channel, z, y, x)")
    if voxels.dtype != info.dtype:
        raise DataTypeMismatch(f"the voxels are {voxels.dtype}, the volume is {info.dtype}", "cast them yourself")
    return level


def refuse_version_and_time(options: OpenOptions) -> None:
    """For stores without versions and time: refuse what names one.

    Raises:
        UnknownVersion, OutOfBounds.
    """
    if options.version:
        raise UnknownVersion(f"there is no version {options.version!r}", "this store has no versions; leave it out")
    if options.time_index not in (None, 0):
        raise OutOfBounds(f"there is no time point {options.time_index}", "this volume has no time axis")


def path_under(prefix: str, uri: str) -> tuple[int, tuple[str, ...]] | None:
    """How many characters of `prefix` `uri` matches and the decoded path below it; None where it is not below.

    Query and fragment of the prefix do not count; a URI that has any, or empty or dot segments, matches nothing.
    """
    base = urlsplit(prefix)
    root = f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}"
    rest = uri.removeprefix(root)
    below = rest.removeprefix("/")
    ends_name = not rest or rest != below or root.endswith("//")
    if not uri.startswith(root) or not ends_name or "?" in rest or "#" in rest:
        return None
    segments = tuple(unquote(segment) for segment in below.rstrip("/").split("/")) if below else ()
    if any(segment in ("", ".", "..") or "/" in segment for segment in segments):
        return None
    return len(root), segments
