"""Questions about labels, and what it means that DVID does not know one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import InvalidSegmentId, SegmentNotFound, SegmentSuperseded, StoreUnavailable, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate_remotes.dvid.client import Ask, Query, id_list, json_body, parsed
from voxgate_remotes.dvid.instances import Instance
from voxgate_remotes.dvid.levels import Level
from voxgate_remotes.dvid.voxels import Place


@dataclass(frozen=True, slots=True)
class SizeAnswer:
    """What `sparsevol-size` says: voxels exact, the box grown to whole blocks; of the finest level."""

    voxels: int
    blocks: int
    box: Box


@dataclass(frozen=True, slots=True)
class LabelSource:
    """An instance of labels at one version, read as bodies or as supervoxels."""

    place: Place
    levels: tuple[Level, ...]
    supervoxels: bool

    @property
    def instance(self) -> Instance:
        """The instance."""
        return self.levels[0].instance

    def path(self, *rest: str) -> tuple[str, ...]:
        """The path of an endpoint of it."""
        return self.place.ask(self.instance.name, *rest)

    def query(self, scale: int = 0) -> Query:
        """What says the level and the meaning of ids."""
        level = (("scale", str(scale)),) if scale else ()
        return (*level, ("supervoxels", "true")) if self.supervoxels and self._tells else level

    @property
    def _tells(self) -> bool:
        return self.instance.typename == "labelmap"

    def size(self, segment_id: int) -> SizeAnswer:
        """How large a segment is and between which blocks.

        Raises:
            InvalidSegmentId, SegmentNotFound, SegmentSuperseded, StoreUnavailable.
        """
        check_id(segment_id)
        body = self.place.client.find(
            Ask(self.path("sparsevol-size", str(segment_id)), self.query()), self.place.context
        )
        if body is None:
            raise self.absence(segment_id)
        return _size(parsed(body))

    def mapped(self, ids: list[int]) -> list[int]:
        """The body of each supervoxel; 0 for one that does not exist (any more)."""
        ask = Ask(self.path("mapping"), body=json_body(ids))
        return id_list(self.place.client.get(ask, self.place.context), len(ids))

    def absence(self, segment_id: int) -> VoxgateError:
        """Why DVID has no such segment: it is part of another body now, or it never was, as far as DVID can tell.

        A merged body's supervoxel of the same id tells. Ids that were only ever bodies (after a cleave) leave no trace.
        """
        body = 0 if self.supervoxels else self.mapped([segment_id])[0]
        details = {"segment_id": str(segment_id)}
        if body in (0, segment_id):
            return SegmentNotFound(f"there is no segment {segment_id}", "look ids up in the voxels", details=details)
        return SegmentSuperseded(
            f"segment {segment_id} is part of segment {body} now",
            f"ask for {body}",
            details=details | {"current": str(body)},
        )


def check_id(segment_id: int) -> None:
    """Refuse background.

    Raises:
        InvalidSegmentId: for 0, and for what is no id.
    """
    if not 0 < segment_id < 1 << 64:
        raise InvalidSegmentId(f"{segment_id} is no segment", "0 is background; ids are 1 to 2**64 - 1")


def _size(found: Any) -> SizeAnswer:
    try:
        x0, y0, z0 = (int(number) for number in found["minvoxel"])
        x1, y1, z1 = (int(number) for number in found["maxvoxel"])
        box = Box(Vec3(x0, y0, z0), Vec3(x1 + 1, y1 + 1, z1 + 1))
        return SizeAnswer(int(found["voxels"]), int(found["numblocks"]), box)
    except (KeyError, TypeError, ValueError):
        raise StoreUnavailable("the store's answer is not the size of a segment", "try again later") from None
