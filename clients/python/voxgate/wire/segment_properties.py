"""Properties of segments on the wire: a table cut into pages by bytes, and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import IncompleteAnswer, InvalidArgument, LimitExceeded, MetadataInvalid, UnsupportedFormat
from voxgate.model.segment_properties import (
    NumberColumn,
    SegmentColumn,
    SegmentTable,
    TagColumn,
    TextColumn,
    TextRole,
)
from voxgate.v1 import segment_pb2 as pb
from voxgate.wire.volumes import dtype_from_proto, dtype_to_proto

_KINDS: dict[TextRole, pb.SegmentPropertyKind] = {
    TextRole.LABEL: pb.SEGMENT_PROPERTY_KIND_LABEL,
    TextRole.DESCRIPTION: pb.SEGMENT_PROPERTY_KIND_DESCRIPTION,
    TextRole.OTHER: pb.SEGMENT_PROPERTY_KIND_TEXT,
}
_ROLES: dict[Any, TextRole] = {number: role for role, number in _KINDS.items()}
_VARINT = 10
"""The longest that a number of 64 bits is."""
_INDEX = 5
"""The longest that a number of 32 bits is, or the length of anything in a message."""
_ROWS = 1 << 12
"""Rows measured at a time: a page may be full after a few."""
_BESIDE = 1 << 10
"""More than what a page says beside its segments and properties."""


def page_rows(table: SegmentTable, first: int, most_rows: int, most_bytes: int) -> int:
    """How many rows, at least one where there is any, fit into a page with all that it says of its columns.

    Args:
        table: all rows.
        first: the first of the page.
        most_rows: at most so many.
        most_bytes: of the encoded message.

    Raises:
        LimitExceeded: when not even one row fits, or the columns alone do not.
    """
    stop = min(len(table), first + most_rows)
    described = sum(each.ByteSize() + 4 * _INDEX for each in properties_to_proto(table.rows(slice(0, 0))))
    left = most_bytes - _BESIDE - described
    for begin in range(first, stop, _ROWS):
        sizes = _row_bytes(table, begin, min(stop, begin + _ROWS))
        fitting = int(np.searchsorted(np.cumsum(sizes), left, side="right"))
        if fitting < len(sizes):
            stop = begin + fitting
            break
        left -= int(sizes.sum())
    if (stop > first or first >= len(table)) and left >= 0:
        return max(0, stop - first)
    raise LimitExceeded(
        "what is kept of a segment is larger than a message",
        "ask for some of the properties by their names",
        details={"limit": str(most_bytes), "field": "properties"},
    )


def _row_bytes(table: SegmentTable, first: int, stop: int) -> npt.NDArray[np.int64]:
    """At most how many bytes each row takes in a message."""
    sizes = np.full(stop - first, _VARINT, np.int64)
    for column in table.columns:
        if isinstance(column, NumberColumn):
            sizes += column.values.dtype.itemsize
        elif isinstance(column, TagColumn):
            sizes += [_INDEX * (1 + len(tags)) for tags in column.values[first:stop]]
        else:
            # An "é" takes two bytes; what UTF-8 does not have is refused when it is sent.
            texts = column.values[first:stop]
            sizes += [1 + _INDEX + len(text.encode(errors="surrogatepass")) for text in texts]
    return sizes


def properties_to_proto(table: SegmentTable) -> list[pb.SegmentProperty]:
    """The columns of a table.

    Raises:
        MetadataInvalid: for texts that are no Unicode.
        UnsupportedFormat: for numbers that the contract does not have.
    """
    return [_to_proto(each) for each in table.columns]


def _to_proto(column: SegmentColumn) -> pb.SegmentProperty:
    try:
        if isinstance(column, NumberColumn):
            return _number_to_proto(column)
        if isinstance(column, TagColumn):
            return _tags_to_proto(column)
        return pb.SegmentProperty(
            name=column.name, kind=_KINDS[column.role], description=column.description, texts=column.values
        )
    except UnicodeEncodeError:
        # JSON can say half of a pair of surrogates, which is no character.
        raise MetadataInvalid(
            f"the segment property {column.name!a} has a text that is no Unicode", "correct the text in the store"
        ) from None


def _number_to_proto(column: NumberColumn) -> pb.SegmentProperty:
    try:
        data_type = dtype_to_proto(column.values.dtype)
    except InvalidArgument:
        raise UnsupportedFormat(
            f"the segment property {column.name!r} has numbers of the type {column.values.dtype}",
            "leave it out; the contract has integers of 8 to 64 bits, float32 and float64",
        ) from None
    little = column.values.astype(column.values.dtype.newbyteorder("<"), order="C", copy=False)
    return pb.SegmentProperty(
        name=column.name,
        kind=pb.SEGMENT_PROPERTY_KIND_NUMBER,
        description=column.description,
        data_type=data_type,
        data=little.tobytes(),
    )


def _tags_to_proto(column: TagColumn) -> pb.SegmentProperty:
    # A tag that is listed twice is told by the first.
    places = {tag: place for place, tag in reversed(list(enumerate(column.tags)))}
    strange = {tag for tags in column.values for tag in tags} - places.keys()
    if strange:
        raise MetadataInvalid(
            f"the segment property {column.name!r} has tags that it does not list", f"list {min(strange)!a} too"
        )
    return pb.SegmentProperty(
        name=column.name,
        kind=pb.SEGMENT_PROPERTY_KIND_TAGS,
        tags=column.tags,
        tag_descriptions=column.descriptions,
        tag_counts=[len(tags) for tags in column.values],
        tag_indices=[places[tag] for tags in column.values for tag in tags],
    )


class TableAssembler:
    """The pages of one table, checked as they come."""

    def __init__(self) -> None:
        self._pages: list[SegmentTable] = []
        self._total: int | None = None
        self._rows = 0

    def add(self, page: pb.ListSegmentPropertiesResponse) -> None:
        """Take the next page.

        Raises:
            IncompleteAnswer: when it breaks the contract, or is of another table than those before.
            InvalidArgument: for a kind of property that this side does not know.
        """
        count = len(page.segment_ids)
        columns = tuple(_from_proto(each, count) for each in page.properties)
        if self._total not in (None, page.total_count):
            raise IncompleteAnswer("a page counts other segments than the one before", "ask again")
        if page.next_page_token and not count:
            raise IncompleteAnswer("a page without segments promises more", "ask again; report it if it stays")
        if self._pages and [_described(each) for each in columns] != list(map(_described, self._pages[0].columns)):
            raise IncompleteAnswer("a page has other properties than the one before", "ask again")
        self._total = page.total_count
        self._rows += count
        self._pages.append(SegmentTable(np.array(page.segment_ids, np.uint64), columns))

    def finish(self) -> SegmentTable:
        """The whole table.

        Raises:
            IncompleteAnswer: when segments are missing, or came twice.
        """
        if self._rows != self._total:
            raise IncompleteAnswer(f"{self._rows} segments came instead of {self._total}", "ask again")
        ids = np.concatenate([page.segment_ids for page in self._pages])
        if len(np.unique(ids)) != len(ids):
            raise IncompleteAnswer("a segment came twice", "ask again; report it if it stays")
        return SegmentTable(ids, tuple(map(_joined, zip(*(page.columns for page in self._pages), strict=True))))


def _described(column: SegmentColumn) -> tuple[Any, ...]:
    """All that is said of a column but its values."""
    if isinstance(column, NumberColumn):
        return (column.name, column.values.dtype, column.description)
    if isinstance(column, TagColumn):
        return (column.name, column.tags, column.descriptions)
    return (column.name, column.role, column.description)


def _joined(parts: Sequence[SegmentColumn]) -> SegmentColumn:
    """Columns of the same description, one after the other."""
    first = parts[0]
    if isinstance(first, NumberColumn):
        return replace(first, values=np.concatenate([each.values for each in parts]))
    if isinstance(first, TagColumn):
        return replace(first, values=tuple(_each(parts)))
    return replace(first, values=tuple(_each(parts)))


def _each(parts: Sequence[SegmentColumn]) -> Iterator[Any]:
    for part in parts:
        yield from part.values


def _from_proto(message: pb.SegmentProperty, count: int) -> SegmentColumn:
    if message.kind == pb.SEGMENT_PROPERTY_KIND_NUMBER:
        dtype = dtype_from_proto(message.data_type)
        if len(message.data) != count * dtype.itemsize:
            raise _not_one_each(message.name, count)
        return NumberColumn(message.name, np.frombuffer(message.data, dtype), message.description)
    if message.kind == pb.SEGMENT_PROPERTY_KIND_TAGS:
        return _tags_from_proto(message, count)
    if message.kind not in _ROLES:
        raise InvalidArgument(
            f"the property {message.name!r} is of a kind that this side does not know", "upgrade this side"
        )
    if len(message.texts) != count:
        raise _not_one_each(message.name, count)
    return TextColumn(message.name, tuple(message.texts), _ROLES[message.kind], message.description)


def _tags_from_proto(message: pb.SegmentProperty, count: int) -> TagColumn:
    tags, descriptions = tuple(message.tags), tuple(message.tag_descriptions)
    if len(message.tag_counts) != count or sum(message.tag_counts) != len(message.tag_indices):
        raise _not_one_each(message.name, count)
    if len(descriptions) not in (0, len(tags)) or max(message.tag_indices, default=-1) >= len(tags):
        raise IncompleteAnswer(f"the property {message.name!r} has tags that are not told", "ask again")
    named = [tags[place] for place in message.tag_indices]
    stops = np.cumsum(np.array(message.tag_counts, np.int64)).tolist()
    rows = tuple(tuple(named[a:b]) for a, b in zip([0, *stops], stops, strict=False))
    return TagColumn(message.name, rows, tags, descriptions)


def _not_one_each(name: str, count: int) -> IncompleteAnswer:
    return IncompleteAnswer(f"the property {name!r} has not one value for each of {count} segments", "ask again")
