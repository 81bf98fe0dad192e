"""Meshes of an array's labels: the mesher as a library, without a store, a server or grpc.

from voxgate_mesh.meshing import mesh_labels

meshes = mesh_labels(labels, (4, 4, 40))  # labels (z, y, x); nanometres along x, y, z
meshes[7].save("body.obj")
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.mesh_facts import Simplification
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import C, CallContext, Scale, VolumeInfo, VolumeKind, Voxels
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_mesh.meshing import MeshingSettings
from voxgate_mesh.projecting import is_size
from voxgate_mesh.threads import ThreadWorkers

_CHUNK = Vec3(64, 64, 64)  # makes blocks of 128 voxels a side, see `block_shape_for`
_SLAB_VOXELS = 1 << 24  # looked at at a time for ids: that much is copied
_NO_LIMIT = 2**63


def mesh_labels(  # noqa: PLR0913  (each is a choice of its own)
    labels: npt.NDArray[Any],
    voxel_size_nm: VoxelSize | tuple[float, float, float],
    *,
    segment_ids: Iterable[int] | None = None,
    offset: Vec3 | tuple[int, int, int] = (0, 0, 0),
    simplification: Simplification | None = None,
    normals: bool = False,
    closed: bool = True,
    mesher: str = "",
) -> dict[int, Mesh]:
    """Mesh the segments of an array, as the Mesh service meshes those of a volume; blocks are meshed in threads.

    The array is read where it is: blocks of it are copied, one for each thread and a few ahead.

    Args:
        labels: array of shape (z, y, x), of any unsigned integer dtype, bool (True is segment 1), or a signed integer
            dtype without a number below 0; 0 is background.
        voxel_size_nm: x, y, z in nanometres.
        segment_ids: which segments; None means all.
        offset: x, y, z of the array's first voxel in the global frame; voxel i spans [i * size, (i + 1) * size).
        simplification: how far to simplify; None means not.
        normals: whether each vertex gets a normal.
        closed: whether surfaces are closed at the border of the array.
        mesher: a mesher by name; empty means the default.

    Returns:
        The mesh of each segment by its id; `statistics` says what it measures.

    Raises:
        InvalidArgument: for what is no array of labels, or no voxel size.
        InvalidSegmentId: for id 0, or what is no unsigned 64 bit number.
        SegmentNotFound: for a segment without a voxel.
    """
    volume = _ArrayVolume(*_described(labels, VoxelSize(*voxel_size_nm), Vec3(*offset)))
    ids = _ids_in(volume.voxels) if segment_ids is None else tuple(dict.fromkeys(map(int, segment_ids)))
    if not ids:
        return {}
    request = MeshRequest(ids, 0, None, closed, mesher, "computed", simplification, normals, "everywhere")
    workers = ThreadWorkers()
    try:
        source = VolumeMeshes(volume, workers, CallContext(), MeshingSettings(_UNLIMITED))
        answers = {answer.segment_id: answer for answer in source.meshes(request)}
    finally:
        workers.close()
    meshes: dict[int, Mesh] = {}
    for segment_id in ids:
        answer = answers[segment_id]
        if not isinstance(answer, Mesh):
            raise answer.error
        meshes[segment_id] = answer
    return meshes


_UNLIMITED = MeshLimits(_NO_LIMIT, _NO_LIMIT, _NO_LIMIT)


@dataclass(frozen=True, slots=True)
class _ArrayVolume:
    """An array as a volume of one scale that cannot do more than be read.

    Attributes:
        voxels: array of shape (z, y, x), of unsigned integers.
        info: what it is.
    """

    voxels: npt.NDArray[Any]
    info: VolumeInfo

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Copy a box; see `voxgate.model.volumes.Volume.read`."""
        del scale, channels  # there is one of each, and callers in this package ask for no other
        cut = self.voxels[box.slices_zyx(self.info.scales[0].bounds.start)]
        voxels: Voxels = np.ascontiguousarray(cut, self.info.dtype)[np.newaxis]
        if out is None:
            return voxels
        out[...] = voxels
        return out

    def capability(self, kind: type[C]) -> C | None:
        """None."""
        del kind
        return None


def _described(labels: object, size: VoxelSize, offset: Vec3) -> tuple[npt.NDArray[Any], VolumeInfo]:
    """The array as unsigned integers, not copied, and its description.

    Raises:
        InvalidArgument.
    """
    if not isinstance(labels, np.ndarray) or labels.ndim != 3 or labels.size == 0:
        shape = getattr(labels, "shape", "none")
        raise InvalidArgument(
            f"labels are an array of shape (z, y, x), and this one's is {shape}", "give one of three axes"
        )
    if not is_size(size):
        raise InvalidArgument(f"the voxels have no extent: {tuple(size)} nm", "give nanometres above 0 along x, y, z")
    voxels = _unsigned(labels)
    bounds = Box.at(offset, Vec3.from_zyx(voxels.shape))
    scale = Scale("0", bounds, _CHUNK, _CHUNK, offset, size)
    return voxels, VolumeInfo("", voxels.dtype.newbyteorder("<"), VolumeKind.SEGMENTATION, (scale,))


def _unsigned(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    if labels.dtype.kind == "i":
        least = labels.min()
        if least < 0:
            raise InvalidArgument(f"{least} is not a segment id", "ids are integers from 0, background, to 2**64 - 1")
        return labels.view(labels.dtype.str.replace("i", "u"))
    if labels.dtype.kind != "u":
        raise InvalidArgument(f"segment ids are integers, and the labels are {labels.dtype}", "give an integer array")
    return labels


def _ids_in(voxels: npt.NDArray[Any]) -> tuple[int, ...]:
    """The ids in an array, ascending, background left out."""
    layers = max(1, _SLAB_VOXELS // max(1, voxels[0].size))
    found: set[int] = set()
    for start in range(0, len(voxels), layers):
        slab = np.ascontiguousarray(voxels[start : start + layers], voxels.dtype.newbyteorder("="))
        found.update(fastremap.unique(slab).tolist())
    return tuple(sorted(found - {0}))
