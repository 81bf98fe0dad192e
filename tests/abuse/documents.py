"""Stored documents: the metadata of every format, opened as a volume and read, and documents that are read alone."""

from __future__ import annotations

import copy
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from abuse.fuzzing import Target, mutated

from support import bombs
from support.stores import open_at
from voxgate.model.geometry import Box, Vec3

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 255, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63),
    0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), "", "a", "..", "../..", "/etc/passwd", "%2e%2e", "\0",
    "\ud800", "a" * 5000, [], {}, [[]], [0, 0, 0], [1, 1, 1], [-1, 4, 4], [2**40] * 3, [1] * 33, {"name": "x"},
    "(2,", "9" * 400 + "u1", "uint8", "uint64", "object", "|O", "<M8[ns]", ">u4", "|V7", "raw", "jpeg", "png",
    "pickle", {"id": "pickle"}, {"id": "json2"}, {"id": "msgpack2"}, {"id": "vlen-bytes"}, {"type": "xz"}, "zstd",
)  # fmt: skip


def targets() -> dict[str, Callable[[], Target]]:
    """Every document by name."""
    return {
        "zarr v2 document": lambda: _volume("zarr2, blosc", ".zarray"),
        "zarr v3 document": lambda: _volume("zarr3, zstd", "zarr.json"),
        "zarr v3 sharding document": lambda: _volume("shard, gzip", "zarr.json"),
        "n5 document": lambda: _volume("n5, gzip", "attributes.json"),
        "precomputed document": lambda: _volume("precomputed, png", "info"),
        "sharded precomputed document": lambda: _volume("sharded precomputed, raw", "info"),
        "zarr v3 shard": lambda: _stored("shard, gzip", "c/0/0/0"),
        "zarr v2 blosc chunk": lambda: _stored("zarr2, blosc", "0.0.0"),
        "n5 block": lambda: _stored("n5, gzip", "0/0/0"),
        "precomputed shard": lambda: _stored("sharded precomputed, raw", "1/0.shard"),
        "OME document": _ome,
        "OME-XML": _ome_xml,
        "segment properties": _properties,
        "sharding of meshes": _sharding,
        "DVID instance": _dvid_instance,
        "DVID repository": _dvid_repo,
        "job documents": _jobs,
    }


def _of_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


