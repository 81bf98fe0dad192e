"""What the store of a volume on a server keeps of segments: names, descriptions, tags and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.client.calls import BoundCalls
from voxgate.model.errors import VersionMoved
from voxgate.model.segment_properties import SegmentTable
from voxgate.v1 import segment_pb2
from voxgate.wire.segment_properties import TableAssembler

_PAGE = 100_000
"""The most that the contract lets a page have; messages are full before."""
_MOST_BEGINNINGS = 3


@dataclass(frozen=True, slots=True)
class RemoteProperties:
    """Satisfies SegmentProperties. Thread-safe.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def properties(self) -> SegmentTable:
        """All of them, of one moment; see `SegmentProperties.properties`.

        Raises:
            VersionMoved: when they changed, each time, before the last page came.
            IncompleteAnswer: when the pages are not those of one table.
        """
        for _ in range(1, _MOST_BEGINNINGS):
            try:
                return self._table()
            except VersionMoved:
                continue
        return self._table()

    def _table(self) -> SegmentTable:
        assembler, token = TableAssembler(), ""
        while True:
            request = segment_pb2.ListSegmentPropertiesRequest(**self.calls.selects, page_size=_PAGE, page_token=token)
            page = self.calls.unary(self.calls.stubs.segment.ListSegmentProperties, request)
            assembler.add(page)
            token = page.next_page_token
            if not token:
                return assembler.finish()
