"""Properties that a store keeps of segments: names, descriptions, tags and numbers, as one table."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument


class TextRole(enum.Enum):
    """What a text says of its segment: its name, a longer description, or anything else."""

    LABEL = "label"
    DESCRIPTION = "description"
    OTHER = "string"


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A text for each segment.

    Attributes:
        name: of the property, unlike that of every other column.
        values: in the order of the table's segments.
        role: what the texts are.
        description: of the property, for people; may be empty.
    """

    name: str
    values: tuple[str, ...]
    role: TextRole = TextRole.OTHER
    description: str = ""


@dataclass(frozen=True, slots=True)
class TagColumn:
    """Some of a set of tags for each segment.

    Attributes:
        name: of the property, unlike that of every other column.
        values: the tags of each segment, in the order of the table's segments.
        tags: all tags there are.
        descriptions: of each tag, for people; empty where the store has none.
    """

    name: str
    values: tuple[tuple[str, ...], ...]
    tags: tuple[str, ...]
    descriptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """A number for each segment.

    Attributes:
        name: of the property, unlike that of every other column.
        values: array of shape (n,), in the order of the table's segments, in the dtype that the store states.
        description: of the property, for people; may be empty.
    """

    name: str
    values: npt.NDArray[Any]
    description: str = ""


SegmentColumn = TextColumn | TagColumn | NumberColumn


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTable:
    """What is known of segments.

    Attributes:
        segment_ids: uint64 array of shape (n,), in the store's order, none twice.
        columns: each with n values.
    """

    segment_ids: npt.NDArray[np.uint64]
    columns: tuple[SegmentColumn, ...] = ()

    def column(self, name: str) -> SegmentColumn:
        """A column by its name.

        Raises:
            InvalidArgument: when there is none.
        """
        for each in self.columns:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.columns) or "none"
        raise InvalidArgument(f"segments have no property {name!r}", f"there are: {known}")

    def __len__(self) -> int:
        return len(self.segment_ids)

    def __repr__(self) -> str:
        return f"<SegmentTable: {len(self)} segments, {', '.join(each.name for each in self.columns) or 'no columns'}>"


class SegmentProperties(Protocol):
    """The store keeps properties of segments."""

    def properties(self) -> SegmentTable:
        """All of them.

        Raises:
            MetadataInvalid: when what is kept contradicts itself.
            UnsupportedFormat: for properties of another kind.
        """
        ...