def vary_json(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A document with other values, fewer or more keys, deeper nesting; sometimes no document at all."""
    if rng.random() < 0.15:
        return mutated(rng, seeds)
    document = json.loads(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if _change(rng, document):
            break
    return _of_json(document)


def _change(rng: random.Random, document: Any) -> bool:
    places = list(_places(document))
    if not places:
        return False
    holder, key = rng.choice(places)
    choice = rng.random()
    if choice < 0.6:
        holder[key] = copy.deepcopy(rng.choice(_VALUES))
    elif choice < 0.75:
        del holder[key]
    elif choice < 0.85:
        other, inner = rng.choice(places)
        if inner in other if isinstance(other, dict) else inner < len(other):
            holder[key] = copy.deepcopy(other[inner])
    elif isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[:40]) * rng.randrange(1, 4))
    else:
        deep: Any = 1
        for _ in range(rng.choice((3, 60, 250))):
            deep = [deep]
        holder[key] = deep
        return True  # walked no more: copies of it would be deeper than Python goes
    return False


def _places(node: Any) -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            yield node, key
            yield from _places(value)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield node, index
            yield from _places(value)


def _made(case: str) -> tuple[Path, dict[str, Any]]:
    """A good volume of a form in a folder, and what has to be stated of it."""
    voxels = (np.arange(bombs.CHUNK.product) % 251).astype("|u1")
    folder = Path(tempfile.mkdtemp(prefix="voxgate-abuse-")) / "volume"
    form, codec = case.split(", ")
    bombs.write(
        folder, case, {codec: _good(codec, voxels), "raw": _png(voxels) if codec == "png" else voxels.tobytes()}
    )
    is_precomputed = "precomputed" in form
    return folder, {} if is_precomputed else {**bombs.STATED, "axes": "xyz" if form == "n5" else "zyx"}


def _good(codec: str, voxels: Any) -> bytes:
    import gzip

    import zstandard
    from numcodecs import Blosc

    raw = voxels.tobytes()
    if codec == "gzip":
        return gzip.compress(raw, mtime=0)
    if codec == "zstd":
        return zstandard.ZstdCompressor().compress(raw)
    if codec == "blosc":
        return bytes(Blosc("zstd", 5, Blosc.NOSHUFFLE).encode(voxels))
    return raw


def _png(voxels: Any) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(voxels.reshape(-1, bombs.CHUNK.x)).save(file, "PNG")
    return file.getvalue()


def _read_some(folder: Path, stated: dict[str, Any]) -> None:
    """Open, and read a little: what is asked for is small, whatever the document says of sizes."""
    volume = open_at(folder, **stated)
    for scale, level in enumerate(volume.info.scales[:2]):
        volume.read(Box.at(level.bounds.start, Vec3(3, 2, 1)).intersection(level.bounds), scale=scale)


def _volume(case: str, name: str) -> Target:
    folder, stated = _made(case)
    file = folder / name

    def call(data: bytes) -> None:
        file.write_bytes(data)
        _read_some(folder, stated)

    return Target(call, [file.read_bytes()], vary=vary_json)


def _stored(case: str, name: str) -> Target:
    folder, stated = _made(case)
    file = folder / name
    seed = file.read_bytes()

    def call(data: bytes) -> None:
        file.write_bytes(data)
        _read_some(folder, stated)

    return Target(call, [seed])


def _ome() -> Target:
    from voxgate_remotes.ome import parse

    seed = {
        "multiscales": [
            {
                "version": "0.4",
                "axes": [{"name": n, "type": "space", "unit": "nanometer"} for n in "zyx"],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [40, 4 * 2**level, 4 * 2**level]},
                            {"type": "translation", "translation": [1, 2, 3]},
                        ],
                    }
                    for level in range(2)
                ],
            }
        ]
    }
    return Target(lambda data: parse(_parsed(data), None), [_of_json(seed)], vary=vary_json)


def _parsed(data: bytes) -> Any:
    """What a document says; one that is no object is refused before this by who reads it."""
    from voxgate.model.errors import MetadataInvalid

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise MetadataInvalid("no JSON", "") from None
    if not isinstance(found, dict):
        raise MetadataInvalid("no object", "")
    return found


def _ome_xml() -> Target:
    from voxgate_remotes.images.ome_tiff import parse

    seed = (
        b'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        b'<Pixels DimensionOrder="XYZCT" Type="uint8" SizeX="4" SizeY="5" SizeZ="3" SizeC="1" SizeT="1" '
        b'PhysicalSizeX="4" PhysicalSizeXUnit="nm"><TiffData IFD="0" PlaneCount="3"/></Pixels></Image></OME>'
    )
    laughs = b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><OME>&b;</OME>'

    def call(data: bytes) -> None:
        parse(data.decode("utf-8", "replace"), 3, "a.tif")

    return Target(call, [seed], vary=lambda rng, seeds: mutated(rng, [*seeds, laughs]))


def _properties() -> Target:
    from voxgate_remotes.precomputed_kept.properties import parsed_table

    seed = {
        "@type": "neuroglancer_segment_properties",
        "inline": {
            "ids": ["7", str(2**63 + 7)],
            "properties": [
                {"id": "label", "type": "label", "values": ["a", "b"]},
                {"id": "size", "type": "number", "data_type": "float32", "values": [1, 2.5]},
                {"id": "tags", "type": "tags", "tags": ["x", "y"], "values": [[0], [0, 1]]},
            ],
        },
    }
    return Target(lambda data: parsed_table(_parsed(data)), [_of_json(seed)], vary=vary_json)


def _sharding() -> Target:
    from voxgate_remotes.precomputed_kept.shards import parsed_sharding

    seed = {
        "@type": "neuroglancer_uint64_sharded_v1", "hash": "murmurhash3_x86_128", "preshift_bits": 2,
        "minishard_bits": 3, "shard_bits": 4, "minishard_index_encoding": "gzip", "data_encoding": "raw",
    }  # fmt: skip

    def call(data: bytes) -> None:
        sharding = parsed_sharding(_parsed(data))
        sharding.place(2**63 + 7)
        assert sharding.index_bytes < 2**40

    return Target(call, [_of_json(seed)], vary=vary_json)


def _dvid_instance() -> Target:
    from voxgate_remotes.dvid.instances import parse_instance

    seed = {
        "Base": {"TypeName": "labelmap", "Name": "seg", "DataUUID": "a" * 32, "Versioned": True, "Syncs": []},
        "Extended": {
            "Values": [{"DataType": "uint64", "Label": "seg"}], "BlockSize": [64, 64, 64], "VoxelSize": [8, 8, 8],
            "VoxelUnits": ["nanometers"] * 3, "MinPoint": [0, 0, 0], "MaxPoint": [99, 99, 99], "MaxDownresLevel": 3,
        },
    }  # fmt: skip
    return Target(lambda data: parse_instance(_parsed(data)), [_of_json(seed)], vary=vary_json)


def _dvid_repo() -> Target:
    from voxgate_remotes.dvid.graph import parse_repo

    root = "3fa0" * 8
    node = {"Branch": "", "Note": "n", "UUID": root, "VersionID": 1, "Locked": True, "Parents": [], "Children": [2]}
    child = {**node, "UUID": "4fa0" * 8, "VersionID": 2, "Locked": False, "Parents": [1], "Children": []}
    seed = {
        "Root": root, "Alias": "lab", "Description": "", "DataInstances": {},
        "DAG": {"Root": root, "Nodes": {root: {**node, "Created": "2026-01-01T00:00:00Z"}, "4fa0" * 8: child}},
    }  # fmt: skip
    return Target(lambda data: parse_repo(_parsed(data)), [_of_json(seed)], vary=vary_json)


def _jobs() -> Target:
    from voxgate_jobs.documents import from_text

    return Target(lambda data: from_text(data.decode("utf-8", "replace")), [b'{"a": [1, 2], "b": "x"}'], vary=vary_json)


def clean(folder: Path) -> None:
    """Remove a folder of `_made`."""
    shutil.rmtree(folder.parent, ignore_errors=True)
