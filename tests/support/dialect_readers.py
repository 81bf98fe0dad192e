"""Published clients in this environment that read what the gateway serves, each in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume

from voxgate.model.geometry import Box

Array = npt.NDArray[Any]
PRECOMPUTED, ZARR3, ZARR2, BOSSDB = "precomputed", "Zarr v3", "Zarr v2", "BossDB"
PREFIXES = {PRECOMPUTED: "ng", ZARR3: "zarr", ZARR2: "zarr2"}
"""Under which address each dialect is served that has one for a whole volume."""
_ZARR_DRIVERS = {ZARR3: "zarr3", ZARR2: "zarr"}
_CLOUD_VOLUME = {PRECOMPUTED: "precomputed", ZARR3: "zarr3", ZARR2: "zarr2"}


def address_of(gateway: str, dialect: str, name: str) -> str:
    """The address of a volume in a dialect."""
    return f"{gateway}/{PREFIXES[dialect]}/{name}/-"


@dataclass(frozen=True)
class Reader:
    """A client in one dialect.

    Attributes:
        dialect: which.
        client: as the page names it.
        peer: the distribution, with its release.
        read: (address, box, bounds) -> the box's voxels of the finest scale, shape (z, y, x); both boxes are global.
    """

    dialect: str
    client: str
    peer: str
    read: Callable[[str, Box, Box], Array]

    def __str__(self) -> str:
        return f"{self.dialect}-{self.client}".replace(" ", "-")


def precomputed_by_tensorstore(address: str, scale: int = 0) -> ts.TensorStore:
    """Of dimensions x, y, z, channel."""
    return _opened("neuroglancer_precomputed", f"{address}/", scale_index=scale)


def zarr_by_tensorstore(address: str, dialect: str, scale: int = 0) -> ts.TensorStore:
    """Of dimensions (channel), z, y, x."""
    return _opened(_ZARR_DRIVERS[dialect], f"{address}/{scale}/")


def by_cloud_volume(address: str, dialect: str, scale: int = 0) -> CloudVolume:
    """With its defaults."""
    return CloudVolume(f"{_CLOUD_VOLUME[dialect]}://{address}", mip=scale, progress=False)


def _opened(driver: str, kvstore: str, **more: Any) -> ts.TensorStore:
    """With turns of its own: server and client of a test are one process, and would wait for each other's."""
    spec = {"driver": driver, "kvstore": kvstore, "context": {"http_request_concurrency": {"limit": 16}}, **more}
    return ts.open(spec, open=True, read=True).result()


def _global(box: Box) -> tuple[slice, ...]:
    return tuple(slice(*span) for span in zip(box.start, box.stop, strict=True))


def _read_precomputed(store: Any, part: Box) -> Array:
    return np.asarray(store[_global(part)].read().result())[..., 0].transpose()


def _auto_precomputed(address: str, part: Box, bounds: Box) -> Array:
    store = _opened("auto", f"{address}/")
    assert store.spec().to_json()["driver"] == "neuroglancer_precomputed"
    return _read_precomputed(store, part)


def _dask_precomputed(address: str, part: Box, bounds: Box) -> Array:
    """Dask has no reader of its own, so each of its blocks is read by tensorstore; it counts from 0."""
    store = precomputed_by_tensorstore(address)[ts.d[:].translate_to[0]]

    def block(block_info: Any) -> Array:
        where = tuple(slice(*span) for span in block_info[None]["array-location"])
        return np.asarray(store[where].read().result())

    chunks = da.core.normalize_chunks(store.chunk_layout.read_chunk.shape, store.shape)
    lazy = da.map_blocks(block, chunks=chunks, dtype=store.dtype.numpy_dtype)
    z, y, x = part.slices_zyx(bounds.start)
    return np.asarray(lazy[x, y, z, 0].compute(scheduler="threads")).transpose()


def _cloud_volume_precomputed(address: str, part: Box, bounds: Box) -> Array:
    return np.asarray(by_cloud_volume(address, PRECOMPUTED)[_global(part)])[..., 0].transpose()


def _zarr(dialect: str) -> tuple[Reader, ...]:
    def tensorstore(address: str, part: Box, bounds: Box) -> Array:
        store = zarr_by_tensorstore(address, dialect)
        return np.asarray(store[part.slices_zyx(bounds.start)].read().result())

    def auto(address: str, part: Box, bounds: Box) -> Array:
        store = _opened("auto", f"{address}/0/")
        assert store.spec().to_json()["driver"] == _ZARR_DRIVERS[dialect]
        return np.asarray(store[part.slices_zyx(bounds.start)].read().result())

    def zarr_python(address: str, part: Box, bounds: Box) -> Array:
        group = zarr.open_group(address, mode="r")
        assert group.metadata.zarr_format == (3 if dialect == ZARR3 else 2)
        return np.asarray(group["0"][part.slices_zyx(bounds.start)])

    def dask(address: str, part: Box, bounds: Box) -> Array:
        lazy = da.from_zarr(address, component="0")[part.slices_zyx(bounds.start)]
        return np.asarray(lazy.compute(scheduler="threads"))

    def cloud_volume(address: str, part: Box, bounds: Box) -> Array:
        """From wherever it takes the volume to begin: see docs/reference/dialects.md."""
        volume = by_cloud_volume(address, dialect)
        low = np.add(volume.bounds.minpt, tuple(part.start - bounds.start))
        cut = tuple(slice(int(a), int(a) + n) for a, n in zip(low, part.shape, strict=True))
        return np.asarray(volume[cut])[..., 0].transpose()

    return (
        Reader(dialect, "tensorstore", TENSORSTORE, tensorstore),
        Reader(dialect, "tensorstore auto", TENSORSTORE, auto),
        Reader(dialect, "zarr-python", ZARR_PYTHON, zarr_python),
        Reader(dialect, "dask", DASK, dask),
        Reader(dialect, "cloud-volume", CLOUD, cloud_volume),
    )


def _peer(distribution: str) -> str:
    return f"{distribution} {version(distribution)}"


TENSORSTORE, ZARR_PYTHON, DASK, CLOUD = map(_peer, ("tensorstore", "zarr", "dask", "cloud-volume"))
READERS = (
    Reader(
        PRECOMPUTED,
        "tensorstore",
        TENSORSTORE,
        lambda address, part, bounds: _read_precomputed(precomputed_by_tensorstore(address), part),
    ),
    Reader(PRECOMPUTED, "tensorstore auto", TENSORSTORE, _auto_precomputed),
    Reader(PRECOMPUTED, "dask", DASK, _dask_precomputed),
    Reader(PRECOMPUTED, "cloud-volume", CLOUD, _cloud_volume_precomputed),
    *_zarr(ZARR3),
    *_zarr(ZARR2),
)
