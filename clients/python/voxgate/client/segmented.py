"""What an array answers about segments: which there are and where, their voxels, parts and surfaces."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from voxgate.client import physical
from voxgate.client.meshed import MeshedArray, scale_index_of
from voxgate.client.physical import Points
from voxgate.client.segments import (
    Segments,
    checked_segment_id,
    counts_in,
    extents_of,
    ids_in,
    require,
    runs_of,
)
from voxgate.client.skeletons import skeletons_of, teasar_of
from voxgate.model.downsampling import Downsampling, DownsamplingState
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3
from voxgate.model.meshes import MeshProgress
from voxgate.model.segment_properties import SegmentProperties, SegmentTable
from voxgate.model.segments import (
    Runs,
    SegmentExtent,
    SegmentIdReservation,
    SegmentIndex,
    SegmentLookup,
    Supervoxels,
)
from voxgate.model.skeletons import Skeleton, SkeletonRequest
from voxgate.model.texts import TextMatch


class SegmentedArray(MeshedArray):
    """The part of VolumeArray that speaks of segments."""

    __slots__ = ()

    def segments(self, *, top: int | None = None, box: Box | None = None) -> Segments:
        """The segments in a box of this scale, background (0) left out.

        Args:
            top: only this many of the largest, largest first; without it all, by id.
            box: where to look, global coordinates; everywhere when not given.

        Raises:
            MissingCapability: when nothing answers for this volume.
        """
        if top is not None and top < 1:
            raise InvalidArgument(f"top={top} asks for no segment", "give a positive number, or leave it out")
        return Segments(tuple(counts_in(self.volume, box or self.bounds, scale=self.scale_index, top=top)))

    def at(self, points: Points) -> list[int]:
        """The segment id at each point; 0 is background.

        Args:
            points: x, y, z in voxels of this scale, global coordinates: one point or several.
        """
        rows = np.atleast_2d(physical.as_points(points))
        if (rows != np.floor(rows)).any():
            raise InvalidArgument("points must be whole voxels", "turn nanometres into voxels with to_voxels()")
        knows: SegmentLookup | None = self.volume.capability(SegmentLookup)
        knows = knows or require(self.volume, SegmentIndex, "segment index")
        return knows.segments_at([Vec3(*map(int, row)) for row in rows], scale=self.scale_index)

    def segment_ids(self, box: Box | None = None) -> npt.NDArray[np.uint64]:
        """The ids of the segments in a box of this scale, which many stores know without looking at voxels.

        Args:
            box: where to look, global coordinates; everywhere when not given.

        Returns:
            uint64 array, ascending, background (0) left out.

        Raises:
            MissingCapability: when nothing answers for this volume.
        """
        return ids_in(self.volume, box or self.bounds, scale=self.scale_index)

    def segment_bounds(self, segment_ids: Iterable[int]) -> list[SegmentExtent]:
        """Where segments are at this scale, in the order asked for, in one request.

        Each answer has `box` (global voxels of this scale), `is_exact` (no smaller box has every voxel) and
        `voxel_count` (None where the store does not say).

        Raises:
            InvalidSegmentId, SegmentNotFound, SegmentSuperseded: for the first id that has no answer.
            MissingCapability: when nothing answers for this volume.
        """
        ids = [checked_segment_id(segment_id) for segment_id in segment_ids]
        return extents_of(self.volume, ids, scale=self.scale_index) if ids else []

    def segment_voxels(self, segment_id: int, box: Box | None = None) -> Runs:
        """The voxels of a segment at this scale as runs along x; `voxgate.voxels_from_runs` takes them apart.

        Args:
            segment_id: not 0.
            box: only the voxels in it, global coordinates; all when not given.

        Returns:
            int64 array of shape (n, 4): x, y, z of each run's first voxel, global coordinates, and its length along x.
            No voxel twice, in no particular order.

        Raises:
            InvalidSegmentId, SegmentNotFound, SegmentSuperseded, EmptyBox, OutOfBounds.
            MissingCapability: when nothing answers for this volume.
        """
        return runs_of(self.volume, checked_segment_id(segment_id), box=box, scale=self.scale_index)

    def supervoxels(self, segment_id: int) -> list[int]:
        """The supervoxels that a body is made of, ascending.

        Raises:
            InvalidSegmentId, SegmentNotFound, SegmentSuperseded.
            MissingCapability: when the store does not tell bodies from supervoxels.
        """
        return require(self.volume, Supervoxels, "supervoxels").supervoxels_of(checked_segment_id(segment_id))

    def bodies(self, supervoxel_ids: Iterable[int]) -> list[int]:
        """The body of each supervoxel, in order; 0 for one that does not exist any more.

        Raises:
            InvalidSegmentId: for 0, or what is not an unsigned 64 bit number.
            MissingCapability: when the store does not tell bodies from supervoxels.
        """
        ids = [checked_segment_id(supervoxel_id) for supervoxel_id in supervoxel_ids]
        return require(self.volume, Supervoxels, "supervoxels").bodies_of(ids) if ids else []

    def reserve_ids(self, count: int) -> range:
        """Reserve segment ids that nobody else gets; repeating it reserves others.

        Raises:
            ReadOnly: when the remote takes no writes.
            InvalidArgument: for less than one.
            MissingCapability: when the store hands out no ids.
        """
        number = operator.index(count)
        if number < 1:
            raise InvalidArgument(f"{number} ids are none", "ask for at least one")
        first = require(self.volume, SegmentIdReservation, "reservation of ids").reserve_segment_ids(number)
        return range(first, first + number)

    def properties(self) -> SegmentTable:
        """What the store keeps of segments: names, descriptions, tags and numbers, as one table.

        It is read anew each time; `find`, `column(name)` and `to_pandas()` of the table ask nobody.

        Raises:
            MetadataInvalid, UnsupportedFormat: when what is kept cannot be understood.
            MissingCapability: when the store keeps none.
        """
        return require(self.volume, SegmentProperties, "segment properties").properties()

    def find(
        self,
        label: str | None = None,
        *,
        tag: str | None = None,
        where: Mapping[str, str | int | float] | None = None,
        match: TextMatch = "exact",
    ) -> list[int]:
        """The ids of the segments with a name, a tag or values; empty where there is none.

        Reads all properties; whoever looks for many keeps `properties()` and asks the table.

        Args:
            label: the segment's name.
            tag: one of its tags.
            where: values by the names of their properties.
            match: how `label` is compared: "exact", "prefix" or "regex"; see `SegmentTable.find`.

        Raises:
            InvalidArgument: when nothing is asked for, or what cannot be.
            MissingCapability: when the store keeps no properties, or none of this kind.
        """
        return self.properties().find(label, tag=tag, where=where, match=match)

    def skeleton(
        self,
        segment_id: int,
        *,
        source: str = "auto",
        scale: int | str | None = None,
        teasar_scale: float | None = None,
        teasar_const_nm: float | None = None,
        progress: MeshProgress | None = None,
    ) -> Skeleton:
        """The centre line of one segment: `vertices`, `edges`, `radii`, `length_nm`, `save("body.swc")`.

        Args:
            segment_id: not 0.
            source: "auto": the store's own skeleton where it keeps one and nothing of the below is chosen, else
                computed from voxels; "stored" or "computed" for one of them only. `skeleton.origin` says which it was.
            scale: the scale to compute from, by index or key; without it this array's if that is not the finest, else
                the finest within the server's limit.
            teasar_scale: a path clears the voxels within this times its distance to the surface, plus the constant;
                1.5 when not given.
            teasar_const_nm: the constant, nanometres; 300 when not given. Larger means fewer branches.
            progress: called with (phase, done bytes, total bytes).

        Raises:
            InvalidSegmentId, SegmentNotFound, InvalidArgument.
            LimitExceeded: when the segment is too large to compute; says which scale would do.
            MissingCapability: when the store keeps none and the server computes none.
        """
        return self._traced([segment_id], (source, scale, teasar_scale, teasar_const_nm), progress)[0]

    def skeletons(
        self,
        segment_ids: Iterable[int],
        *,
        source: str = "auto",
        scale: int | str | None = None,
        teasar_scale: float | None = None,
        teasar_const_nm: float | None = None,
        progress: MeshProgress | None = None,
    ) -> list[Skeleton]:
        """The centre lines of several segments in the order asked for, in one request; see `skeleton`.

        Raises:
            SegmentNotFound: for the first id that is absent; nothing is answered for the others then.
        """
        return self._traced(segment_ids, (source, scale, teasar_scale, teasar_const_nm), progress)

    def _traced(
        self,
        segment_ids: Iterable[int],
        wishes: tuple[str, int | str | None, float | None, float | None],
        progress: MeshProgress | None,
    ) -> list[Skeleton]:
        ids = [checked_segment_id(segment_id) for segment_id in segment_ids]
        if not ids:
            return []
        source, scale, *parameters = wishes
        # The finest is everybody's: whoever took a coarser one meant it.
        index = (self.scale_index or None) if scale is None else scale_index_of(self._binding, scale)
        request = SkeletonRequest(tuple(dict.fromkeys(ids)), source, index, teasar_of(*parameters))
        by_id = {each.segment_id: each for each in skeletons_of(self.volume, request, progress=progress)}
        return [by_id[segment_id] for segment_id in ids]

    def downsampling(self) -> DownsamplingState:
        """How far the store is with computing coarser levels; `.value` is a word.

        Raises:
            MissingCapability: when the store computes none.
        """
        return require(self.volume, Downsampling, "downsampling by its store").downsampling()

    def start_downsampling(self) -> DownsamplingState:
        """Ask the store to compute coarser levels; open the volume again when they are done.

        Raises:
            ReadOnly: when the remote takes no writes.
            StoreRefused: when the store is at it, or is done and nothing was written since.
            MissingCapability: when the store computes none.
        """
        return require(self.volume, Downsampling, "downsampling by its store").start_downsampling()
