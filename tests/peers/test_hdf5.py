"""HDF5: what h5py wrote in each convention is found, and read as h5py reads it."""

from importlib.metadata import version

import h5py
import numpy as np
import pytest

from support.hdf5_volumes import WRITERS, bdv_two_scales_two_times, cremi_labels, ilastik
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

H5PY = f"h5py {version('h5py')}"
ONE_SCALE = [writer for writer in WRITERS if not writer.__name__.startswith(("bdv", "ilastik"))]


def registry(folder, volumes=None):
    return Registry.from_config(
        RemotesConfig(remotes={"data": RemoteConfig(uri=folder.as_uri(), volumes=volumes or {})})
    )


@pytest.mark.parametrize("writer", ONE_SCALE, ids=lambda writer: writer.__name__)
def test_datasets_are_read_as_h5py_reads_them(tmp_path, proved, writer):
    known = writer(tmp_path / "lab.h5")
    path = "/".join(("lab.h5", *known.inner))
    volume = registry(tmp_path, {path: known.stated or {}}).open(f"data/{path}")
    with h5py.File(tmp_path / "lab.h5") as root:
        theirs = root["/".join(known.inner)][...]
    theirs = theirs[None] if theirs.ndim == 3 else theirs.transpose(3, 0, 1, 2)
    theirs = theirs.transpose(0, 3, 2, 1) if (known.stated or {}).get("axes") == "xyz" else theirs
    whole = volume.info.scales[0].bounds
    part = Box(whole.start + Vec3(3, 2, 1), whole.stop - Vec3(1, 4, 2))
    np.testing.assert_array_equal(volume.read(whole), theirs)
    np.testing.assert_array_equal(volume.read(part), theirs[:, *part.slices_zyx(whole.start)])
    proved("HDF5", "read", H5PY, theirs.size)
    if "c" in known.axes:
        proved("HDF5", "channels", H5PY, theirs.size)


def test_setups_of_bigdataviewer_have_scales_and_times(tmp_path, proved):
    bdv_two_scales_two_times(tmp_path / "movie.h5")
    opened = registry(tmp_path)
    for time in (0, 1):
        volume = opened.open("data/movie.h5/s00", OpenOptions(time_index=time))
        for scale, level in enumerate(volume.info.scales):
            with h5py.File(tmp_path / "movie.h5") as root:
                theirs = root[f"t{time:05d}/s00/{scale}/cells"][...].view("u2")
            np.testing.assert_array_equal(volume.read(level.bounds, scale=scale)[0], theirs)
            proved("HDF5", "scales", H5PY, theirs.size)
            proved("HDF5", "time", H5PY, theirs.size)


@pytest.mark.parametrize("axes", ["tczyx", "tzyxc", "ctzyx", "xyztc"])
def test_five_axes_of_ilastik_in_any_order_are_read(tmp_path, proved, axes):
    whole = ilastik(tmp_path / "probabilities.h5", axes, True)
    for time in range(4):
        options = OpenOptions(time_index=time)
        volume = registry(tmp_path).open("data/probabilities.h5/exported_data", options)
        found = volume.read(volume.info.scales[0].bounds)
        np.testing.assert_array_equal(found, whole[time])
        np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds, channels=[2, 0]), whole[time][[2, 0]])
        for feature in ("read", "channels", "time"):
            proved("HDF5", feature, H5PY, found.size)


def test_the_volumes_of_a_folder_of_files_are_found(tmp_path, proved):
    cremi_labels(tmp_path / "cremi.h5")
    bdv_two_scales_two_times(tmp_path / "movie.hdf5")
    found, groups = [], ["data"]
    listing = registry(tmp_path)
    while groups:
        for entry in listing.list(groups.pop()):
            (found if entry.is_volume else groups).append(entry.name)
    theirs = []
    with h5py.File(tmp_path / "cremi.h5") as root:
        root.visititems(lambda name, node: theirs.append(name) if getattr(node, "ndim", 0) >= 3 else None)
    assert sorted(found) == sorted([*(f"data/cremi.h5/{name}" for name in theirs), "data/movie.hdf5/s00"])
    proved("HDF5", "list", H5PY, len(theirs))
