"""Meshes and skeletons beside precomputed voxels, written with cloud-volume's own writers and with DracoPy."""

import gzip
import json
from pathlib import Path

import DracoPy
import numpy as np
from cloudfiles import CloudFiles
from cloudvolume import CloudVolume, Skeleton
from cloudvolume import Mesh as TheirMesh
from cloudvolume.datasource.precomputed.mesh.multilod import MultiLevelPrecomputedMeshManifest
from cloudvolume.datasource.precomputed.sharding import ShardingSpecification

from support.peer_files import SHARDING
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.folders import LocalFolder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.precomputed import open_store
from voxgate_remotes.tensorstores import Tuning

BIG, OTHER, SMALL, ABSENT = 2**63 + 7, 2**53 + 1, 12, 2**64 - 2
RAW_SHARDING = {
    **SHARDING,
    "data_encoding": "raw",
    "minishard_index_encoding": "raw",
    "shard_bits": 5,
    "hash": "identity",
}
TRANSFORM = [4, 0, 0, -16, 0, 4, 0, 32, 0, 0, 40, 8]
CHUNK, ORIGIN, OFFSET = (1023.0, 2046.0, 511.5), (8.0, -4.0, 2.5), (0.5, 1.0, -0.25)
POSITIONS = np.array([[0, 0, 0], [3, 0, 1], [1, 2, 5]])
"""With 10 bits, every vertex is then a number that a float32 holds."""


def kept_volume(folder: Path, **named: str) -> CloudVolume:
    """A segmentation whose `info` names folders; it has no voxels."""
    info = CloudVolume.create_new_info(
        1, "segmentation", "uint64", "raw", [4, 4, 40], [-5, 20, 3], [19, 14, 11], chunk_size=[8, 4, 3]
    )
    info.update(named)
    CloudVolume(folder.as_uri(), info=info, progress=False).commit_info()
    return theirs(folder)


def theirs(folder: Path) -> CloudVolume:
    """cloud-volume's volume of a folder, opened anew."""
    return CloudVolume(folder.as_uri(), progress=False)


def ours(folder: Path, root: Path | None = None, options: OpenOptions | None = None):
    """Our volume of a folder."""
    opened = open_store(LocalFolder(folder, PathGuard(root or folder)), Tuning())
    return opened.bind(opened.info, options or OpenOptions())


