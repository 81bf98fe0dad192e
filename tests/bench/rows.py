"""Every row by its id: what it is, what it should reach, and what prepares it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import (
    rows_bulk_meshing,
    rows_caching,
    rows_chains,
    rows_gateway,
    rows_mesh_serving,
    rows_meshing,
    rows_objects,
    rows_reading,
    rows_simplifying,
    rows_stores,
    rows_transfers,
    rows_transport,
    rows_viewer,
)
from tests.bench.data import Data
from tests.bench.harness import Goal, Work
from tests.bench.nginx import NGINX
from tests.bench.rows_stores import INTERN


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        title: what / what it is compared with.
        goal: of the ratio.
        prepare: makes the work.
        modules: what `make bench` installs for it beside the usual environment.
        environment: the peer whose own environment (`make peers`) it needs.
        programs: of the system, that it needs.
    """

    title: str
    goal: Goal
    prepare: Callable[[Data], contextlib.AbstractContextManager[Work]]
    modules: tuple[str, ...] = ()
    environment: str = ""
    programs: tuple[str, ...] = ()


ROWS: dict[str, Row] = {
    "R1": Row("EM raw, misaligned 256^3: adapter / cloud-volume", Goal(3, 4.5), rows_reading.local_em),
    "R2": Row("segmentation raw, misaligned 256^3: adapter / cloud-volume", Goal(1.2, 1.8), rows_reading.local_seg),
    "R4": Row("EM sharded, misaligned 256^3: adapter / cloud-volume", Goal(3.5, 6), rows_reading.local_sharded),
    "R4z": Row("EM in shards of Zarr v3: adapter / zarr-python", Goal(2, 3), rows_reading.local_zarr_sharded),
    "R5": Row("BossDB, 442 x 448 x 438 over gRPC / intern direct", Goal(1.5, 3), rows_stores.bossdb_large, (), INTERN),
    "R5s": Row(
        "BossDB, misaligned 256^3 over gRPC / intern direct", Goal(1.5, 3), rows_stores.bossdb_small, (), INTERN
    ),
    "R5d": Row("DVID, 442 x 448 x 438 over gRPC / intern direct", Goal(1.5, 3), rows_stores.dvid_large, (), INTERN),
    "R5e": Row("DVID, misaligned 256^3 over gRPC / intern direct", Goal(1.5, 3), rows_stores.dvid_small, (), INTERN),
    "R5f": Row("BossDB, the large box 50 ms away / intern direct", Goal(), rows_stores.bossdb_far, (), INTERN),
    "R5g": Row("DVID, the large box 50 ms away / intern direct", Goal(), rows_stores.dvid_far, (), INTERN),
    "R6": Row(
        "EM raw in S3, 30 ms away: adapter / cloud-volume", Goal(1, 2), rows_objects.s3_far, (), rows_objects.MOTO
    ),
    "H1": Row(
        "64^3 raw by urllib3, 16 threads: gateway / nginx", Goal(0.25, 0.4), rows_gateway.chunks, programs=(NGINX,)
    ),
    "H2": Row("512^3 by cloud-volume: gateway / nginx", Goal(0.6, 0.9), rows_gateway.cloud_volume, programs=(NGINX,)),
    "H4": Row(
        "neuroglancer's first full frame: gateway / files by nginx",
        Goal(1.5, 1.15, at_most=True),
        rows_viewer.first_frame,
        rows_viewer.MODULES,
        programs=(NGINX, "chromium", "chromedriver"),
    ),
    "H3": Row("64^3 by HTTP, 50 ms away: first read / second, cache in memory", Goal(10, 30), rows_caching.in_memory),
    "H3d": Row("the same, cache on disk", Goal(10, 30), rows_caching.on_disk),
    "H3l": Row("256^3, whose first read waits for many chunks at a time", Goal(), rows_caching.large),
    "H3m": Row("256^3, nothing of it in the cache: without / with it", Goal(0.95, 0.98), rows_caching.missed),
    "H5": Row("64^3, cached at each hop: two hops / one", Goal(0.5, 0.8), rows_chains.cached_at_each),
    "H5b": Row("the same, the far one asked in the BossDB dialect", Goal(0.5, 0.8), rows_chains.by_bossdb),
    "H5p": Row("64^3, cached at the far hop alone: two hops / one", Goal(), rows_chains.passed_on),
    "G1": Row("cutout stream into an array / raw TCP socket", Goal(0.6, 0.8), rows_transport.against_socket),
    "G2": Row("the same / plain gRPC, all defaults", Goal(2.5, 3.5), rows_transport.against_plain_grpc),
    "G3": Row("the same / Arrow Flight DoGet", Goal(1.0, 1.2), rows_transport.against_flight, ("pyarrow",)),
    "G4": Row("EM raw, whole 512^3 over gRPC / cloud-volume direct", Goal(0.9, 1.2), rows_reading.grpc_em_whole),
    "G5": Row("EM raw, misaligned 256^3 over gRPC / cloud-volume direct", Goal(1.25, 2), rows_reading.grpc_em),
    "G6": Row("compressed_segmentation over gRPC / cloud-volume direct", Goal(1.1, 1.5), rows_reading.grpc_seg),
    "G6b": Row("segmentation in .gz over gRPC / cloud-volume direct", Goal(1.0, 1.3), rows_reading.grpc_seg_gzip),
    "G6c": Row("segmentation raw over gRPC / cloud-volume direct", Goal(0.7, 1.0), rows_reading.grpc_seg_raw),
    "G8": Row(
        "unary 64^3, 8 in flight / uvicorn + urllib3", Goal(1.0, 1.25), rows_transport.unary, ("uvloop", "httptools")
    ),
    "C1": Row("segmentation as raw uint64 / on the wire by default", Goal(100, 200), rows_transport.wire_size),
    "M0": Row("server memory, 8 GiB / 1 GiB streamed", Goal(1.1, 1.0, at_most=True), rows_transport.memory),
    "M1": Row("all labels of 192^3: mesher / scikit-image on boxes", Goal(4, 6), rows_meshing.on_boxes),
    "M2": Row("the same / scikit-image on full masks", Goal(30, 60), rows_meshing.on_masks),
    "M3q": Row(
        "all labels simplified, topology kept / zmesh get + simplify", Goal(1.6, 3), rows_simplifying.in_quality
    ),
    "M3f": Row("all labels simplified, fast / zmesh get + simplify", Goal(3, 8), rows_simplifying.in_haste),
    "M2b": Row("all labels of 192^3 over gRPC / zmesh in process", Goal(0.7, 0.9), rows_mesh_serving.against_zmesh),
    "M4": Row("complete segments that are watertight / all", Goal(1, 1), rows_mesh_serving.watertight),
    "M5": Row("one segment of 512^3 over gRPC, cold / intern's way", Goal(3, 10), rows_mesh_serving.one_of_many),
    "M6": Row("time to the first part / to the last", Goal(0.3, 0.1, at_most=True), rows_mesh_serving.first_part),
    "M7": Row(
        "peak memory of bulk meshing, 8 x the volume / 1 x", Goal(1.2, 1.0, at_most=True), rows_bulk_meshing.memory
    ),
    "M8": Row(
        "bulk meshing of 512^3 / igneous forge and merge",
        Goal(1.5, 3),
        rows_bulk_meshing.against_igneous,
        (),
        rows_bulk_meshing.IGNEOUS,
    ),
    "T1": Row("raw chunks to Zarr v3 in shards: transfer / cp -r and sync", Goal(0.9, 2), rows_transfers.against_cp),
    "T1v": Row("the same, every voxel verified / not verified", Goal(0.5, 0.7), rows_transfers.verified),
    "T2": Row("the same / loop over cloud-volume and zarr-python", Goal(2.5, 6), rows_transfers.against_loop),
    "T3": Row("the same / its blocks by tensorstore alone", Goal(0.8, 0.9), rows_transfers.against_tensorstore),
    "T4": Row("coordinator's memory, 10^6 / 10^4 blocks", Goal(1.5, 1.1, at_most=True), rows_transfers.plan_memory),
    "T5": Row("2 Dask workers / 1, gzip", Goal(1.5, 1.8), rows_transfers.two_workers),
}
