"""Zarr volumes whose chunks can be passed on as they are, in the ways that the other writers do not cover."""

from dataclasses import replace
from pathlib import Path

import numcodecs
import numpy as np
import tensorstore as ts
from zarr.codecs import Crc32cCodec, GzipCodec, ZstdCodec

from support.known_volumes import TIME, KnownVolume, Writer
from support.peer_files import zarr_by_zarr_python
from support.references import image, segmentation
from support.zarr_volumes import CHUNK_ZYX, bare, sparse


def of_axes(volume: KnownVolume, stored: str, axes: str = "", time_count: int = 1) -> KnownVolume:
    """The volume, whose array has the axes `stored` in its own order; `axes` where the volume's are others."""
    return replace(volume, axes=axes or stored, time_count=time_count, stated={**volume.stated, "axes": stored})


def v2_gzip(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    compressor = numcodecs.GZip(4)
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, zarr_format=2, compressors=compressor, fill_value=0)
    return bare(voxels)


def v2_zstd_nested(folder: Path) -> KnownVolume:
    voxels = sparse(image((1, 11, 17, 29)))
    keys = {"name": "v2", "separator": "/"}
    options = {"compressors": numcodecs.Zstd(1), "fill_value": 0, "chunk_key_encoding": keys}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, zarr_format=2, **options)
    return bare(voxels)


def v2_fortran_order_of_xyz(folder: Path) -> KnownVolume:
    """Reversed twice: x is fastest after all."""
    voxels = sparse(segmentation((1, 11, 17, 29)))
    options = {"zarr_format": 2, "order": "F", "compressors": None, "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0].transpose(2, 1, 0), chunks=CHUNK_ZYX[::-1], **options)
    return of_axes(bare(voxels), "xyz", "zyx")


def v3_keys_with_dots(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    keys = {"name": "default", "separator": "."}
    options = {"compressors": [ZstdCodec()], "dimension_names": list("zyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, chunk_key_encoding=keys, **options)
    return bare(voxels)


def v3_keys_of_v2(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    keys = {"name": "v2", "separator": "."}
    options = {"compressors": None, "dimension_names": list("zyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, chunk_key_encoding=keys, **options)
    return bare(voxels)


def v3_channels_in_one_chunk(folder: Path) -> KnownVolume:
    voxels = sparse(image((3, 11, 17, 29), "<u2"))
    options = {"compressors": [GzipCodec()], "dimension_names": list("czyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels, chunks=(3, *CHUNK_ZYX), **options)
    return of_axes(bare(voxels), "czyx")


def v3_time_in_chunks_of_one(folder: Path) -> KnownVolume:
    voxels = image((4, 2, 11, 17, 29), "<u2")
    sparse(voxels[TIME])
    options = {"compressors": None, "dimension_names": list("tczyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels, chunks=(1, 2, *CHUNK_ZYX), **options)
    return of_axes(bare(voxels[TIME]), "tczyx", time_count=4)


def v3_shards_of_time_and_channels(folder: Path) -> KnownVolume:
    voxels = image((4, 2, 11, 17, 29), "<u2")
    shards = {"shards": (2, 2, 8, 12, 16)}
    options = {"compressors": [ZstdCodec()], "dimension_names": list("tczyx"), "fill_value": 0, **shards}
    zarr_by_zarr_python(folder, voxels, chunks=(1, 2, *CHUNK_ZYX), **options)
    volume = bare(voxels[TIME])
    facts = tuple(replace(scale, absent=()) for scale in volume.scales)
    return of_axes(replace(volume, scales=facts), "tczyx", time_count=4)


def v3_index_at_the_start(folder: Path) -> KnownVolume:
    voxels = sparse(segmentation((1, 11, 17, 29)))
    inner = [{"name": "bytes", "configuration": {"endian": "little"}}]
    sharding = {"chunk_shape": list(CHUNK_ZYX), "codecs": inner, "index_location": "start"}
    metadata = {
        "shape": [11, 17, 29],
        "data_type": "uint64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 12, 16]}},
        "dimension_names": list("zyx"),
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
    }
    kvstore = {"driver": "file", "path": f"{folder}/"}
    ts.open({"driver": "zarr3", "kvstore": kvstore, "metadata": metadata}, create=True).result()[...] = voxels[0]
    return bare(voxels)


PASSING: list[Writer] = [
    v2_gzip,
    v2_zstd_nested,
    v2_fortran_order_of_xyz,
    v3_keys_with_dots,
    v3_keys_of_v2,
    v3_channels_in_one_chunk,
    v3_time_in_chunks_of_one,
    v3_shards_of_time_and_channels,
    v3_index_at_the_start,
]
"""Chunks can be passed on."""


def v3_channels_in_chunks_of_one(folder: Path) -> KnownVolume:
    voxels = image((3, 11, 17, 29), "<u2")
    options = {"compressors": None, "dimension_names": list("czyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels, chunks=(1, *CHUNK_ZYX), **options)
    return of_axes(bare(voxels), "czyx")


def v3_two_times_in_a_chunk(folder: Path) -> KnownVolume:
    voxels = image((4, 11, 17, 29), "<u2")
    options = {"compressors": None, "dimension_names": list("tzyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels, chunks=(2, *CHUNK_ZYX), **options)
    return of_axes(bare(voxels[TIME][None]), "tzyx", time_count=4)


def v3_channels_fastest(folder: Path) -> KnownVolume:
    voxels = image((3, 11, 17, 29), "<u2")
    options = {"compressors": None, "dimension_names": list("zyxc"), "fill_value": 0}
    zarr_by_zarr_python(folder, np.moveaxis(voxels, 0, -1), chunks=(*CHUNK_ZYX, 3), **options)
    return of_axes(bare(voxels), "zyxc", "czyx")


def v3_more_channels_in_a_chunk_than_there_are(folder: Path) -> KnownVolume:
    voxels = image((3, 11, 17, 29), "<u2")
    options = {"compressors": None, "dimension_names": list("czyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels, chunks=(4, *CHUNK_ZYX), **options)
    return of_axes(bare(voxels), "czyx")


def v3_checksum_behind_the_voxels(folder: Path) -> KnownVolume:
    voxels = segmentation((1, 11, 17, 29))
    options = {"compressors": [Crc32cCodec()], "dimension_names": list("zyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, **options)
    return bare(voxels)


def v2_zlib(folder: Path) -> KnownVolume:
    voxels = segmentation((1, 11, 17, 29))
    zarr_by_zarr_python(folder, voxels[0], chunks=CHUNK_ZYX, zarr_format=2, compressors=numcodecs.Zlib(1), fill_value=0)
    return bare(voxels)


KEPT: list[Writer] = [
    v3_channels_in_chunks_of_one,
    v3_two_times_in_a_chunk,
    v3_channels_fastest,
    v3_more_channels_in_a_chunk_than_there_are,
    v3_checksum_behind_the_voxels,
    v2_zlib,
]
"""Chunks are in another order, in pieces or behind a codec without a name in the contract: never passed on."""
