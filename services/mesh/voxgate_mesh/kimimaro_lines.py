"""TEASAR by kimimaro (Silversmith et al.), which is under the GPL: the one module that imports it, in a worker only.

A vertex of kimimaro is the index of its voxel times the voxel size (found by experiment, held by tests): voxel 3 lies
at 3 sizes, where for us its centre is at 3.5. Indices are answered, so that nobody adds half a voxel twice.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import numpy.typing as npt

from voxgate.model.skeletons import Teasar
from voxgate_mesh.skeletonizers import Lines, Skeletonizer


def load_kimimaro() -> Skeletonizer:
    """What computes skeletons, where kimimaro is installed.

    Raises:
        ModuleNotFoundError: where it is not.
    """
    import_module("kimimaro")
    return kimimaro_lines


def kimimaro_lines(mask: npt.NDArray[np.bool_], voxel_size_nm: tuple[float, float, float], teasar: Teasar) -> Lines:
    """The centre lines of a mask of shape (z, y, x); see `voxgate_mesh.skeletonizers.Skeletonizer`.

    Nothing is dropped for being small: kimimaro leaves out parts of one voxel, which are added as trees of one vertex.
    """
    kimimaro = import_module("kimimaro")
    usual = import_module("kimimaro.intake").DEFAULT_TEASAR_PARAMS
    found = kimimaro.skeletonize(
        mask.view(np.uint8).T,
        teasar_params={**usual, "scale": teasar.scale, "const": teasar.const_nm},
        anisotropy=voxel_size_nm,
        dust_threshold=0,
        # That is for neighbours to meet at common places, and there are none. It also follows such places in an order
        # that depends on where the array begins: the same segment cut out otherwise had lines that were 14 % longer.
        fix_borders=False,
        progress=False,
    )
    lonely = _lonely_voxels(mask)
    lonely_radii = np.full(len(lonely), min(voxel_size_nm), np.float32)
    if 1 not in found:
        return lonely, np.zeros((0, 2), np.uint32), lonely_radii
    skeleton = found[1]
    voxels = np.rint(skeleton.vertices.astype(np.float64) / np.array(voxel_size_nm)).astype(np.int64)
    radii = np.concatenate([skeleton.radii.astype(np.float32), lonely_radii])
    return np.concatenate([voxels, lonely]), skeleton.edges.astype(np.uint32), radii


def _lonely_voxels(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The parts of one voxel: int64 of shape (n, 3), columns x, y, z."""
    labels = import_module("cc3d").connected_components(mask, connectivity=26)
    counts = np.bincount(labels.reshape(-1))
    is_lonely = counts == 1
    is_lonely[0] = False
    places = np.flatnonzero(is_lonely[labels.reshape(-1)])
    z, y, x = np.unravel_index(places, mask.shape)
    return np.stack([x, y, z], axis=1).astype(np.int64)
