"""HDF5 files that h5py writes, in each of the conventions that are read, and what is true of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, Volume, VolumeKind
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5 import Hdf5Format
from voxgate_remotes.testing import ScaleFacts, VolumeCase

SHAPE = (11, 17, 29)
CHUNKS = (4, 6, 8)
CHUNK = Vec3(8, 6, 4)
START = Vec3(-7, 100, 3)
SIZE = VoxelSize(4, 5, 40)
TIME = 1
ABSENT = Box.at(START + Vec3(8, 6, 4), CHUNK)
FORMAT = Hdf5Format()
"""One for all tests of a process: each has a process of its own that looks into files."""
STATED = {"axes": "zyx", "voxel_size_nm": tuple(SIZE), "voxel_offset": tuple(START)}


@dataclass(frozen=True)
class Known:
    """A volume in an HDF5 file: see VolumeCase; `stated` is what its operator has to say of it."""

    inner: tuple[str, ...]
    scales: tuple[ScaleFacts, ...]
    kind: VolumeKind = VolumeKind.UNKNOWN
    axes: str = "zyx"
    time_count: int = 1
    fill_value: float = 0
    stated: dict | None = None

    def case(self, file: Path) -> VolumeCase:
        time = TIME if self.time_count > 1 else None
        return VolumeCase(
            open=lambda options: opened(file, self.inner, replace(options, time_index=time), **(self.stated or {})),
            open_missing=lambda: opened(file, (*self.inner[:-1], "nothing")),
            scales=self.scales,
            kind=self.kind,
            axes=self.axes,
            time_count=self.time_count,
            fill_value=self.fill_value,
        )


def opened(file: Path, inner: tuple[str, ...], options: OpenOptions = OpenOptions(), **stated: object) -> Volume:  # noqa: B008
    store = FORMAT.open(file, inner, VolumeOverrides(**stated))
    return store.bind(store.info, options)


def bare(voxels: np.ndarray, *, absent: bool = False, chunked: bool = True, fill_value: float = 0) -> Known:
    chunk = CHUNK if chunked else Vec3(29, 17, 11)
    facts = ScaleFacts(
        voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=chunk, absent=(ABSENT,) if absent else ()
    )
    return Known(("group", "volume"), (facts,), fill_value=fill_value, stated=STATED)


def write_sparse(file: Path, voxels: np.ndarray, fill_value: float = 0, **options: object) -> None:
    """All chunks but one, one at a time: HDF5 stores those that are written to."""
    voxels[:, *ABSENT.slices_zyx(START)] = fill_value
    with h5py.File(file, "w") as root:
        made = root.create_dataset(
            "group/volume", voxels.shape[1:], voxels.dtype, chunks=CHUNKS, fillvalue=fill_value, **options
        )
        for z, y, x in np.ndindex(3, 3, 4):
            if (z, y, x) != (1, 1, 1):
                where = np.s_[4 * z : 4 * z + 4, 6 * y : 6 * y + 6, 8 * x : 8 * x + 8]
                made[where] = voxels[0][where]


def gzip_uint64(file: Path) -> Known:
    voxels = segmentation((1, *SHAPE))
    write_sparse(file, voxels, compression="gzip", shuffle=True)
    return bare(voxels, absent=True)


def chunked_int16_with_a_fill_value(file: Path) -> Known:
    voxels = image((1, *SHAPE), "<i2")
    write_sparse(file, voxels, fill_value=-5)
    return bare(voxels, absent=True, fill_value=-5)


def gzip_float32_with_checksums(file: Path) -> Known:
    voxels = image((1, *SHAPE), "<f4")
    write_sparse(file, voxels, fill_value=1.5, compression="gzip", fletcher32=True)
    return bare(voxels, absent=True, fill_value=1.5)


def lzf_uint32_newest_format(file: Path) -> Known:
    voxels = segmentation((1, *SHAPE), "<u4")
    with h5py.File(file, "w", libver="latest") as root:
        root.create_dataset("group/volume", data=voxels[0], chunks=CHUNKS, compression="lzf", shuffle=True,
                            fletcher32=True, maxshape=(None, None, 29))  # fmt: skip
    return bare(voxels)


def szip_uint16(file: Path) -> Known:
    voxels = image((1, *SHAPE), "<u2")
    with h5py.File(file, "w") as root:
        root.create_dataset("group/volume", data=voxels[0], chunks=CHUNKS, compression="szip")
    return bare(voxels)


def big_endian_gzip_uint64(file: Path) -> Known:
    voxels = segmentation((1, *SHAPE))
    with h5py.File(file, "w", userblock_size=1024) as root:
        root.create_dataset("group/volume", data=voxels[0].astype(">u8"), chunks=CHUNKS, compression="gzip", shuffle=1)
    return bare(voxels)


def contiguous_uint8(file: Path) -> Known:
    voxels = image((1, *SHAPE))
    with h5py.File(file, "w") as root:
        root["group/volume"] = voxels[0]
    return bare(voxels, chunked=False)


def contiguous_big_endian_float64(file: Path) -> Known:
    voxels = image((1, *SHAPE), "<f8")
    with h5py.File(file, "w") as root:
        root["group/volume"] = voxels[0].astype(">f8")
    return bare(voxels, chunked=False)


def contiguous_xyz_order(file: Path) -> Known:
    voxels = image((1, *SHAPE), "<i8")
    with h5py.File(file, "w") as root:
        root["group/volume"] = voxels[0].transpose(2, 1, 0)
    return replace(bare(voxels, chunked=False), stated=STATED | {"axes": "xyz"})


def contiguous_channels_last(file: Path) -> Known:
    voxels = image((3, *SHAPE), "<u2")
    with h5py.File(file, "w") as root:
        root["group/volume"] = voxels.transpose(1, 2, 3, 0)
        for dimension, label in zip(root["group/volume"].dims, ("z", "y", "x", "channel"), strict=True):
            dimension.label = label
    return replace(bare(voxels, chunked=False), axes="czyx", stated=STATED | {"axes": None})


def nothing_written_yet(file: Path) -> Known:
    voxels = np.full((1, *SHAPE), 7, "<u4")
    with h5py.File(file, "w") as root:
        root.create_dataset("group/volume", SHAPE, "<u4", fillvalue=7)
    known = bare(voxels, chunked=False, fill_value=7)
    return replace(known, scales=(replace(known.scales[0], absent=(Box.at(START, Vec3(29, 17, 11)),)),))


def cremi_labels(file: Path) -> Known:
    voxels = segmentation((1, *SHAPE))
    with h5py.File(file, "w") as root:
        root.create_dataset("volumes/raw", data=image((20, 30, 40)))
        root["volumes/raw"].attrs["resolution"] = (40.0, 4.0, 4.0)
        labels = root.create_dataset("volumes/labels/neuron_ids", data=voxels[0], chunks=CHUNKS, compression="gzip")
        labels.attrs["resolution"], labels.attrs["offset"] = (40.0, 4.0, 4.0), (200.0, 36.0, -8.0)
        root.create_dataset("annotations/ids", data=np.arange(5))
    facts = ScaleFacts(voxels=voxels, start=Vec3(-2, 9, 5), voxel_size_nm=VoxelSize(4, 4, 40), chunk_shape=CHUNK)
    return Known(("volumes", "labels", "neuron_ids"), (facts,), VolumeKind.SEGMENTATION)


def write_bdv(
    file: Path, levels: list[list[np.ndarray]], factors: list[tuple[int, int, int]], **attributes: str
) -> None:
    """Setup s00; `levels` are (z, y, x) arrays by time, then level; 16-bit ones are stored as signed, as BDV does."""
    with h5py.File(file, "w") as root:
        setup = root.create_group("s00")
        setup.attrs.update(attributes)
        setup["resolutions"] = np.array(factors, "f8")
        setup["subdivisions"] = np.array([tuple(CHUNK)] * len(factors), "i4")
        for time, arrays in enumerate(levels):
            for level, array in enumerate(arrays):
                stored = array.view("<i2") if array.dtype == np.dtype("<u2") else array
                root.create_dataset(f"t{time:05d}/s00/{level}/cells", data=stored, chunks=CHUNKS, compression="gzip")


def bdv_two_scales_two_times(file: Path) -> Known:
    times = [[image(SHAPE, "<u2", seed), image((11, 9, 15), "<u2", seed + 9)] for seed in (0, 1)]
    write_bdv(file, times, [(1, 1, 1), (2, 2, 1)])
    scales = (
        ScaleFacts(voxels=times[TIME][0][None], start=Vec3(6, -4, 3), voxel_size_nm=SIZE, chunk_shape=CHUNK),
        ScaleFacts(voxels=times[TIME][1][None], start=Vec3(3, -2, 3), voxel_size_nm=VoxelSize(8, 10, 40)),
    )
    stated = {"voxel_size_nm": tuple(SIZE), "voxel_offset": (6, -4, 3)}
    return Known(("s00",), scales, axes="tzyx", time_count=2, stated=stated)


def ilastik(file: Path, axes: str, chunks: tuple[int, ...] | bool, **options: object) -> np.ndarray:
    """Write /exported_data with 4 times and 3 channels in the order `axes`; answers it as t, c, z, y, x."""
    whole = image((4, 3, *SHAPE), "<f4")
    tags = {"axes": [{"key": a, "typeFlags": 2, "resolution": 0, "description": ""} for a in axes]}
    with h5py.File(file, "w") as root:
        data = whole.transpose(["tczyx".index(a) for a in axes])
        made = root.create_dataset("exported_data", data=data, chunks=chunks, **options)
        made.attrs["axistags"] = json.dumps(tags)
        made.attrs["element_size_um"] = (0.04, 0.005, 0.004)
    return whole


def ilastik_known(voxels: np.ndarray) -> Known:
    facts = ScaleFacts(voxels=voxels, voxel_size_nm=SIZE)
    return Known(("exported_data",), (facts,), axes="tczyx", time_count=4)


def ilastik_tczyx(file: Path) -> Known:
    return ilastik_known(ilastik(file, "tczyx", (3, 2, 4, 6, 8), compression="gzip")[TIME])


def ilastik_tzyxc(file: Path) -> Known:
    return ilastik_known(ilastik(file, "tzyxc", (2, 4, 6, 8, 2), compression="lzf")[TIME])


Writer = Callable[[Path], Known]
WRITERS: list[Writer] = [
    gzip_uint64,
    chunked_int16_with_a_fill_value,
    gzip_float32_with_checksums,
    lzf_uint32_newest_format,
    szip_uint16,
    big_endian_gzip_uint64,
    contiguous_uint8,
    contiguous_big_endian_float64,
    contiguous_xyz_order,
    contiguous_channels_last,
    nothing_written_yet,
    cremi_labels,
    bdv_two_scales_two_times,
    ilastik_tczyx,
    ilastik_tzyxc,
]
