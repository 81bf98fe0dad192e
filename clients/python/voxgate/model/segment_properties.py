"""Properties that a store keeps of segments: names, descriptions, tags and numbers, as one table."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model import frames
from voxgate.model.errors import InvalidArgument, MissingCapability
from voxgate.model.texts import TextMatch, text_test


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
C = TypeVar("C", TextColumn, TagColumn)


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

    def rows(self, rows: npt.NDArray[np.integer[Any]] | slice) -> SegmentTable:
        """The table of some segments.

        Args:
            rows: their places in `segment_ids`.
        """
        places = np.arange(len(self))[rows].tolist()
        columns: list[SegmentColumn] = []
        for each in self.columns:
            if isinstance(each, NumberColumn):
                columns.append(replace(each, values=each.values[rows]))
            elif isinstance(each, TagColumn):
                columns.append(replace(each, values=tuple(each.values[place] for place in places)))
            else:
                columns.append(replace(each, values=tuple(each.values[place] for place in places)))
        return SegmentTable(self.segment_ids[rows], tuple(columns))

    def find(
        self,
        label: str | None = None,
        *,
        tag: str | None = None,
        where: Mapping[str, str | int | float] | None = None,
        match: TextMatch = "exact",
    ) -> list[int]:
        """The ids of the segments that everything asked for holds of, in the table's order; empty where there is none.

        Args:
            label: the segment's name.
            tag: one of its tags, of any property that has tags.
            where: values by the names of their properties. Numbers are compared in the property's own dtype; a property
                of tags has the value when it is one of them.
            match: how `label` is compared: "exact", "prefix", or "regex" for a Python regular expression that occurs
                anywhere in it. Upper and lower case differ. Tags and `where` are always exact.

        Raises:
            InvalidArgument: when nothing is asked for, for an unknown property, and for what is no regular expression.
            MissingCapability: when the store keeps no names, or no tags, and one is asked for.
        """
        if label is None and tag is None and not where:
            raise InvalidArgument("nothing was asked for", "give a label, a tag, or where={property: value}")
        found = np.ones(len(self), bool)
        if label is not None:
            names = [each for each in self.columns if isinstance(each, TextColumn) and each.role is TextRole.LABEL]
            is_meant = text_test(label, match)
            found &= self._any(names, "names", lambda column: [is_meant(text) for text in column.values])
        if tag is not None:
            tagged = [each for each in self.columns if isinstance(each, TagColumn)]
            found &= self._any(tagged, "tags", lambda column: [tag in tags for tags in column.values])
        for name, value in (where or {}).items():
            found &= _holds(self.column(name), value)
        return [int(each) for each in self.segment_ids[found]]

    def _any(self, columns: list[C], what: str, test: Callable[[C], list[bool]]) -> npt.NDArray[np.bool_]:
        if not columns:
            known = ", ".join(each.name for each in self.columns) or "none"
            raise MissingCapability(
                f"the store keeps no {what} of segments",
                f"its properties are: {known}",
                details={"capability": "segment_properties"},
            )
        found: npt.NDArray[np.bool_] = np.logical_or.reduce([np.array(test(each), bool) for each in columns])
        return found

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with one row for each segment.

        Its index is "segment_id", uint64; each property is a column of its name: texts as text, numbers in the store's
        dtype, tags as tuples of texts (`frame["tags"].explode()` has a row for each tag). What the properties mean is
        in `attrs["descriptions"]`, by name.

        Raises:
            Unimplemented: without pandas: the extra `voxgate[tables]`.
        """
        values = {each.name: frames.column_of(each.values) for each in self.columns}
        descriptions = {each.name: each.description for each in self.columns if not isinstance(each, TagColumn)}
        return frames.frame_of(values, index=("segment_id", self.segment_ids), descriptions=descriptions)

    def __len__(self) -> int:
        return len(self.segment_ids)

    def __repr__(self) -> str:
        return f"<SegmentTable: {len(self)} segments, {', '.join(each.name for each in self.columns) or 'no columns'}>"


def _holds(column: SegmentColumn, value: str | float) -> npt.NDArray[np.bool_]:
    """Of which rows a value is the column's, or one of its tags."""
    if isinstance(column, NumberColumn):
        if isinstance(value, str):
            raise InvalidArgument(f"the property {column.name!r} has numbers, and {value!r} is a text", "give a number")
        plain = value.item() if isinstance(value, np.generic) else value
        if column.values.dtype.kind != "f" and isinstance(plain, float):
            # As floats, neighbours above 2**53 would be equal.
            if not plain.is_integer():
                return np.zeros(len(column.values), bool)
            plain = int(plain)
        return np.asarray(column.values == plain, bool)
    if not isinstance(value, str):
        raise InvalidArgument(f"the property {column.name!r} has texts, and {value!r} is a number", "give a text")
    if isinstance(column, TagColumn):
        return np.array([value in tags for tags in column.values], bool)
    return np.array([each == value for each in column.values], bool)


class SegmentProperties(Protocol):
    """The store keeps properties of segments."""

    def properties(self) -> SegmentTable:
        """All of them.

        Raises:
            MetadataInvalid: when what is kept contradicts itself.
            UnsupportedFormat: for properties of another kind.
        """
        ...
