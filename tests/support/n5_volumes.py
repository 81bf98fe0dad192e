"""N5 volumes that z5py and tensorstore write: bare datasets, pyramids in the dialects of their attributes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from support.known_volumes import TIME, KnownVolume
from support.peers import run_peer
from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.testing import ScaleFacts

START, SIZE, CHUNK = Vec3(-6, 100, 3), VoxelSize(4, 5, 40), Vec3(8, 6, 4)
ABSENT_INDEX = [1, 1, 1]
ABSENT = Box.at(START + CHUNK, CHUNK)
STATED = {"kind": "segmentation", "voxel_offset": tuple(START), "voxel_size_nm": tuple(SIZE)}
FACTORS = [[1, 1, 1], [3, 2, 1]]

Job = dict[str, Any]


def by_z5py(root: Path, jobs: Sequence[Job]) -> dict[str, Any]:
    """Let z5py do jobs (see tests/peers/z5py_files.py), their arrays written and read beside `root`'s volumes."""
    folder = root / ".jobs"
    folder.mkdir(exist_ok=True)
    for index, job in enumerate(jobs):
        if isinstance(job.get("array"), np.ndarray):
            np.save(folder / f"{index}.npy", job["array"])
            job["array"] = str(folder / f"{index}.npy")
    (folder / "jobs.json").write_text(json.dumps(list(jobs)))
    answer: dict[str, Any] = run_peer("z5py", "z5py_files.py", folder / "jobs.json")
    return answer


def by_tensorstore(folder: Path, voxels: np.ndarray, **metadata: Any) -> None:
    """Write an array of z, y, x (and slower axes before them) with tensorstore, blocks of CHUNK."""
    shape = voxels.shape[::-1]
    whole = {
        "dimensions": list(shape),
        "blockSize": [*CHUNK, *(1,) * (len(shape) - 3)],
        "dataType": voxels.dtype.name,
        "compression": {"type": "gzip"},
        **metadata,
    }
    kvstore = {"driver": "file", "path": f"{folder}/"}
    store = ts.open({"driver": "n5", "kvstore": kvstore, "metadata": whole}, create=True).result()
    store[...] = voxels.transpose()


def add_attributes(folder: Path, **attributes: Any) -> None:
    """Add to a dataset's or group's attributes what a writer leaves to its user."""
    path = folder / "attributes.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(found | attributes))


def create(root: Path, name: str, voxels: np.ndarray, compression: str, **more: Any) -> Job:
    job = {"do": "create", "container": str(root), "dataset": name, "array": voxels[0], "compression": compression}
    return job | {"chunks": list(CHUNK.zyx), **more}


def sparse(voxels: np.ndarray) -> np.ndarray:
    voxels[:, *ABSENT.slices_zyx(START)] = 0
    return voxels


def bare(voxels: np.ndarray, **more: Any) -> KnownVolume:
    facts = ScaleFacts(voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK, absent=(ABSENT,))
    return KnownVolume((facts,), VolumeKind.SEGMENTATION, stated=STATED, **more)


