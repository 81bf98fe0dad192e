"""What an array answers about surfaces."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace

from voxgate.client.binding import Binding
from voxgate.client.jobs import JobHandle
from voxgate.client.lazy_views import LazilyViewedArray
from voxgate.client.mesh_jobs import MeshesAll
from voxgate.client.segments import checked_segment_id, mesh_segments, require
from voxgate.client.wishes import Extent, choice, request_uuid, vec3
from voxgate.model.errors import InvalidArgument, UnknownScale
from voxgate.model.geometry import Box
from voxgate.model.jobs import MeshJobMode, MeshJobResult, MeshJobSpec
from voxgate.model.mesh_facts import SIMPLIFICATIONS, Simplification
from voxgate.model.meshes import Mesh, MeshProgress, MeshRequest


class MeshedArray(LazilyViewedArray):
    """The part of VolumeArray that speaks of surfaces."""

    __slots__ = ()

    def mesh(  # noqa: PLR0913  (each is a choice of its own)
        self,
        segment_id: int,
        *,
        bounds: Box | None = None,
        scale: int | str | None = None,
        closed: bool = True,
        mesher: str = "",
        source: str = "auto",
        max_error_nm: float | None = None,
        target_face_count: int | None = None,
        simplification: str = "quality",
        normals: bool = False,
        search: str = "auto",
        progress: MeshProgress | None = None,
    ) -> Mesh:
        """The surface of one segment: `vertices`, `faces`, `normals`, `statistics`, `save("body.obj")`.

        Args:
            segment_id: not 0.
            bounds: only this box, in voxels of the scale that is meshed.
            scale: another scale than this array's, by index or key.
            closed: whether the surface is closed where it meets the border of the bounds.
            mesher: a mesher by name; empty means the server's default.
            source: "auto": the store's own mesh where it keeps one and neither something of the above nor a
                simplification is chosen, else made from voxels; "stored" or "computed" for one of them only.
                `mesh.origin` says which it was.
            max_error_nm: make triangles fewer while the surface stays this close to the one of the voxels, nanometres.
            target_face_count: make triangles fewer until there are no more than this, or `max_error_nm` forbids. With
                one of these two, an array of scale 0 without `scale` and `bounds` is meshed at the coarsest scale that
                is fine enough; `mesh.scale` says which it was.
            simplification: "quality" keeps the topology; "fast" is for looking at.
            normals: whether to answer a normal for each vertex.
            search: how the segment's voxels are found: "auto", "index", "everywhere" or "pyramid"; see the proto of
                the Mesh service. `mesh.search` says which it was.
            progress: called with (phase, done bytes, total bytes).

        Raises:
            InvalidSegmentId, InvalidArgument, SegmentNotFound, OutOfBounds, LimitExceeded, MissingCapability.
        """
        simpler = simplification_of(max_error_nm, target_face_count, simplification)
        wishes = MeshRequest((), None, bounds, closed, mesher, source, simpler, normals, search)
        return self._meshed([segment_id], wishes, scale, progress)[0]

    def meshes(  # noqa: PLR0913  (as for `mesh`)
        self,
        segment_ids: Iterable[int],
        *,
        bounds: Box | None = None,
        scale: int | str | None = None,
        closed: bool = True,
        mesher: str = "",
        source: str = "auto",
        max_error_nm: float | None = None,
        target_face_count: int | None = None,
        simplification: str = "quality",
        normals: bool = False,
        search: str = "auto",
        progress: MeshProgress | None = None,
    ) -> list[Mesh]:
        """The surfaces of several segments in the order asked for, in one request; see `mesh`.

        Raises:
            SegmentNotFound: for the first id that is absent; nothing is answered for the others then.
        """
        simpler = simplification_of(max_error_nm, target_face_count, simplification)
        wishes = MeshRequest((), None, bounds, closed, mesher, source, simpler, normals, search)
        return self._meshed(segment_ids, wishes, scale, progress)

    def mesh_all(  # noqa: PLR0913  (as for `mesh`)
        self,
        destination: str = "",
        *,
        box: Box | None = None,
        scale: int | str | None = None,
        chunk_shape: Extent | None = None,
        level_count: int = 0,
        max_error_nm: float | None = None,
        vertex_quantization_bits: int = 16,
        sharded: bool = False,
        minimum_voxel_count: int = 0,
        segment_properties: bool = True,
        mode: MeshJobMode | str = MeshJobMode.FAIL_IF_EXISTS,
        request_id: str | None = None,
    ) -> JobHandle[MeshJobResult]:
        """Start meshing all segments, to be stored with levels of detail as neuroglancer reads them.

        Args:
            destination: "remote/path" of a precomputed volume that takes writes, or of nothing yet, which becomes a
                folder of meshes by itself; empty stores them beside this volume.
            box: only this box, in voxels of the scale that is meshed; surfaces are closed at its border.
            scale: another scale than this array's, by index or key.
            chunk_shape: x, y, z: voxels that the finest pieces of a mesh span, each 16 to 1024; what the server holds
                at once grows with it. None leaves the choice to the server.
            level_count: the most levels of detail; 0 means as many as it takes until one piece holds a whole segment.
            max_error_nm: how far the finest level may be from the unsimplified surface, each coarser one twice as far;
                None means the voxels' shortest side, 0 that the finest level is not simplified.
            vertex_quantization_bits: 10 or 16, for each axis of a piece.
            sharded: many meshes in one file, instead of two files for each.
            minimum_voxel_count: leave out segments with fewer voxels.
            segment_properties: whether to store voxel counts, volumes and surfaces, too.
            mode: "fail-if-exists", or "overwrite" to replace meshes that are there.
            request_id: a UUID, or words of your own that stand for one; repeating a call with the same one and the same
                parameters answers the same job.

        Raises:
            AlreadyExists: when there are meshes already.
            ReadOnly, UnsupportedFormat: for a destination that takes no meshes.
            MissingCapability, ConfigInvalid: for what is no segmentation, or of unknown voxel size.
            FailedPrecondition: when the server keeps no jobs, or another job stores meshes there.
            InvalidArgument, UnknownScale, OutOfBounds, RequestIdReused.
        """
        asked = MeshJobSpec(
            volume="",
            destination=destination,
            scale=self.scale_index if scale is None else scale_index_of(self._binding, scale),
            box=box,
            chunk_shape=None if chunk_shape is None else vec3(chunk_shape, "chunk_shape"),
            level_count=level_count,
            max_error_nm=max_error_nm,
            vertex_quantization_bits=vertex_quantization_bits,
            sharded=sharded,
            minimum_voxel_count=minimum_voxel_count,
            segment_properties=segment_properties,
            mode=choice(MeshJobMode, mode, "mode"),
        )
        return require(self.volume, MeshesAll, "meshing").mesh_all(asked, request_uuid(request_id))

    def _meshed(
        self,
        segment_ids: Iterable[int],
        wishes: MeshRequest,
        scale: int | str | None,
        progress: MeshProgress | None,
    ) -> list[Mesh]:
        ids = [checked_segment_id(segment_id) for segment_id in segment_ids]
        wishes.check()
        if not ids:
            return []
        index = self._scale_to_mesh(wishes) if scale is None else scale_index_of(self._binding, scale)
        request = replace(wishes, segment_ids=tuple(dict.fromkeys(ids)), scale=index)
        by_id = {mesh.segment_id: mesh for mesh in mesh_segments(self.volume, request, progress=progress)}
        return [by_id[segment_id] for segment_id in ids]

    def _scale_to_mesh(self, wishes: MeshRequest) -> int | None:
        """The scale of a request that names none: this array's, or of scale 0 None, which leaves it to the server."""
        is_free = wishes.simplification is not None and wishes.bounds is None and self.scale_index == 0
        return None if is_free else self.scale_index


def simplification_of(max_error_nm: float | None, target_face_count: int | None, mode: str) -> Simplification | None:
    """How far to simplify; None when neither an error nor a number of triangles is given.

    Raises:
        InvalidArgument: for an unknown mode.
    """
    if mode not in SIMPLIFICATIONS:
        raise InvalidArgument(f"{mode!r} is no simplification", f"one of {', '.join(SIMPLIFICATIONS)}")
    if max_error_nm is None and target_face_count is None:
        return None
    target = None if target_face_count is None else operator.index(target_face_count)
    return Simplification(None if max_error_nm is None else float(max_error_nm), target, mode)


def scale_index_of(binding: Binding, scale: int | str) -> int:
    """A scale by index or key, as its index.

    Raises:
        UnknownScale: when there is none, or several of that key.
    """
    if isinstance(scale, str):
        keys = [level.key for level in binding.info.scales]
        if keys.count(scale) != 1:
            raise UnknownScale(f"no scale has the key {scale!r}", f"the keys are {keys}")
        return keys.index(scale)
    index = operator.index(scale)
    binding.level_at(index)
    return index
