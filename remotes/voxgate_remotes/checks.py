"""What every adapter refuses in the same words, beyond `voxgate.model.requests`: read-only, versions; URI prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from voxgate.model.errors import FailedPrecondition, InvalidArgument, OutOfBounds, ReadOnly, UnknownVersion
from voxgate.model.geometry import Box
from voxgate.model.remotes import ResolvedUri
from voxgate.model.requests import check_box as checked_box
from voxgate.model.requests import check_channels, check_out, check_write
from voxgate.model.volumes import (
    OpenOptions,
    Scale,
    VolumeInfo,
    Voxels,
)

__all__ = [
    "check_scale_count",
    "checked_box",
    "checked_channels",
    "checked_out",
    "checked_write",
    "path_under",
    "refuse_version_and_time",
]


def checked_channels(info: VolumeInfo, channels: Sequence[int] | None) -> list[int]:
    """The channel indices to read, in order; None means all.

    Raises:
        OutOfBounds: for a channel that does not exist; negative ones included.
    """
    return [int(channel) for channel in check_channels(info, channels)]


def checked_out(shape: tuple[int, ...], dtype: np.dtype[Any], out: Voxels | None) -> Voxels:
    """An array of `shape` and `dtype` to fill: `out` itself where given.

    Raises:
        ShapeMismatch, DataTypeMismatch: when `out` is of another shape or dtype.
    """
    check_out(dtype, shape, out)
    return np.empty(shape, dtype) if out is None else out


def checked_write(info: VolumeInfo, box: Box, voxels: Voxels, scale: int) -> Scale:
    """The scale to write, once it is known that `voxels` are exactly those of `box`, all channels.

    Raises:
        UnknownScale, EmptyBox, OutOfBounds, ReadOnly, ShapeMismatch, DataTypeMismatch.
    """
    level = check_write(info, box, voxels, scale)
    if not level.writable:
        raise ReadOnly("this volume takes no writes", "the operator sets `writable = true` for its remote")
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


def bound_time(info: VolumeInfo, options: OpenOptions) -> int | None:
    """For stores without versions: the time that a caller binds; None where there are several and none was given.

    Raises:
        UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
    """
    if options.version:
        raise UnknownVersion(f"there is no version {options.version!r}", "this store has no versions; leave it out")
    if not 0 <= (options.time_index or 0) < info.time_count:
        raise OutOfBounds(f"there is no time {options.time_index}", f"times are 0 to {info.time_count - 1}")
    return options.time_index if info.time_count > 1 else 0


def chosen_time(info: VolumeInfo, bound: int | None) -> int:
    """What `bound_time` answered, where voxels are touched.

    Raises:
        InvalidArgument: when no time was given at open and there are several.
    """
    if bound is None:
        raise InvalidArgument(
            f"this volume has {info.time_count} time points and none was chosen",
            f"open it with a time_index of 0 to {info.time_count - 1}",
        )
    return bound


def path_under(prefix: str, uri: str) -> ResolvedUri | None:
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
    return ResolvedUri(len(root), segments)


def check_scale_count(found: int, known: int) -> None:
    """Refuse to add levels to a volume that got or lost some since its caller looked.

    Raises:
        FailedPrecondition.
    """
    if found != known:
        raise FailedPrecondition(f"the volume has {found} levels by now, not {known}", "look at it again")