def pyramid_facts(levels: Sequence[np.ndarray]) -> tuple[ScaleFacts, ...]:
    """Level k is FACTORS[k] times coarser; the start divides by them."""
    return tuple(
        ScaleFacts(
            voxels=voxels,
            start=Vec3(*(s // f for s, f in zip(START, factor, strict=True))),
            voxel_size_nm=VoxelSize(*(s * f for s, f in zip(SIZE, factor, strict=True))),
            chunk_shape=CHUNK,
        )
        for voxels, factor in zip(levels, FACTORS, strict=True)
    )


def levels() -> list[np.ndarray]:
    return [segmentation((1, 11, 17, 29)), segmentation((1, 11, 9, 10), seed=1)]


def z5py_bare(compression: str, dtype: str) -> Callable[[Path], KnownVolume]:
    """A dataset whose attributes say only the resolution; edges are stored truncated, one block is absent."""

    def write(folder: Path) -> KnownVolume:
        voxels = sparse(segmentation((1, 11, 17, 29)) if dtype == "<u8" else image((1, 11, 17, 29), dtype))
        more = {"attributes": {"resolution": [4, 5, 40], "units": ["nm"] * 3}, "absent": ABSENT_INDEX}
        by_z5py(folder.parent.parent, [create(folder.parent, folder.name, voxels, compression, **more)])
        return bare(voxels)

    write.__name__ = f"z5py_{compression}_{dtype[1:]}"
    return write


def z5py_pyramid(folder: Path) -> KnownVolume:
    """As n5-viewer reads it: the same pixelResolution and a factor at each level, of a Paintera label group."""
    arrays = levels()
    pixel = {"pixelResolution": {"unit": "nm", "dimensions": [4.0, 5.0, 40.0]}}
    jobs: list[Job] = [
        create(folder.parent, f"{folder.name}/s{k}", voxels, "gzip", attributes=pixel | {"downsamplingFactors": factor})
        for k, (voxels, factor) in enumerate(zip(arrays, FACTORS, strict=True))
    ]
    offset = [start * size for start, size in zip(START, SIZE, strict=True)]
    group = {"multiScale": True, "maxId": 7, "offset": offset}
    jobs.append({"do": "group", "container": str(folder.parent), "name": folder.name, "attributes": group})
    by_z5py(folder.parent.parent, jobs)
    return KnownVolume(pyramid_facts(arrays), VolumeKind.SEGMENTATION)


def tensorstore_zstd(folder: Path) -> KnownVolume:
    voxels = image((1, 11, 17, 29), "<f4")
    by_tensorstore(folder, voxels[0], compression={"type": "zstd"}, axes=["x", "y", "z"])
    facts = ScaleFacts(voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK)
    return replace(bare(voxels), scales=(facts,))


def tensorstore_zyx_order(folder: Path) -> KnownVolume:
    """The first of `dimensions` is z, and says so."""
    voxels = image((1, 11, 17, 29), "<i4")
    by_tensorstore(folder, voxels[0].transpose(), blockSize=list(CHUNK.zyx), axes=["z", "y", "x"])
    add_attributes(folder, resolution=[40, 5, 4], units=["nm"] * 3)
    facts = ScaleFacts(voxels=voxels, start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK)
    return replace(bare(voxels), scales=(facts,))


def cosem_transform(factor: Sequence[int], start: Sequence[int] = tuple(START)) -> dict[str, Any]:
    """COSEM's transform of a level in C order: its translation is the centre of voxel 0, 0 that of the finest level."""
    sizes = [size * f for size, f in zip(SIZE, factor, strict=True)]
    centres = [s * size + size * (f - 1) / 2 for s, size, f in zip(start, SIZE, factor, strict=True)]
    return {"axes": ["z", "y", "x"], "scale": sizes[::-1], "translate": centres[::-1], "units": ["nm"] * 3}


def cosem(folder: Path) -> KnownVolume:
    arrays = levels()
    datasets = []
    for k, (voxels, factor) in enumerate(zip(arrays, FACTORS, strict=True)):
        transform = cosem_transform(factor)
        by_tensorstore(folder / f"s{k}", voxels[0])
        pixel = {"unit": "nm", "dimensions": transform["scale"][::-1]}
        add_attributes(folder / f"s{k}", transform=transform, pixelResolution=pixel)
        datasets.append({"path": f"s{k}", "transform": transform})
    multiscales = [{"name": "em", "datasets": datasets}]
    add_attributes(folder, multiscales=multiscales, scales=FACTORS, axes=["x", "y", "z"], units=["nm"] * 3)
    return KnownVolume(pyramid_facts(arrays), VolumeKind.UNKNOWN)


def channels_and_time(folder: Path) -> KnownVolume:
    """Five axes in neuroglancer's words, with names of channels; times and channels differ in number."""
    arrays = [image((4, 2, 11, 17, 29), "<u2"), image((4, 2, 11, 9, 10), "<u2", seed=1)]
    for k, voxels in enumerate(arrays):
        by_tensorstore(folder / f"s{k}", voxels)
    names = {"c": ["dapi", "gfp"]}
    factors = [[*factor, 1, 1] for factor in FACTORS]
    units = ["nm", "nm", "um", "", "s"]
    keys = {"axes": list("xyzct"), "units": units, "resolution": [4, 5, 0.04, 1, 3], "coordinateArrays": names}
    offset = [*(start * size for start, size in zip(START, (4, 5, 0.04), strict=True)), 0, 0]
    add_attributes(folder, downsamplingFactors=factors, offset=offset, **keys)
    facts = pyramid_facts([voxels[TIME] for voxels in arrays])
    return KnownVolume(facts, VolumeKind.IMAGE, "tczyx", time_count=4, stated={"kind": "image"})


Z5PY = [
    z5py_bare("raw", "<u8"),
    z5py_bare("gzip", "<i2"),
    z5py_bare("bzip2", "<f8"),
    z5py_bare("xz", "<u4"),
    z5py_bare("blosc", "<i8"),
    z5py_pyramid,
]
WRITERS = [*Z5PY, tensorstore_zstd, tensorstore_zyx_order, cosem, channels_and_time]
