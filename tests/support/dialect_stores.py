"""The same labels in real stores of every kind, each behind a gateway of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from support import mesh_stores as stores
from support.mesh_stores import BOX, IDS, LABELS, Maker
from support.servers import volume_server
from voxgate.model.geometry import Box
from voxgate_gateway.server import Gateway

PART = Box.of(x=(17, 52), y=(26, 49), z=(10, 25))
"""Begins and ends on no chunk's border; reaches no border of the volume."""
STORES: dict[str, tuple[Maker, ...]] = {
    "precomputed": (
        stores.precomputed_raw,
        stores.precomputed_compressed_segmentation,
        stores.precomputed_gzip_by_cloud_volume,
        stores.precomputed_sharded,
    ),
    "Zarr v2": (stores.zarr_v2, stores.zarr_v2_big_endian_xyz),
    "Zarr v3": (stores.zarr_v3_sharded,),
    "N5": (stores.n5,),
    "HDF5": (stores.hdf5,),
    "TIFF": (stores.tiff,),
    "image stack": (stores.stack_of_png,),
    "BossDB": (stores.bossdb,),
    "DVID": (stores.dvid,),
    "voxgate": (stores.chained_files, stores.chained_bossdb, stores.chained_dvid),
    "over http": (stores.http_precomputed, stores.http_zarr),
    "over S3": (stores.s3_zarr,),
    "over GCS": (stores.gcs_precomputed,),
    "plug-in": (stores.plug_in,),
}
"""By the row of the page; never a volume in memory."""
CASES = tuple((row, maker) for row, makers in STORES.items() for maker in makers)


@dataclass(frozen=True)
class Shown:
    """A store behind a gateway.

    Attributes:
        row: of the page.
        url: the gateway's.
        name: the volume's.
        labels: what is in it, shape (z, y, x).
    """

    row: str
    url: str
    name: str
    labels: npt.NDArray[Any]

    @property
    def part(self) -> npt.NDArray[Any]:
        """The voxels of PART."""
        return self.labels[PART.slices_zyx(BOX.start)]


@contextlib.contextmanager
def shown(row: str, maker: Maker, root: Path) -> Iterator[Shown]:
    """The labels in a store below `root`, the Volume service over it, and a gateway."""
    with contextlib.ExitStack() as stack:
        held = maker(root, stack)
        server = stack.enter_context(volume_server(held.registry))
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        stack.callback(gateway.stop, 1)
        named = [held.names_of[each] for each in IDS]
        labels = stores.small() if named != list(IDS) else LABELS
        yield Shown(row, gateway.url, held.name, np.asarray(labels))