def surface(seed: int, most: int = 1000, size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A crumpled sheet: vertices (n, 3) that are integers up to `most`, and faces (m, 3)."""
    vertices = np.random.default_rng(seed).integers(0, most + 1, (size * size, 3)).astype(np.uint32)
    return vertices, grid_faces(size)


def grid_faces(size: int) -> np.ndarray:
    """The faces of a sheet with size x size vertices."""
    at = np.arange(size * size, dtype=np.uint32).reshape(size, size)[:-1, :-1].ravel()
    return np.concatenate([np.stack([at, at + 1, at + size], 1), np.stack([at + 1, at + size + 1, at + size], 1)])


def legacy_by_cloud_volume(folder: Path, segment_id: int, fragments: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """One mesh of several fragments, as meshing jobs store it."""
    files = CloudFiles((folder / "mesh").as_uri())
    names = [f"{segment_id}:0:{8 * index}-{8 * index + 8}_0-64_3-17" for index in range(len(fragments))]
    for name, (vertices, faces) in zip(names, fragments, strict=True):
        mesh = TheirMesh(vertices.astype(np.float32), faces, segid=segment_id)
        files.put(name, mesh.to_precomputed(), compress="gzip" if name.endswith("0-8_0-64_3-17") else None)
    files.put_json(f"{segment_id}:0", {"fragments": names})


def multires(seed: int, *, empty: int | None = 1) -> tuple[bytes, bytes, np.ndarray]:
    """The fragments and the manifest of a mesh with two levels, and its triangles (n, 3, 3) in nanometres at the first.

    The integers have 10 bits; the fragment `empty` of the first level has no bytes.
    """
    encoded, triangles = [], []
    for index, position in enumerate(POSITIONS):
        vertices, faces = surface(seed + index, 1023)
        if index == empty:
            encoded.append(b"")
            continue
        encoded.append(DracoPy.encode(vertices, faces, compression_level=7, create_metadata=index == 0))
        stored = np.array(ORIGIN) + OFFSET + np.array(CHUNK) * (position + vertices / 1023)
        matrix = np.array(TRANSFORM, float).reshape(3, 4)
        triangles.append((stored @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32)[faces])
    encoded.append(DracoPy.encode(*surface(seed + 99, 1023)))
    manifest = MultiLevelPrecomputedMeshManifest(
        0, CHUNK, ORIGIN, 2, [1, 2], [OFFSET, (0, 0, 0)], [3, 1], [POSITIONS, POSITIONS[:1]], list(map(len, encoded))
    )
    return b"".join(encoded), manifest.to_binary(), np.concatenate(triangles)


def write_multires(folder: Path, meshes: dict[int, tuple[bytes, bytes]], sharding: dict | None = None) -> None:
    """Fragments and manifests by id, in files of their own or in shards; those of a shard by cloud-volume."""
    mesh = folder / "mesh"
    mesh.mkdir(exist_ok=True)
    info = {"@type": "neuroglancer_multilod_draco", "vertex_quantization_bits": 10, "lod_scale_multiplier": 1}
    info |= {"transform": TRANSFORM} | ({"sharding": sharding} if sharding else {})
    (mesh / "info").write_text(json.dumps(info))
    if sharding is None:
        for segment_id, (fragments, manifest) in meshes.items():
            (mesh / f"{segment_id}").write_bytes(fragments)
            (mesh / f"{segment_id}.index").write_bytes(manifest)
        return
    # Only manifests are compressed, so that is done here; cloud-volume's writer would compress fragments, too.
    pack = gzip.compress if sharding["data_encoding"] == "gzip" else bytes
    packed = {segment_id: (fragments, pack(manifest)) for segment_id, (fragments, manifest) in meshes.items()}
    spec = ShardingSpecification.from_dict({**sharding, "data_encoding": "raw"})
    values = {segment_id: b"".join(both) for segment_id, both in packed.items()}
    shards = spec.synthesize_shards(values, {segment_id: len(manifest) for segment_id, (_, manifest) in packed.items()})
    for name, data in shards.items():
        (mesh / name).write_bytes(data)


def line(segment_id: int, seed: int = 0, count: int = 7) -> Skeleton:
    """cloud-volume's skeleton: a line with radii."""
    random = np.random.default_rng(seed)
    edges = np.stack([np.arange(count - 1), np.arange(1, count)], 1).astype(np.uint32)
    vertices = random.integers(-50, 5000, (count, 3)).astype(np.float32)
    return Skeleton(vertices, edges, radii=random.random(count, np.float32) * 64, segid=segment_id)


def write_skeletons(folder: Path, skeletons: list[Skeleton], transform: list[float], sharding: dict | None) -> None:
    """Skeletons as cloud-volume uploads them, or in shards that it makes."""
    volume = theirs(folder)
    volume.skeleton.meta.info |= {"transform": transform, "sharding": sharding}
    volume.skeleton.meta.commit_info()
    if sharding is None:
        volume.skeleton.upload(skeletons)
        return
    spec = ShardingSpecification.from_dict(sharding)
    shards = spec.synthesize_shards({each.id: each.to_precomputed() for each in skeletons})
    for name, data in shards.items():
        (folder / "skeletons" / name).write_bytes(data)


def triangles_of(mesh: object) -> set[tuple[tuple[float, ...], ...]]:
    """The triangles of a mesh of ours or theirs as a set; Draco may start one at another corner."""
    return triangle_set(np.asarray(mesh.vertices, np.float32)[np.asarray(mesh.faces)])


def triangle_set(corners: np.ndarray) -> set[tuple[tuple[float, ...], ...]]:
    """Triangles (n, 3, 3) as a set; each starts at its least corner, and goes on in its own order."""
    triangles = [list(map(tuple, triangle)) for triangle in corners.tolist()]
    return {tuple(each[(each.index(min(each)) + turn) % 3] for turn in range(3)) for each in triangles}
