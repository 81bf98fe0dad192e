"""Boxes and points from the command line: always x,y,z."""

from __future__ import annotations

import re

import typer

from voxgate.model.geometry import Box, Vec3

_SPAN = re.compile(r"(?P<start>-?\d+)?:(?P<stop>-?\d+)?|(?P<single>-?\d+)")


def parse_box(text: str, bounds: Box) -> Box:
    """Parse "x0:x1,y0:y1,z0:z1"; an end left out is that of `bounds`, a single number is one voxel.

    Raises:
        typer.BadParameter: when it is not a box.
    """
    spans = [_SPAN.fullmatch(part.strip()) for part in text.split(",")]
    if len(spans) != 3 or None in spans:
        raise typer.BadParameter(f'{text!r} is not a box; write "X0:X1,Y0:Y1,Z0:Z1", for example "10:60,5:77,:"')
    ends = []
    for span, first, last in zip(spans, bounds.start, bounds.stop, strict=True):
        found = span.groupdict() if span else {}
        if found["single"] is not None:
            ends.append((int(found["single"]), int(found["single"]) + 1))
        else:
            ends.append((int(found["start"] or first), int(found["stop"] or last)))
    return Box.of(*ends)


def parse_point(text: str) -> Vec3:
    """Parse "x,y,z", whole voxels.

    Raises:
        typer.BadParameter: when it is not a point.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(re.fullmatch(r"-?\d+", part) for part in parts):
        raise typer.BadParameter(f'{text!r} is not a point; write "X,Y,Z" in whole voxels, for example "120,45,310"')
    return Vec3(*[int(part) for part in parts])


def parse_nm(text: str) -> tuple[float, float, float]:
    """Parse "x,y,z" in nanometres.

    Raises:
        typer.BadParameter: when it is not three numbers.
    """
    try:
        x, y, z = [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f'{text!r} is not three numbers; write "X,Y,Z" in nanometres') from None
    return (x, y, z)


def parse_channels(text: str, names: list[str]) -> tuple[int, ...]:
    """Parse "2,DAPI": channels by index, or by a name that only one has.

    Raises:
        typer.BadParameter: for what names no channel, or several.
    """
    indices = []
    for part in (part.strip() for part in text.split(",")):
        if part.isdecimal():
            indices.append(int(part))
        elif names.count(part) == 1:
            indices.append(names.index(part))
        else:
            raise typer.BadParameter(f"{part!r} names no one channel; there are {len(names)}: {', '.join(names)}")
    return tuple(indices)
