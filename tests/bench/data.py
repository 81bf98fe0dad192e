"""What the rows work on: the FIB-25 sample, made larger by reflection, in every layout that a row reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts
from cloudvolume import CloudVolume

from tools.demo_references import read_precomputed
from tools.demo_suite import SAMPLES
from voxgate import Box

Array = npt.NDArray[Any]

EDGE = 512
START = (1088, 2056, 3000)
CHUNK = [64, 64, 64]
SIZE_NM = [10, 10, 10]
_MISALIGNED = ((101, 357), (117, 373), (93, 349))
_LARGE = ((33, 475), (41, 489), (29, 467))
_SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 9,
    "minishard_bits": 0,
    "shard_bits": 0,
    "hash": "identity",
    "minishard_index_encoding": "gzip",
    "data_encoding": "raw",
}


def tiled(voxels: Array, shape: tuple[int, ...]) -> Array:
    """An array of this shape: `voxels` repeated by reflection along each axis, or cut."""
    for axis, length in enumerate(shape):
        period = 2 * voxels.shape[axis]
        place = np.arange(length) % period
        voxels = voxels.take(np.minimum(place, period - 1 - place), axis=axis)
    return np.ascontiguousarray(voxels)


@dataclass(frozen=True, slots=True)
class Data:
    """Volumes in a folder, each written when it is first asked for: one scale, chunks of 64^3, cubes.

    Attributes:
        folder: of all volumes; the remote "bench" of a server.
        edge: voxels along each axis.
    """

    folder: Path
    edge: int = EDGE

    @property
    def whole(self) -> Box:
        """Everything: x, y, z, global."""
        return Box.of(**{axis: (start, start + self.edge) for axis, start in zip("xyz", START, strict=True)})

    @property
    def misaligned(self) -> Box:
        """Half of the voxels along each axis, on no chunk's border: x, y, z, global."""
        return self._part(_MISALIGNED)

    @property
    def large(self) -> Box:
        """Most of it, on no grid's border, 442 x 448 x 438 voxels of 512^3: x, y, z, global."""
        return self._part(_LARGE)

    def em(self) -> str:
        """The image, raw."""
        return self._written("em", lambda folder: write_precomputed(folder, self._em(), {"encoding": "raw"}))

    @property
    def block_shape(self) -> tuple[int, int, int]:
        """Of `em_block`, z, y, x: at 512, 1344 x 1280 x 1280, 2.05 GiB of uint8."""
        return 21 * self.edge // 8, 5 * self.edge // 2, 5 * self.edge // 2

    def em_block(self) -> str:
        """A large image, raw."""

        def write(folder: Path) -> None:
            sample = read_precomputed(SAMPLES / "fib25" / "em", 0)
            write_precomputed(folder, tiled(sample, self.block_shape), {"encoding": "raw"})

        return self._written("em-block", write)

    def em_sharded(self) -> str:
        """The image, raw chunks in one shard."""
        scale = {"encoding": "raw", "sharding": _SHARDING}
        return self._written("em-sharded", lambda folder: write_precomputed(folder, self._em(), scale))

    def em_zarr(self) -> str:
        """The image as Zarr v3, uncompressed."""
        return self._written("em-zarr", lambda folder: _zarr(folder, self._em()))

    def em_zarr_sharded(self) -> str:
        """The image as Zarr v3, zstd chunks in shards of 256^3; its first voxel is 0, 0, 0."""
        return self._written("em-zarr-sharded", lambda folder: _zarr_sharded(folder, self._em()))

    def seg(self) -> str:
        """The segmentation as compressed_segmentation."""
        scale = {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [8, 8, 8]}
        return self._written("seg", lambda folder: write_precomputed(folder, self._seg(), scale))

    def seg_raw(self) -> str:
        """The segmentation, raw."""
        return self._written("seg-raw", lambda folder: write_precomputed(folder, self._seg(), {"encoding": "raw"}))

    def seg_gzip(self) -> str:
        """The segmentation, raw, in .gz files, written by cloud-volume."""
        return self._written("seg-gzip", lambda folder: _gzip(folder, self._seg()))

    def em_array(self) -> Path:
        """The image as one file of numpy's, (z, y, x)."""

        def write(folder: Path) -> None:
            folder.mkdir(exist_ok=True)
            np.save(folder / "em.npy", self._em())

        return self.folder / self._written("em-array", write) / "em.npy"

    def labels(self, shape: tuple[int, int, int]) -> Array:
        """Labels of the sample, array of shape (z, y, x)."""
        return tiled(read_precomputed(SAMPLES / "fib25" / "seg", 0), shape)

    def _part(self, of_512: tuple[tuple[int, int], ...]) -> Box:
        spans = [(a * self.edge // EDGE, b * self.edge // EDGE) for a, b in of_512]
        return Box.of(**{n: (s + a, s + b) for n, s, (a, b) in zip("xyz", START, spans, strict=True)})

    def _em(self) -> Array:
        return tiled(read_precomputed(SAMPLES / "fib25" / "em", 0), (self.edge,) * 3)

    def _seg(self) -> Array:
        return self.labels((self.edge,) * 3)

    def _written(self, name: str, write: Callable[[Path], None]) -> str:
        folder, done = self.folder / name, self.folder / f"{name}.done-{self.edge}"
        if not done.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write(folder)
            done.touch()
        return name


def write_precomputed(folder: Path, voxels: Array, scale: dict[str, Any]) -> None:
    """Write voxels (z, y, x) as a volume of one scale; `scale` says what is not as usual."""
    metadata = {
        "key": "10_10_10",
        "size": list(voxels.shape[::-1]),
        "voxel_offset": list(START),
        "resolution": SIZE_NM,
        "chunk_size": CHUNK,
        **scale,
    }
    kind = "image" if voxels.dtype == np.uint8 else "segmentation"
    store = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "multiscale_metadata": {"type": kind, "data_type": str(voxels.dtype), "num_channels": 1},
            "scale_metadata": metadata,
            "create": True,
            "delete_existing": True,
            "context": {"file_io_sync": False},
        }
    ).result()
    store[..., 0].write(voxels.T).result()


