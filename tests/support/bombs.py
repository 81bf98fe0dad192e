"""Volumes of one small chunk that becomes large, and a process that says what reading them costs.

python -m support.bombs FOLDER...
"""

from __future__ import annotations

import bz2
import json
import lzma
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numcodecs import Blosc

from support.stores import open_at
from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3

BOMB_BYTES = 2**26
ALLOWED_BYTES = 2**24
START, CHUNK = Vec3(-7, 100, 3), Vec3(40, 24, 16)
"""The one chunk of a volume of uint8."""
STATED = {"voxel_offset": tuple(START), "axes": "zyx"}
CELL = Box.at(START, CHUNK)

_INDEX = [{"name": "bytes", "configuration": {"endian": "little"}}]
_BLOSC3 = {"cname": "zstd", "clevel": 5, "shuffle": "noshuffle", "typesize": 1, "blocksize": 0}
_CODECS3 = {
    "gzip": {"level": 1},
    "zstd": {"level": 1},
    "blosc": _BLOSC3,
}


def _zlib(window: int) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, window)
    return stream.compress(bytes(BOMB_BYTES)) + stream.flush()


def _blosc(cname: str) -> bytes:
    encoded: bytes = Blosc(cname, 9, Blosc.NOSHUFFLE).encode(np.zeros(BOMB_BYTES, np.uint8))
    return encoded


ENCODED: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: _zlib(31),
    "zlib": lambda: _zlib(15),
    "bz2": lambda: bz2.compress(bytes(BOMB_BYTES)),
    "xz": lambda: lzma.compress(bytes(BOMB_BYTES), preset=0),
    "zstd": lambda: zstandard.ZstdCompressor().compress(bytes(BOMB_BYTES)),
    "zstd without a size": lambda: zstandard.ZstdCompressor(write_content_size=False).compress(bytes(BOMB_BYTES)),
    "blosc": lambda: _blosc("zstd"),
    "blosc lz4": lambda: _blosc("lz4"),
    "raw": lambda: bytes(BOMB_BYTES),
}


def write_zarr2(folder: Path, data: bytes, compressor: dict[str, Any] | None) -> None:
    """One chunk of Zarr v2."""
    metadata = {"zarr_format": 2, "shape": CHUNK.zyx, "chunks": CHUNK.zyx, "dtype": "|u1", "order": "C"}
    _write(folder, ".zarray", metadata | {"compressor": compressor, "filters": None, "fill_value": 0}, "0.0.0", data)


def write_zarr3(folder: Path, data: bytes, codecs: list[dict[str, Any]]) -> None:
    """One chunk, or shard, of Zarr v3."""
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": CHUNK.zyx,
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": CHUNK.zyx}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": codecs,
    }
    _write(folder, "zarr.json", metadata, "c/0/0/0", data)


def shard_of(data: bytes, *, offset: int = 0, length: int | None = None) -> bytes:
    """A shard of one chunk, with what its index is to say of it."""
    return data + struct.pack("<QQ", offset, len(data) if length is None else length)


def sharding(codecs: list[dict[str, Any]], order: list[int] | None = None) -> list[dict[str, Any]]:
    """Codecs for a shard of one chunk, transposed before where an order is given."""
    shape = [CHUNK.zyx[axis] for axis in order or range(3)]
    transposed = [{"name": "transpose", "configuration": {"order": order}}] if order else []
    configuration = {"chunk_shape": shape, "codecs": codecs, "index_codecs": _INDEX, "index_location": "end"}
    return [*transposed, {"name": "sharding_indexed", "configuration": configuration}]


def codecs3(name: str) -> list[dict[str, Any]]:
    """Codecs of Zarr v3 that end with one of bytes."""
    return [{"name": "bytes"}, {"name": name, "configuration": _CODECS3[name]}]


def write_n5(folder: Path, data: bytes, compression: dict[str, Any], *, mode: int = 0) -> None:
    """One block of N5."""
    metadata = {"dimensions": list(CHUNK), "blockSize": list(CHUNK), "dataType": "uint8", "axes": list("xyz")}
    header = struct.pack(">HHIII", mode, 3, *CHUNK) + (struct.pack(">I", CHUNK.product) if mode else b"")
    _write(folder, "attributes.json", metadata | {"compression": compression}, "0/0/0", header + data)


def write_sharded(folder: Path, data: bytes, index: bytes, *, gzipped: str) -> None:
    """One chunk in a shard of precomputed, of raw voxels; "data" or "index" is compressed with gzip."""
    encodings = {key: "gzip" if key.startswith(gzipped) else "raw" for key in ("data", "index")}
    sharding = {
        "@type": "neuroglancer_uint64_sharded_v1",
        "hash": "identity",
        "preshift_bits": 0,
        "minishard_bits": 0,
        "shard_bits": 0,
        "minishard_index_encoding": encodings["index"],
        "data_encoding": encodings["data"],
    }
    scale = {"key": "1", "size": list(CHUNK), "chunk_sizes": [list(CHUNK)], "voxel_offset": list(START)}
    scale |= {"resolution": [4, 5, 40], "encoding": "raw", "sharding": sharding}
    info = {"type": "image", "data_type": "uint8", "num_channels": 1, "scales": [scale]}
    whole = struct.pack("<QQ", len(data), len(data) + len(index)) + data + index
    _write(folder, "info", {"@type": "neuroglancer_multiscale_volume"} | info, "1/0.shard", whole)


def _write(folder: Path, name: str, metadata: dict[str, Any], chunk: str, data: bytes) -> None:
    (folder / chunk).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(metadata))
    (folder / chunk).write_bytes(data)


def _cost(folder: Path) -> dict[str, Any]:
    """What a read of a volume's one chunk answers, and by how much it raised this process's peak."""
    axes = "xyz" if (folder / "attributes.json").exists() else "zyx"
    volume = open_at(folder, **({} if (folder / "info").exists() else {**STATED, "axes": axes}))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _kilobytes("VmRSS")
    told = {}
    try:
        volume.read(volume.info.scales[0].bounds)
    except VoxgateError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    return {"grown": (_kilobytes("VmHWM") - before) * 1024, "error": "", "message": "", **told}


def _kilobytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    print(json.dumps([_cost(Path(argument)) for argument in sys.argv[1:]]))
