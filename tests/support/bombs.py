"""Volumes of one small chunk that becomes large, and a process that says what reading them costs.

python -m support.bombs FOLDER_OR_URI...
"""

from __future__ import annotations

import bz2
import json
import lzma
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zstandard
from numcodecs import Blosc

from support.stores import open_at
from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import OpenOptions, Volume
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.objects import ObjectsRemote

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
    whole = struct.pack("<QQ", len(data), len(data) + len(index)) + data + index
    _write(folder, "info", _info({"encoding": "raw", "sharding": sharding}), "1/0.shard", whole)


def write_precomputed(folder: Path, data: bytes, encoding: str) -> None:
    """One chunk of precomputed that is a file of its own."""
    name = "_".join(f"{a}-{b}" for a, b in zip(CELL.start, CELL.stop, strict=True))
    _write(folder, "info", _info({"encoding": encoding}), f"1/{name}", data)


def _info(stated: dict[str, Any]) -> dict[str, Any]:
    scale = {"key": "1", "size": list(CHUNK), "chunk_sizes": [list(CHUNK)], "voxel_offset": list(START)}
    scale |= {"resolution": [4, 5, 40], **stated}
    kind = {"@type": "neuroglancer_multiscale_volume", "type": "image", "data_type": "uint8", "num_channels": 1}
    return kind | {"scales": [scale]}


def _write(folder: Path, name: str, metadata: dict[str, Any], chunk: str, data: bytes) -> None:
    (folder / chunk).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(metadata))
    (folder / chunk).write_bytes(data)


BLOSC: dict[str, Any] = {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 0, "blocksize": 0}
COMPRESSORS: dict[str, Any] = {"raw": None, "blosc": BLOSC, "blosc lz4": BLOSC} | {
    name: {"id": name, "level": 1} for name in ("zlib", "gzip", "bz2", "zstd")
}
COMPRESSIONS: dict[str, Any] = {
    "blosc": {"type": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 0},
    "bz2": {"type": "bzip2"},
}


def write(folder: Path, case: str, encoded: dict[str, bytes]) -> None:  # noqa: C901 (one line a case)
    """A volume of a form and a codec, "zarr2, blosc"."""
    form, codec = case.split(", ")
    data, name = encoded.get(codec, b""), codec.split()[0]
    match form:
        case "zarr2":
            write_zarr2(folder, data, COMPRESSORS[codec])
        case "zarr3":
            write_zarr3(folder, data, codecs3(name))
        case "shard":
            write_zarr3(folder, shard_of(data), sharding(codecs3(name)))
        case "shard in a shard":
            write_zarr3(folder, shard_of(shard_of(data)), sharding(sharding(codecs3(name))))
        case "transposed shard":
            write_zarr3(folder, shard_of(data), sharding(codecs3(name), [2, 0, 1]))
        case "blosc and a checksum":
            checked = data + struct.pack("<I", google_crc32c.value(data))
            write_zarr3(folder, checked, [*codecs3(name), {"name": "crc32c"}])
        case "shard that is mostly a hole":
            write_zarr3(folder, shard_of(data, length=CELL.voxel_count), sharding([{"name": "bytes"}]))
        case "n5":
            write_n5(folder, data, COMPRESSIONS.get(codec, {"type": codec}))
        case "n5 of mode 1":
            write_n5(folder, data, COMPRESSIONS[codec], mode=1)
        case "sharded precomputed":
            index = struct.pack("<QQQ", 0, 0, len(data))
            write_sharded(folder, data, index, gzipped="data" if codec == "gzip" else "none")
        case "precomputed":
            write_precomputed(folder, encoded["raw"], codec)
        case "index of sharded precomputed":
            write_sharded(folder, b"", data, gzipped="index" if codec == "gzip" else "none")


def _opened(where: str) -> Volume:
    """A volume in a folder, or elsewhere: "n5" or "precomputed" in its name say what it is; behind "#" an endpoint."""
    uri, _, name = where.partition("#")[0].rpartition("/")
    stated = {} if "precomputed" in name else {**STATED, "axes": "xyz" if "n5" in name else "zyx"}
    if "://" not in where:
        return open_at(Path(where), **stated)
    options = {"endpoint": where.partition("#")[2]} if "#" in where else {}
    config = RemoteConfig(uri=uri, options=options, volumes={name: stated} if stated else {})
    return ObjectsRemote(config).open((name,), OpenOptions())


def _cost(where: str) -> dict[str, Any]:
    """What a read of a volume's one chunk answers, and by how much it raised this process's peak."""
    volume = _opened(where)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _kilobytes("VmRSS")
    told = {}
    try:
        volume.read(volume.info.scales[0].bounds)
    except VoxgateError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    return {"grown": (_kilobytes("VmHWM") - before) * 1024, "error": "", "message": "", **told}


def costs_of(places: Sequence[str]) -> list[dict[str, Any]]:
    """What reading each volume costs a process of its own: bytes its peak has "grown", "error" and "message"."""
    done = subprocess.run(
        [sys.executable, "-m", "support.bombs", *places],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _kilobytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    print(json.dumps([_cost(argument) for argument in sys.argv[1:]]))