def _zarr(folder: Path, voxels: Array) -> None:
    chunks = {"name": "regular", "configuration": {"chunk_shape": CHUNK}}
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "metadata": {"shape": list(voxels.shape), "chunk_grid": chunks, "data_type": str(voxels.dtype)},
        "context": {"file_io_sync": False},
    }
    ts.open(spec, create=True, delete_existing=True).result().write(voxels).result()


def _zarr_sharded(folder: Path, voxels: Array) -> None:
    inner = [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1}}]
    sharding = {"name": "sharding_indexed", "configuration": {"chunk_shape": CHUNK, "codecs": inner}}
    shards = [min(4 * chunk, length) for chunk, length in zip(CHUNK, voxels.shape, strict=True)]
    metadata = {
        "shape": list(voxels.shape),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shards}},
        "data_type": str(voxels.dtype),
        "dimension_names": list("zyx"),
        "codecs": [sharding],
    }
    kvstore = {"driver": "file", "path": f"{folder}/"}
    spec = {"driver": "zarr3", "kvstore": kvstore, "metadata": metadata, "context": {"file_io_sync": False}}
    ts.open(spec, create=True, delete_existing=True).result().write(voxels).result()


def _gzip(folder: Path, voxels: Array) -> None:
    info = CloudVolume.create_new_info(
        num_channels=1,
        layer_type="segmentation",
        data_type=str(voxels.dtype),
        encoding="raw",
        resolution=SIZE_NM,
        voxel_offset=START,
        chunk_size=CHUNK,
        volume_size=list(voxels.shape[::-1]),
    )
    volume = CloudVolume(f"file://{folder}", info=info, progress=False, compress="gzip")
    volume.commit_info()
    for z in range(0, voxels.shape[0], CHUNK[2]):
        slab = np.asfortranarray(voxels[z : z + CHUNK[2]].T)
        first = START[2] + z
        volume[:, :, first : first + slab.shape[2]] = slab
