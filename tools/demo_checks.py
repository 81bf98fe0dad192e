"""The main job on the sample, every answer compared with somebody else's reading of the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from tools.demo_references import Array, read_precomputed, read_sharded_zarr, require, same_voxels
from tools.demo_suite import SAMPLES
from voxgate import Box, Client, Mesh, VolumeArray
from voxgate.client.segments import Segments
from voxgate.model.jobs import Job

BODY_COUNT = 24
_PICKED = ((7, 61), (13, 122), (5, 104))
"""Start and stop along x, y, z in voxels of scale 0, counted from the volume's corner: unequal, on no chunk border."""


def describe_server(client: Client) -> str:
    """What the server says of itself and of where its sister services are."""
    info = client.server_info()
    names = {name.rpartition(".")[2].removesuffix("Service"): address for name, address in info.services.items()}
    missing = {"Volume", "Segment", "Mesh", "Transfer", "Job"} - names.keys()
    require(not missing, f"the server names no {', '.join(sorted(missing))} service")
    told = ", ".join(f"{name} at {address}" if address else name for name, address in names.items())
    return f"voxgate {info.server_version}: {told}"


def list_volumes(client: Client) -> list[str]:
    """The names of all volumes, groups searched."""
    names, waiting = [], client.volumes()
    while waiting:
        entry = waiting.pop(0)
        if entry.is_volume:
            names.append(entry.name)
        elif not entry.is_key_values:
            waiting[:0] = client.volumes(entry.name)
    for name in ("fib25/em", "fib25/seg", "aniso/seg"):
        require(name in names, f"{name} is not listed; there are {names}")
    return names


def compare_cutouts(array: VolumeArray, folder: Path) -> int:
    """Read an unaligned box at every scale and compare it with tensorstore's; the number of voxels compared."""
    compared = 0
    for index in range(len(array.scales)):
        level = array.scale(index)
        origin, factor = level.bounds.start, 1 << index
        picked = [(a // factor, -(-b // factor)) for a, b in _PICKED]
        ends = [(o + a, o + b) for o, (a, b) in zip(origin, picked, strict=True)]
        box = Box.of(x=ends[0], y=ends[1], z=ends[2])
        voxels = level[tuple(slice(a, b) for a, b in reversed(picked))]
        what = f"{array.name} scale {index} {box}"
        compared += same_voxels(what, voxels, read_precomputed(folder, index, box))
        same_voxels(f"{what}, named box", level.read(box), voxels)
    return compared


def largest_bodies(seg: VolumeArray, reference: Array) -> Segments:
    """The largest bodies, compared with counting the reference."""
    big = seg.segments(top=BODY_COUNT)
    ids, counts = np.unique(reference[reference != 0], return_counts=True)
    order = np.lexsort((ids, -counts.astype(np.int64)))[:BODY_COUNT]
    expected = list(zip(ids[order].tolist(), counts[order].tolist(), strict=True))
    found = [(body.segment_id, body.voxel_count) for body in big]
    require(found == expected, f"the largest bodies are {expected[:3]} …, {found[:3]} … was answered")
    return big


def mesh_bodies(seg: VolumeArray, big: Segments, reference: Array) -> list[Mesh]:
    """The surfaces of bodies: watertight, and as wide as their voxels to the nanometre."""
    meshes = seg.meshes(big.ids)
    size = np.array(tuple(seg.voxel_size_nm or (0, 0, 0)))
    for mesh in meshes:
        where = np.argwhere(reference == mesh.segment_id)[:, ::-1] + tuple(seg.bounds.start)
        expected = np.stack([where.min(axis=0), where.max(axis=0) + 1]) * size
        require(
            np.array_equal(mesh.bounds_nm, expected.astype(np.float32)),
            f"body {mesh.segment_id} spans {expected.tolist()} nm, its mesh {mesh.bounds_nm.tolist()}",
        )
        surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        require(surface.is_watertight, f"the mesh of body {mesh.segment_id} is not watertight")
        require(surface.volume > 0, f"the mesh of body {mesh.segment_id} is inside out")
    return meshes


def check_known_numbers(seg: VolumeArray) -> str:
    """The synthetic anisotropic sample against EXPECTED.json: scales, ids above 2**63, counts, points, meshes in nm."""
    expected = json.loads((SAMPLES / "aniso" / "EXPECTED.json").read_text())
    scales = [(list(s.voxel_size_nm or ()), list(s.bounds.start), list(s.bounds.shape)) for s in seg.scales]
    stated = [(s["voxel_size_nm"], s["start"], s["shape"]) for s in expected["scales"]]
    require(scales == stated, f"aniso/seg has scales {scales}, expected {stated}")
    bodies = {int(body["segment_id"]): body for body in expected["segments"]}
    counts = {count.segment_id: count.voxel_count for count in seg.segments()}
    require(counts == {i: b["voxel_count"] for i, b in bodies.items()}, f"aniso/seg has the segments {counts}")
    for segment_id, body in bodies.items():
        last = [stop - 1 for stop in body["stop"]]
        require(seg.at([body["start"], last]) == [segment_id] * 2, f"segment {segment_id} is not where it should be")
    for mesh in seg.meshes(bodies):
        body = bodies[mesh.segment_id]
        spans = [body["start_nm"], body["stop_nm"]]
        require(
            mesh.bounds_nm.tolist() == spans,
            f"segment {mesh.segment_id} spans {spans} nm, its mesh {mesh.bounds_nm.tolist()}",
        )
    return f"{len(bodies)} segments with ids up to {max(bodies)}: counts, points and meshes (nm) as known"


def transfer(client: Client, source: str, destination: str, *, watched: Callable[[Job], None]) -> int:
    """Copy a volume as a job; the bytes that the service read back and compared."""
    job = client.transfer(source, destination)
    for record in job.watch():
        watched(record)
    result = job.result()
    levels = client.volume(source)
    voxels = sum(scale.bounds.voxel_count for scale in levels.scales)
    expected = voxels * levels.dtype.itemsize
    require(result.verified_bytes == expected, f"{result.verified_bytes} of {expected} bytes were verified")
    return result.verified_bytes


def compare_copy(copy: VolumeArray, folder: Path) -> int:
    """Read every scale of a copy through gRPC and compare with tensorstore's reading of the source; voxels compared."""
    stated = json.loads((folder / "info").read_text())["scales"]
    places = [(list(s.bounds.start), list(s.bounds.shape), list(s.voxel_size_nm or ())) for s in copy.scales]
    expected = [(s["voxel_offset"], s["size"], s["resolution"]) for s in stated]
    require(places == expected, f"the copy has scales {places}, the source {expected}")
    compared = 0
    for index in range(len(copy.scales)):
        what = f"{copy.name} scale {index}"
        compared += same_voxels(what, np.asarray(copy.scale(index)), read_precomputed(folder, index))
    return compared


def compare_files(zarr_folder: Path, source: Path) -> int:
    """Read the copy's files with zarr-python and compare every scale with tensorstore's reading; voxels compared."""
    levels = read_sharded_zarr(zarr_folder)
    return sum(same_voxels(f"Zarr level {i}", level, read_precomputed(source, i)) for i, level in enumerate(levels))
