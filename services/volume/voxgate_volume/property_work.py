"""Pages of what a store keeps of segments. Pure: knows no grpc.

A store tells its whole table at once. So that the pages of one answer are of one moment, a page token says of which
table it is; and so that a table is not read anew for every page, the last ones are kept for a while.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.model.errors import InvalidArgument, MissingCapability, VersionMoved
from voxgate.model.segment_properties import NumberColumn, SegmentProperties, SegmentTable, TagColumn
from voxgate.model.volumes import Volume

_KEPT_S = 60.0
_KEPT_TABLES = 4
_KEPT_CELLS = 4_000_000
"""Of all tables together: a text of a few characters takes about 60 bytes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a table is asked for.

    Attributes:
        segment_ids: only these; empty for all.
        properties: only these, by name; empty for all.
    """

    segment_ids: tuple[int, ...] = ()
    properties: tuple[str, ...] = ()

    def of(self, table: SegmentTable) -> SegmentTable:
        """What is asked for of a table, in its order.

        Raises:
            InvalidArgument: for a property that it does not have, or one that is named twice.
        """
        if len(set(self.properties)) != len(self.properties):
            raise InvalidArgument("a property was asked for twice", "name each once", details={"field": "properties"})
        if self.properties:
            for name in self.properties:
                table.column(name)
            columns = tuple(each for each in table.columns if each.name in self.properties)
            table = SegmentTable(table.segment_ids, columns)
        if not self.segment_ids:
            return table
        return table.rows(np.flatnonzero(np.isin(table.segment_ids, np.array(self.segment_ids, np.uint64))))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins.

    Attributes:
        table: all rows of the answer.
        first: row of the page.
        key: who asks for which part of what.
        digest: of the table; "" while it is not worked out.
    """

    table: SegmentTable
    first: int
    key: Hashable
    digest: str = ""


class PropertyTables:
    """Tables whose pages are asked for one after the other. Thread-safe: a race reads twice."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, SegmentTable]] = OrderedDict()

    def place(self, volume: Volume, wanted: Wanted, token: str, asker: Hashable) -> Place:
        """The table that a volume's store keeps, and where in it a page begins.

        Args:
            volume: opened for the caller.
            wanted: which part of the table.
            token: "" for the first page.
            asker: who asks about what, so that nobody is answered from what was read for another.

        Raises:
            InvalidArgument: for a token that is none.
            MissingCapability: when the store keeps no properties of segments.
            VersionMoved: when the table is another one than at the first page. And whatever the store raises.
        """
        first, digest = _parsed(token)
        key = (asker, wanted)
        kept = self._taken((key, digest)) if digest else None
        if kept is not None and first < len(kept):
            return Place(kept, first, key, digest)
        table = wanted.of(_properties(volume))
        if digest and (first >= len(table) or digest != digest_of(table)):
            raise VersionMoved("the properties are not what they were at the first page", "begin with the first page")
        return Place(table, first, key, digest)

    def token_after(self, place: Place, count: int) -> str:
        """The token of the page after one of `count` rows, for which the table is kept; "" on the last."""
        stop = place.first + count
        if stop >= len(place.table):
            return ""
        digest = place.digest or digest_of(place.table)
        self._keep((place.key, digest), place.table)
        return f"{stop}-{digest}"

    def _keep(self, key: Hashable, table: SegmentTable) -> None:
        if _cells(table) > _KEPT_CELLS:
            return
        with self._lock:
            self._kept[key] = (self._clock() + _KEPT_S, table)
            while len(self._kept) > _KEPT_TABLES or sum(_cells(t) for _, t in self._kept.values()) > _KEPT_CELLS:
                self._kept.popitem(last=False)

    def _taken(self, key: Hashable) -> SegmentTable | None:
        """A table that is kept, which is not kept any longer: the last page needs it no more."""
        with self._lock:
            now = self._clock()
            for each in [each for each, (until, _) in self._kept.items() if until < now]:
                del self._kept[each]
            found = self._kept.pop(key, None)
        return None if found is None else found[1]


def _cells(table: SegmentTable) -> int:
    return len(table) * (1 + len(table.columns))


def _properties(volume: Volume) -> SegmentTable:
    knows = volume.capability(SegmentProperties)
    if knows is None:
        raise MissingCapability(
            f"the store of {volume.info.name or 'the volume'} keeps no properties of segments",
            "ask a volume whose capabilities have it",
            details={"capability": "segment_properties"},
        )
    return knows.properties()


def _parsed(token: str) -> tuple[int, str]:
    """The first row and the digest that a token says."""
    if not token:
        return 0, ""
    first, _, digest = token.partition("-")
    if not (first.isascii() and first.isdecimal() and len(first) < 20 and digest):
        raise InvalidArgument("the page token is not one of this server's", "start from the first page")
    return int(first), digest


def digest_of(table: SegmentTable) -> str:
    """The same for equal tables, another for others."""
    digest = hashlib.blake2b(digest_size=12)

    def add(texts: Sequence[str]) -> None:
        """Texts, so that no others give the same bytes."""
        parts = [text.encode(errors="surrogatepass") for text in texts]
        digest.update(np.array([len(parts), *map(len, parts)], "<i8").tobytes())
        digest.update(b"".join(parts))

    digest.update(np.array([len(table), len(table.columns)], "<i8").tobytes())
    digest.update(table.segment_ids.astype("<u8").tobytes())
    for column in table.columns:
        if isinstance(column, NumberColumn):
            add(("number", column.name, column.description, column.values.dtype.str))
            digest.update(column.values.tobytes())
        elif isinstance(column, TagColumn):
            add(("tags", column.name))
            add(column.tags)
            add(column.descriptions)
            digest.update(np.array([len(tags) for tags in column.values], "<i8").tobytes())
            add([tag for tags in column.values for tag in tags])
        else:
            add((column.role.value, column.name, column.description))
            add(column.values)
    return digest.hexdigest()
