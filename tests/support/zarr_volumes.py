"""Zarr volumes that zarr-python and tensorstore write: v2, v3, sharded, OME-NGFF multiscales."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorstore as ts
import zarr
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ZstdCodec

from support.known_volumes import TIME, KnownVolume, Writer
from support.peer_files import zarr_by_zarr_python
from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.testing import ScaleFacts

START = Vec3(-7, 100, 3)
SIZE = VoxelSize(4, 5, 40)
CHUNK = Vec3(8, 6, 4)
CHUNK_ZYX = CHUNK.zyx
ABSENT = Box.at(START + Vec3(8, 6, 4), CHUNK)
STATED = {"kind": "segmentation", "axes": "zyx", "voxel_size_nm": tuple(SIZE), "voxel_offset": tuple(START)}


def sparse(voxels: np.ndarray, start: Vec3 = START, fill_value: float = 0) -> np.ndarray:
    """The voxels, with one whole chunk at the fill value."""
    voxels[:, *ABSENT.slices_zyx(start)] = fill_value
    return voxels


def bare(voxels: np.ndarray, *, fill_value: float = 0) -> KnownVolume:
    facts = ScaleFacts(voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK, absent=(ABSENT,))
    return KnownVolume((facts,), VolumeKind.SEGMENTATION, fill_value=fill_value, stated=STATED)


def v2_blosc(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, zarr_format=2, fill_value=0)
    return bare(voxels)


def v2_plain_nested_with_a_fill_value(folder: Path) -> KnownVolume:
    voxels = sparse(image((1, 11, 17, 29), "<i4"), fill_value=-5)
    keys = {"name": "v2", "separator": "/"}
    options = {"compressors": None, "fill_value": -5, "chunk_key_encoding": keys}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, zarr_format=2, **options)
    return bare(voxels, fill_value=-5)


def v2_big_endian_fortran_order(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    zarr_by_zarr_python(folder, voxels[0].astype(">u8"), chunks=CHUNK_ZYX, zarr_format=2, order="F", fill_value=0)
    return bare(voxels)


def v2_xyz_order(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    zarr_by_zarr_python(folder, voxels[0].transpose(2, 1, 0), chunks=tuple(CHUNK), zarr_format=2, fill_value=0)
    return replace(bare(voxels), stated=STATED | {"axes": "xyz"})


def v3_gzip(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    options = {"compressors": [GzipCodec()], "dimension_names": list("zyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, **options)
    return bare(voxels)


def v3_blosc_float(folder: Path) -> KnownVolume:
    voxels = sparse(image((1, 11, 17, 29), "<f8"), fill_value=1.5)
    options = {"compressors": [BloscCodec()], "dimension_names": list("zyx"), "fill_value": 1.5}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, **options)
    return bare(voxels, fill_value=1.5)


def v3_big_endian(folder: Path) -> KnownVolume:
    voxels = sparse(image((1, 11, 17, 29), "<u2"))
    options = {"serializer": BytesCodec(endian="big"), "compressors": None, "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, **options)
    return bare(voxels)


def v3_sharded(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    shards = (8, 12, 16)
    options = {"compressors": [ZstdCodec()], "shards": shards, "dimension_names": list("zyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, **options)
    # zarr-python stores every chunk of a shard that has any voxel; the next writer leaves a whole shard out.
    facts = ScaleFacts(voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK)
    return replace(bare(voxels), scales=(facts,))


def v3_sharded_by_tensorstore(folder: Path) -> KnownVolume:
    voxels = segmentation((1, 11, 17, 29))
    absent = Box.at(START + Vec3(16, 12, 0), Vec3(13, 5, 8))
    voxels[:, *absent.slices_zyx(START)] = 0
    inner = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip"}]
    sharding = {"name": "sharding_indexed", "configuration": {"chunk_shape": list(CHUNK_ZYX), "codecs": inner}}
    metadata = {
        "shape": [11, 17, 29],
        "data_type": "uint64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 12, 16]}},
        "dimension_names": list("zyx"),
        "codecs": [sharding],
    }
    kvstore = {"driver": "file", "path": f"{folder}/"}
    store = ts.open({"driver": "zarr3", "kvstore": kvstore, "metadata": metadata}, create=True).result()
    store[...] = voxels[0]
    facts = ScaleFacts(voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK, absent=(absent,))
    return replace(bare(voxels), scales=(facts,))


def axis(name: str) -> dict[str, str]:
    if name in "tc":
        return {"name": name, "type": {"t": "time", "c": "channel"}[name]}
    return {"name": name, "type": "space", "unit": "nanometer"}


def ome(folder: Path, axes: str, levels: list[np.ndarray], zarr_format: int) -> None:
    """Write a multiscale group; level k is k + 1 times coarser along x and y, and starts at (-6, 12, 30) / (k + 1)."""
    datasets = []
    for level in range(len(levels)):
        scale = {"x": 4.0 * (level + 1), "y": 5.0 * (level + 1), "z": 40.0, "t": 1.0, "c": 1.0}
        start = {"x": -24.0, "y": 60.0, "z": 1200.0, "t": 0.0, "c": 0.0}
        transforms = [
            {"type": "scale", "scale": [scale[a] for a in axes]},
            {"type": "translation", "translation": [start[a] for a in axes]},
        ]
        datasets.append({"path": f"s{level}", "coordinateTransformations": transforms})
    multiscales = [{"axes": [axis(a) for a in axes], "datasets": datasets, "name": "peer"}]
    group = zarr.create_group(str(folder), zarr_format=zarr_format)
    if zarr_format == 2:
        group.attrs["multiscales"] = [multiscales[0] | {"version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    for level, voxels in enumerate(levels):
        chunks = (*(1,) * (voxels.ndim - 3), *CHUNK_ZYX)
        names = {"dimension_names": list(axes)} if zarr_format == 3 else {}
        array = group.create_array(
            f"s{level}", shape=voxels.shape, dtype=voxels.dtype, chunks=chunks, fill_value=0, **names
        )
        array[...] = voxels


def ome_facts(levels: list[np.ndarray]) -> tuple[ScaleFacts, ...]:
    return tuple(
        ScaleFacts(
            voxels=voxels,
            start=Vec3(-6 // (level + 1), 12 // (level + 1), 30),
            voxel_size_nm=VoxelSize(4 * (level + 1), 5 * (level + 1), 40),
            chunk_shape=CHUNK,
        )
        for level, voxels in enumerate(levels)
    )


def ome_v04(folder: Path) -> KnownVolume:
    levels = [segmentation((1, 9, 14, 22)), segmentation((1, 9, 7, 11), seed=1), segmentation((1, 9, 5, 8), seed=2)]
    ome(folder, "zyx", [level[0] for level in levels], 2)
    return KnownVolume(ome_facts(levels), VolumeKind.SEGMENTATION, stated={"kind": "segmentation"})


def ome_v05_with_channels(folder: Path) -> KnownVolume:
    levels = [image((3, 9, 14, 22), "<u2"), image((3, 9, 7, 11), "<u2", seed=1)]
    ome(folder, "czyx", levels, 3)
    return KnownVolume(ome_facts(levels), VolumeKind.UNKNOWN, "czyx")


def ome_v05_with_channels_and_time(folder: Path) -> KnownVolume:
    levels = [image((4, 2, 9, 14, 22), "<u2"), image((4, 2, 9, 7, 11), "<u2", seed=1)]
    ome(folder, "tczyx", levels, 3)
    facts = ome_facts([level[TIME] for level in levels])
    return KnownVolume(facts, VolumeKind.IMAGE, "tczyx", time_count=4, stated={"kind": "image"})


WRITERS: list[Writer] = [
    v2_blosc,
    v2_plain_nested_with_a_fill_value,
    v2_big_endian_fortran_order,
    v2_xyz_order,
    v3_gzip,
    v3_blosc_float,
    v3_big_endian,
    v3_sharded,
    v3_sharded_by_tensorstore,
    ome_v04,
    ome_v05_with_channels,
    ome_v05_with_channels_and_time,
]
