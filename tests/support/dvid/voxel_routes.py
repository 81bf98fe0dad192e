"""Requests for voxels: raw boxes, blocks, and what an instance says of its axes."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from .blocks import Point, aligned, covered
from .encodings import packed, unpacked
from .graph import Node
from .instances import LABELS, Extent, VoxelInstance, corners, lineage
from .labels import LabelInstance
from .wire import PLAIN, Refused, Reply, Request, json_reply, point


def raw(node: Node, instance: VoxelInstance, request: Request) -> Reply:
    """`raw/0_1_2/size/offset`: what follows the offset is ignored in three dimensions."""
    pieces = request.parts[4:]
    labels = isinstance(instance, LabelInstance)
    if len(pieces) < 3:
        quoted = "'raw'" if labels else '"raw"'
        raise Refused(f"{quoted} must be followed by shape/size/offset")
    if pieces[0] not in ("0_1_2", "vol"):
        if request.method != "GET":
            raise Refused("DVID does not permit 2d mutations, only 3d block-aligned stores")
        raise Refused("this stand-in answers three dimensions only")
    size, start = _point(pieces[1], "Size"), _point(pieces[2], "Offset")
    if roi := request.query.get("roi"):
        raise Refused(f'Can\'t get ROI with name "{roi}": invalid data instance name')
    if isinstance(instance, LabelInstance):
        return _raw_labels(node, instance, request, start, size)
    compression = request.query.get("compression", "") if instance.typename in LABELS else ""
    if request.method == "GET":
        return Reply(packed(instance.read(node, start, size), compression).body)
    if request.method != "POST":
        raise Refused(f'Data "{instance.name}" can only handle GET or POST HTTP verbs')
    instance.write(node, start, size, unpacked(request.body, compression, size) if compression else request.body)
    return Reply(content_type=None)


def extents(node: Node, instance: VoxelInstance, request: Request) -> Reply:
    """Both corners inclusive. The last to say so wins, until the next write grows them to whole blocks."""
    if instance.typename in ("labelblk", "labelarray"):
        raise Refused(f'Bad API call for data "{instance.name}"')
    given = request.json()
    low, high = (tuple(int(number) for number in given[end]) for end in ("MinPoint", "MaxPoint"))
    instance.extents[node.uuid] = Extent((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    return Reply(content_type=None)


def _check_one_block(node: Node, instance: LabelInstance, start: Point, size: Point, scale: int) -> None:
    """A box that is exactly one block of a labelmap goes another way in the original: absent, it is refused."""
    edge = instance.grid.block_size
    if instance.typename != "labelmap" or size != edge or not aligned(start, size, edge):
        return
    x, y, z = (s // e for s, e in zip(start, edge, strict=True))
    held = instance.scales[scale].block(lineage(node), (x, y, z)) if scale <= instance.max_scale else None
    if held is None:
        raise Refused(f"unable to get label block ({x}, {y}, {z})")


def _raw_labels(node: Node, instance: LabelInstance, request: Request, start: Point, size: Point) -> Reply:
    compression, scale = request.query.get("compression", ""), scale_of(request)
    if request.method == "GET":
        _check_one_block(node, instance, start, size, scale)
        voxels = instance.read_labels(node, start, size, scale, request.flag("supervoxels"))
        return packed(voxels, compression)
    # Every other verb writes, and whatever scale was asked for, scale 0 is written.
    body = unpacked(request.body, compression, size)
    instance.write_labels(node, start, size, body, request.flag("mutate"))
    return Reply(content_type=None)


def blocks(node: Node, instance: VoxelInstance, request: Request) -> Reply:
    """`blocks/size/offset` of a labelmap: frames of int32 x, y, z, length and the bytes. Absent blocks are left out."""
    pieces = request.parts[4:]
    if request.method != "GET":
        raise Refused("this stand-in takes no blocks, only raw boxes")
    if not isinstance(instance, LabelInstance):
        return _span(node, instance, pieces)
    if len(pieces) < 2:
        raise Refused("must specify size and offset with GET /blocks endpoint")
    size, start = _point(pieces[0], "Size"), _point(pieces[1], "Offset")
    edge = instance.grid.block_size
    if not aligned(start, size, edge):
        raise Refused(f"cannot use labels via 'blocks' endpoint in non-block aligned geometry {corners(start, size)}")
    return Reply(_frames(node, instance, request, covered(start, size, edge)))


def _span(node: Node, instance: VoxelInstance, pieces: tuple[str, ...]) -> Reply:
    """`blocks/x_y_z/span` of an image: whole blocks one after another along x; here absent ones are Background."""
    if len(pieces) < 2:
        raise Refused('"blocks" must be followed by block-coord/span-x')
    (x, y, z), path, edge = _point(pieces[0], "Block"), lineage(node), instance.grid.block_size
    empty = np.full(edge[::-1], instance.grid.background, instance.dtype)
    found = (instance.blocks.block(path, (x + step, y, z)) for step in range(int(pieces[1])))
    return Reply(b"".join((empty if block is None else block).tobytes() for block in found))


def subvolume_blocks(node: Node, instance: VoxelInstance, request: Request) -> Reply:
    """`subvolblocks/size/offset` of an image: frames as those of a labelmap, uncompressed only."""
    pieces = request.parts[4:]
    if isinstance(instance, LabelInstance) or len(pieces) < 2:
        raise Refused("subvolblocks/size/offset is for images")
    size, start, edge = _point(pieces[0], "Size"), _point(pieces[1], "Offset"), instance.grid.block_size
    if not aligned(start, size, edge):
        raise Refused(f"cannot use labels via 'block' endpoint in non-block aligned geometry {corners(start, size)}")
    if request.query.get("compression") != "uncompressed":
        raise Refused("this stand-in sends uncompressed blocks only")
    path, frames = lineage(node), []
    for where in covered(start, size, edge):
        block = instance.blocks.block(path, where)
        if block is not None:
            frames.append(struct.pack("<4i", *where, block.nbytes) + block.tobytes())
    return Reply(b"".join(frames))


def specific_blocks(node: Node, instance: VoxelInstance, request: Request) -> Reply:
    """`specificblocks?blocks=x,y,z,x,y,z`: coordinates of blocks."""
    if not isinstance(instance, LabelInstance):
        raise Refused("this stand-in answers blocks of a labelmap only")
    try:
        flat = [int(piece) for piece in request.query.get("blocks", "").split(",")]
    except ValueError:
        raise Refused("block coordinates must be numbers") from None
    if len(flat) % 3:
        raise Refused("block query string should be three coordinates per block")
    wanted = [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]
    return Reply(_frames(node, instance, request, wanted))


def _frames(node: Node, instance: LabelInstance, request: Request, wanted: Iterable[Point]) -> bytes:
    compression = request.query.get("compression") or "lz4"
    if compression not in ("lz4", "gzip", "uncompressed"):
        raise Refused('compression must be "lz4" (default), "gzip", "blocks" or "uncompressed"')
    scale, frames = scale_of(request), []
    if scale > instance.max_scale:
        return b""
    path = lineage(node)
    for where in wanted:
        block = instance.scales[scale].block(path, where)
        if block is not None:
            shown = block if request.flag("supervoxels") else instance.mapped(node, block)
            data = packed(shown, compression).body
            frames.append(struct.pack("<4i", *where, len(data)) + bytes(data))
    return b"".join(frames)


def scale_of(request: Request) -> int:
    text = request.query.get("scale", "") or "0"
    try:
        return int(text) % 256
    except ValueError:
        raise Refused(f'bad scale specified: strconv.Atoi: parsing "{text}": invalid syntax') from None


def metadata(node: Node, instance: VoxelInstance, request: Request) -> Reply:
    """Axes and properties. The original indexes three units, and panics when it was given fewer."""
    described: dict[str, Any] = instance.info(node)["Extended"]
    extent = instance.extent(node)
    if len(instance.grid.units) < 3:
        return Reply(b"Panic detected: runtime error: index out of range [1] with length 1\n", PLAIN, 500)
    axes = []
    for axis, name in enumerate("XYZ"):
        low, high = (0, -1) if extent is None else (extent.low[axis], extent.high[axis])
        axes.append(
            {
                "Label": name,
                "Resolution": instance.grid.voxel_size[axis],
                "Units": instance.grid.units[axis],
                "Size": high - low + 1,
                "Offset": low,
            }
        )
    return json_reply({"Axes": axes, "Properties": described}, "application/vnd.dvid-nd-data+json")


def _point(text: str, what: str) -> Point:
    pieces = text.split("_")
    for piece in pieces:
        if not piece.lstrip("-").isdecimal():
            raise Refused(f'strconv.ParseInt: parsing "{piece}": invalid syntax')
    if len(pieces) != 3:
        raise Refused(f"{what} must be 3 (not {len(pieces)}) dimensions")
    return point(text)
