"""Data instances: what every one says of itself, and those that hold plain voxels."""

from __future__ import annotations

import uuid as uuids
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .blocks import Point, VersionedBlocks, Voxels, aligned
from .graph import Node
from .wire import Refused

IMAGES = {
    "uint8blk": ("uint8", "|u1", "imageblk/uint8.go"),
    "uint16blk": ("uint16", "<u2", "imageblk/uint16.go"),
    "uint32blk": ("uint32", "<u4", "imageblk/uint32.go"),
    "uint64blk": ("uint64", "<u8", "imageblk/uint64.go"),
    "float32blk": ("float32", "<f4", "imageblk/float32.go"),
    "labelblk": ("uint64", "<u8", "labelblk"),
    "labelarray": ("uint64", "<u8", "labelarray"),
    "labelmap": ("uint64", "<u8", "labelmap"),
}
LABELS = ("labelblk", "labelarray", "labelmap")
_MOST_BYTES = 3 << 30
_PACKAGES = "github.com/janelia-flyem/dvid/datatype/"


@dataclass
class Instance:
    """What is common to all kinds. `tags` and the rest of the settings come as strings."""

    name: str
    typename: str
    root: str
    compression: str = "LZ4 compression, level -1"
    tags: dict[str, str] | None = None
    versioned: bool = True
    data_uuid: str = field(default_factory=lambda: uuids.uuid4().hex)

    @property
    def type_path(self) -> str:
        return _PACKAGES + self.typename

    def info(self, node: Node) -> dict[str, Any]:
        base: dict[str, Any] = {
            "TypeName": self.typename,
            "TypeURL": self.type_path,
            "TypeVersion": "0.2" if self.typename in ("uint8blk", "keyvalue") else "0.1",
            "DataUUID": self.data_uuid,
            "Name": self.name,
            "RepoUUID": self.root,
            "Compression": self.compression,
            "Checksum": "No checksum",
            "Syncs": [],
            "Versioned": self.versioned,
            "KVStore": "memory",
            "LogStore": "memory",
            "Tags": self.tags,
        }
        return {"Base": base, "Extended": {}}


@dataclass(frozen=True)
class Grid:
    """How voxels lie and what they measure, as given when the instance was made."""

    block_size: Point = (32, 32, 32)
    voxel_size: tuple[float, float, float] = (8.0, 8.0, 8.0)
    units: tuple[str, ...] = ("nanometers",) * 3
    background: int = 0


@dataclass
class Extent:
    """The box written so far, both corners inclusive, and the same in blocks."""

    low: Point
    high: Point

    def grown(self, low: Point, high: Point) -> Extent:
        return Extent(
            (min(self.low[0], low[0]), min(self.low[1], low[1]), min(self.low[2], low[2])),
            (max(self.high[0], high[0]), max(self.high[1], high[1]), max(self.high[2], high[2])),
        )


class VoxelInstance(Instance):
    """Voxels of one type, kept in blocks, with what was written under each version."""

    def __init__(self, name: str, typename: str, root: str, grid: Grid) -> None:
        super().__init__(name, typename, root)
        self.grid = grid
        self.value_type, dtype, self._path = IMAGES[typename]
        self.dtype = np.dtype(dtype)
        self.blocks = VersionedBlocks(grid.block_size, self.dtype)
        self.extents: dict[str, Extent] = {}

    @property
    def type_path(self) -> str:
        return _PACKAGES + self._path

    def read(self, node: Node, start: Point, size: Point) -> Voxels:
        """A box at any alignment, negative too: (z, y, x), zero where nothing was written.

        The setting Background does not show here, only in whole blocks: the server answers zeros for blocks it does
        not have, whatever the instance says its background is.
        """
        self.check(start, size)
        return self.blocks.read(lineage(node), start, size, 0)

    def check(self, start: Point, size: Point) -> None:
        """Refuse a box without voxels, and one larger than a server answers."""
        if min(size) <= 0:
            raise Refused(f"Illegal geometry requested: 3d volume {_go(size)} at offset {_go(start)}")
        asked = size[0] * size[1] * size[2] * self.dtype.itemsize
        if asked > _MOST_BYTES:
            limit = f"exceeds this DVID server's set limit ({_MOST_BYTES})"
            raise Refused(f"requested payload ({asked} bytes) {limit}")

    def write(self, node: Node, start: Point, size: Point, body: bytes) -> None:
        needed = int(np.prod(size)) * self.dtype.itemsize
        if len(body) != needed:
            raise Refused(
                f"voxels data was {len(body)} bytes, expected {needed} bytes for 3d volume {_go(size)} "
                f"at offset {_go(start)}"
            )
        if not aligned(start, size, self.grid.block_size):
            raise Refused(f"cannot store voxels in non-block aligned geometry {corners(start, size)}")
        voxels = np.frombuffer(body, self.dtype).reshape(size[::-1])
        for where, block in self.blocks.cut(start, voxels):
            self.blocks.put(node.uuid, where, block)
        self.grow(node, start, size)

    def grow(self, node: Node, start: Point, size: Point) -> None:
        low, high = start, last(start, size)
        before = self.extent(node)
        self.extents[node.uuid] = Extent(low, high) if before is None else before.grown(low, high)

    def extent(self, node: Node) -> Extent | None:
        for uuid in lineage(node):
            if uuid in self.extents:
                return self.extents[uuid]
        return None

    def info(self, node: Node) -> dict[str, Any]:
        described = super().info(node)
        extent = self.extent(node)
        low, high = (None, None) if extent is None else (list(extent.low), list(extent.high))
        edge = self.grid.block_size
        described["Extended"] = {
            "Values": [{"DataType": self.value_type, "Label": self._label()}],
            "Interpolable": self.typename not in LABELS,
            "BlockSize": list(edge),
            "VoxelSize": list(self.grid.voxel_size),
            "VoxelUnits": list(self.grid.units),
            "MinPoint": low,
            "MaxPoint": high,
            "MinIndex": low and [c // e for c, e in zip(low, edge, strict=True)],
            "MaxIndex": high and [c // e for c, e in zip(high, edge, strict=True)],
            "Background": self.grid.background,
            "GridStore": "",
            "ScaleLevel": 0,
        }
        if self.typename != "labelblk":
            described["Extents"] = {"MinPoint": low, "MaxPoint": high}
        return described

    def _label(self) -> str:
        return self.typename if self.typename in LABELS else self.value_type


def lineage(node: Node) -> list[str]:
    return [before.uuid for before in node.lineage()]


def last(start: Point, size: Point) -> Point:
    """The last voxel of a box: DVID's corners are inclusive."""
    return start[0] + size[0] - 1, start[1] + size[1] - 1, start[2] + size[2] - 1


def _go(triple: Point) -> str:
    return "({},{},{})".format(*triple)


def corners(start: Point, size: Point) -> str:
    return f"{_go(start)} -> {_go(last(start, size))}"
