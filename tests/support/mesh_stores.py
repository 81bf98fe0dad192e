"""The same labels in every kind of store, written by other people's writers, for meshes that must not differ."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from zarr.codecs import ZstdCodec

from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.chains import chained_registry
from support.dvid_volumes import SERVERS, repository
from support.emulators import gcs_emulator, s3_emulator
from support.house import ROOT
from support.image_files import slices_by_pillow
from support.mesh_volumes import blobs
from support.n5_volumes import by_tensorstore
from support.peer_files import SHARDING, precomputed_by_cloud_volume, precomputed_by_tensorstore, zarr_by_zarr_python
from support.servers import volume_server
from support.static_http import static_http
from voxgate.model.geometry import Box, Vec3, VoxelSize, aligned_outward
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ScaleFacts

IDS = (3, 2**53 + 1, 2**63 + 9)
SMALL = {IDS[0]: 3, IDS[1]: 40_000, IDS[2]: 65_535}
"""What the ids are called where a store holds 16 bits only; in the same order."""
START, SIZE, CHUNK = Vec3(13, 21, 7), VoxelSize(8.0, 6.5, 30.0), Vec3(16, 8, 8)
LABELS: npt.NDArray[np.uint64] = blobs(41, shape=(21, 34, 45), ids=IDS)
"""Of shape (z, y, x): bodies that touch each other and all borders; no multiple of any chunk."""
BOX = Box.at(START, Vec3.from_zyx(LABELS.shape))
STATED = {"kind": "segmentation", "axes": "zyx", "voxel_size_nm": tuple(SIZE), "voxel_offset": tuple(START)}

WITHOUT_AXES = {name: value for name, value in STATED.items() if name != "axes"}


@dataclass(frozen=True)
class Held:
    """The labels in a store.

    Attributes:
        registry: has it as a remote.
        name: of the volume.
        names_of: what the ids are called there.
    """

    registry: Registry
    name: str = "data/seg"
    names_of: Mapping[int, int] = field(default_factory=lambda: dict(zip(IDS, IDS, strict=True)))


Maker = Callable[[Path, contextlib.ExitStack], Held]
"""Puts the labels somewhere; servers run until the stack ends."""


def facts(voxels: npt.NDArray[Any] = LABELS) -> ScaleFacts:
    return ScaleFacts(voxels=voxels[None], start=START, voxel_size_nm=SIZE, chunk_shape=CHUNK)


def small() -> npt.NDArray[np.uint16]:
    found = np.zeros(LABELS.shape, np.uint16)
    for label, name in SMALL.items():
        found[np.equal(LABELS, np.uint64(label))] = name
    return found


def registry(uri: str, path: str = "seg", **stated: Any) -> Registry:
    config = RemoteConfig(uri=uri, volumes={path: stated} if stated else {})
    return Registry.from_config(RemotesConfig(remotes={"data": config}))


def precomputed_raw(root: Path, stack: contextlib.ExitStack) -> Held:
    precomputed_by_tensorstore(root / "seg", [facts()], "segmentation", "raw")
    return Held(registry(root.as_uri()))


def precomputed_compressed_segmentation(root: Path, stack: contextlib.ExitStack) -> Held:
    block = {"compressed_segmentation_block_size": [8, 4, 2]}
    precomputed_by_tensorstore(root / "seg", [facts()], "segmentation", "compressed_segmentation", **block)
    return Held(registry(root.as_uri()))


def precomputed_gzip_by_cloud_volume(root: Path, stack: contextlib.ExitStack) -> Held:
    precomputed_by_cloud_volume(root / "seg", facts(), "segmentation", "compressed_segmentation", "gzip")
    return Held(registry(root.as_uri()))


def precomputed_sharded(root: Path, stack: contextlib.ExitStack) -> Held:
    options = {"sharding": SHARDING, "compressed_segmentation_block_size": [8, 8, 8]}
    precomputed_by_tensorstore(root / "seg", [facts()], "segmentation", "compressed_segmentation", **options)
    return Held(registry(root.as_uri()))


def zarr_v2(root: Path, stack: contextlib.ExitStack) -> Held:
    zarr_by_zarr_python(root / "seg", LABELS, chunks=CHUNK.zyx, zarr_format=2, fill_value=0)
    return Held(registry(root.as_uri(), **STATED))


def zarr_v2_big_endian_xyz(root: Path, stack: contextlib.ExitStack) -> Held:
    turned = LABELS.astype(">u8").transpose(2, 1, 0)
    zarr_by_zarr_python(root / "seg", turned, chunks=tuple(CHUNK), zarr_format=2, fill_value=0)
    return Held(registry(root.as_uri(), **(STATED | {"axes": "xyz"})))


def write_sharded_zarr(folder: Path) -> None:
    options = {"compressors": [ZstdCodec()], "shards": (16, 24, 32), "dimension_names": list("zyx"), "fill_value": 0}
    zarr_by_zarr_python(folder, LABELS, chunks=CHUNK.zyx, **options)


def zarr_v3_sharded(root: Path, stack: contextlib.ExitStack) -> Held:
    write_sharded_zarr(root / "seg")
    return Held(registry(root.as_uri(), **STATED))


def n5(root: Path, stack: contextlib.ExitStack) -> Held:
    by_tensorstore(root / "seg", LABELS)
    return Held(registry(root.as_uri(), **WITHOUT_AXES))


def hdf5(root: Path, stack: contextlib.ExitStack) -> Held:
    with h5py.File(root / "lab.h5", "w") as file:
        file.create_dataset("volumes/seg", data=LABELS, chunks=CHUNK.zyx, compression="gzip", shuffle=True)
    return Held(registry(root.as_uri(), "lab.h5/volumes/seg", **STATED), "data/lab.h5/volumes/seg")


def tiff(root: Path, stack: contextlib.ExitStack) -> Held:
    more = {"compression": "zlib", "rowsperstrip": 5, "photometric": "minisblack", "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(root / "seg.tif", LABELS, **more)
    return Held(registry(root.as_uri(), "seg.tif", **STATED), "data/seg.tif")


def stack_of_png(root: Path, stack: contextlib.ExitStack) -> Held:
    slices_by_pillow(root / "seg", small(), "png")
    return Held(registry(root.as_uri(), **STATED), names_of=SMALL)


def memory(root: Path, stack: contextlib.ExitStack) -> Held:
    made = Registry.from_config(RemotesConfig(remotes={"data": RemoteConfig(uri="memory://", writable=True)}))
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, SIZE, CHUNK),))
    writer = made.create("data/seg", spec).capability(Writable)
    assert writer is not None
    writer.write(BOX, LABELS[None])
    return Held(made)


def bossdb(root: Path, stack: contextlib.ExitStack) -> Held:
    server = stack.enter_context(bossdb_server())
    server.store.add_channel("lab", "mouse", "seg", LABELS, start=tuple(START), voxel_size=tuple(SIZE))
    config = RemotesConfig(remotes={"data": boss_config(server)})
    return Held(Registry.from_config(config), "data/lab/mouse/seg")


def dvid(root: Path, stack: contextlib.ExitStack) -> Held:
    """On a real server where the environment names one. It holds whole blocks, and says that the box is all."""
    store = stack.enter_context(repository(SERVERS[-1]))
    block = Vec3(16, 16, 16)
    size = ",".join(map(str, SIZE))
    name = store.make("labelmap", block, VoxelSize=size, VoxelUnits="nanometers,nanometers,nanometers")
    whole = aligned_outward(BOX, block, Vec3(0, 0, 0))
    padded = np.zeros(whole.shape.zyx, np.uint64)
    padded[BOX.slices_zyx(whole.start)] = LABELS
    store.put_labels(name, whole.start, padded)
    last = BOX.stop - Vec3(1, 1, 1)
    store.call("POST", f"{name}/extents", json={"MinPoint": list(BOX.start), "MaxPoint": list(last)})
    return Held(Registry({"data": store.remote()}), f"data/{name}")


def http_precomputed(root: Path, stack: contextlib.ExitStack) -> Held:
    precomputed_sharded(root, stack)
    return Held(registry(stack.enter_context(static_http(root)).url))


def http_zarr(root: Path, stack: contextlib.ExitStack) -> Held:
    write_sharded_zarr(root / "seg")
    return Held(registry(stack.enter_context(static_http(root)).url, **STATED))


def _bucket(emulator: Any, root: Path, stack: contextlib.ExitStack, **stated: Any) -> Held:
    place = stack.enter_context(emulator(root.parent / f"{root.name}.log"))
    place.upload(root, "lab")
    config = place.config("lab", volumes={"seg": stated} if stated else {})
    return Held(Registry.from_config(RemotesConfig(remotes={"data": config})))


def s3_zarr(root: Path, stack: contextlib.ExitStack) -> Held:
    write_sharded_zarr(root / "seg")
    return _bucket(s3_emulator, root, stack, **STATED)


def gcs_precomputed(root: Path, stack: contextlib.ExitStack) -> Held:
    precomputed_sharded(root, stack)
    return _bucket(gcs_emulator, root, stack)


def plug_in(root: Path, stack: contextlib.ExitStack) -> Held:
    """The plug-in of tests/plugin, found by its entry point."""
    installed = root / "site"
    info = installed / "voxgate_npy-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voxgate-npy\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[voxgate.remotes]\nnpy = voxgate_npy:NpyRemote\n")
    shutil.copytree(ROOT / "tests" / "plugin" / "voxgate_npy", installed / "voxgate_npy")
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.syspath_prepend(str(installed))
    (root / "data").mkdir()
    np.save(root / "data" / "seg.npy", LABELS)
    return Held(registry(f"npy://{root}/data", **WITHOUT_AXES))


def _chained(far: Held, stack: contextlib.ExitStack) -> Held:
    """The same volume on another server."""
    server = stack.enter_context(volume_server(far.registry))
    _, _, path = far.name.partition("/")
    return Held(chained_registry(server.address, "/data"), f"next/{path}", far.names_of)


def chained_files(root: Path, stack: contextlib.ExitStack) -> Held:
    return _chained(precomputed_compressed_segmentation(root, stack), stack)


def chained_memory(root: Path, stack: contextlib.ExitStack) -> Held:
    return _chained(memory(root, stack), stack)


def chained_dvid(root: Path, stack: contextlib.ExitStack) -> Held:
    return _chained(dvid(root, stack), stack)


def chained_bossdb(root: Path, stack: contextlib.ExitStack) -> Held:
    return _chained(bossdb(root, stack), stack)


INDEXED: tuple[Maker, ...] = (bossdb, dvid, chained_bossdb, chained_dvid)
"""Stores that say where segments are."""
STORES: tuple[Maker, ...] = (
    precomputed_raw,
    precomputed_compressed_segmentation,
    precomputed_gzip_by_cloud_volume,
    precomputed_sharded,
    zarr_v2,
    zarr_v2_big_endian_xyz,
    zarr_v3_sharded,
    n5,
    hdf5,
    tiff,
    stack_of_png,
    memory,
    http_precomputed,
    http_zarr,
    s3_zarr,
    gcs_precomputed,
    plug_in,
    chained_files,
    chained_memory,
    *INDEXED,
)
