"""Pyramids over real sockets, alone and after a copy, in real files; and in buckets."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorstore as ts

from support.emulators import Emulator, gcs_emulator, s3_emulator
from support.pyramids import BOUNDS, CHUNK, SIZE, expected, filled, finest, run
from support.servers import SAMPLES, settings
from voxgate.client.jobs import JobHandle
from voxgate.model.errors import FailedPrecondition, InvalidArgument, ReadOnly
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import PyramidJobSpec, PyramidMethod, PyramidSpec, TransferSpec, Verification
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate.v1 import job_pb2_grpc, transfer_pb2, transfer_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.job_specs import pyramid_job_spec_to_proto, transfer_spec_to_proto
from voxgate.wire.jobs import job_from_proto
from voxgate_jobs.work import Patience
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_transfer.coarsening import open_pyramid
from voxgate_transfer.pyramids import levels_of
from voxgate_transfer.service import registrations

FACTORS = (Vec3(2, 2, 1), Vec3(3, 2, 5))


class Caller:
    """Raw stubs on one channel, and the remotes behind them."""

    def __init__(self, address: str, registry: Registry) -> None:
        self.channel = grpc.insecure_channel(address)
        self.registry = registry
        self._transfers = transfer_pb2_grpc.TransferServiceStub(self.channel)
        self._jobs = job_pb2_grpc.JobServiceStub(self.channel)

    def pyramid(self, volume: str, factors: tuple[Vec3, ...] = FACTORS, request_id: str = "") -> JobHandle:
        spec = pyramid_job_spec_to_proto(PyramidJobSpec(volume, PyramidSpec(factors)))
        request = transfer_pb2.CreatePyramidRequest(request_id=request_id or str(uuid.uuid4()), spec=spec)
        return self._handle(lambda: self._transfers.CreatePyramid(request, timeout=60).job)

    def transfer(self, spec: TransferSpec) -> JobHandle:
        proto = transfer_spec_to_proto(spec)
        request = transfer_pb2.CreateTransferRequest(request_id=str(uuid.uuid4()), spec=proto)
        return self._handle(lambda: self._transfers.CreateTransfer(request, timeout=60).job)

    def _handle(self, call: Callable[[], object]) -> JobHandle:
        try:
            return JobHandle(self._jobs, job_from_proto(call()))  # type: ignore[arg-type]
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    root = tmp_path_factory.mktemp("files")
    remotes = {name: RemoteConfig(uri=f"{root.as_uri()}/{name}", writable=True, format=name) for name in FORMATS}
    for name in FORMATS:
        (root / name).mkdir()
    remotes["samples"] = RemoteConfig(uri=SAMPLES.as_uri())
    remotes["memory"] = RemoteConfig(uri="memory://", writable=True)
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    chosen = settings()
    server = start_server(registrations(registry, chosen), chosen)
    try:
        caller = Caller(server.address, registry)
        yield caller
        caller.channel.close()
    finally:
        server.stop(1.0)


FORMATS = ("precomputed", "zarr2", "zarr3")


@pytest.mark.parametrize("form", FORMATS)
def test_a_volume_gets_the_levels_that_were_asked_for(caller: Caller, form: str) -> None:
    name = f"{form}/seg"
    filled(caller.registry, name, finest())
    request = str(uuid.uuid4())
    handle = caller.pyramid(name, request_id=request)
    result = handle.result(120)
    assert caller.pyramid(name, request_id=request).name == handle.name
    volume = caller.registry.open(name)
    made = expected(finest(), FACTORS, "mode")
    assert [scale.bounds for scale in volume.info.scales[1:]] == [bounds for bounds, _ in made]
    for scale, (bounds, voxels) in enumerate(made, start=1):
        assert np.array_equal(volume.read(bounds, scale=scale), voxels)
    assert (result.destination, result.copied_bytes) == (name, 0)
    assert result.verified_bytes == sum(voxels.nbytes for _, voxels in made)


def test_a_transfer_makes_the_levels_of_its_copy(caller: Caller) -> None:
    source = caller.registry.open("samples/fib25/seg")
    spec = TransferSpec("samples/fib25/seg", "precomputed/copy", pyramid=PyramidSpec(FACTORS))
    result = caller.transfer(spec).result(120)
    bounds = source.info.scales[0].bounds
    voxels = source.read(bounds)
    made = expected(voxels, FACTORS, "mode", bounds)
    for mip, (box, level) in enumerate([(bounds, voxels), *made]):
        folder = caller.registry.open("precomputed/copy")
        assert np.array_equal(folder.read(box, scale=mip), level)
    assert result.copied_bytes == voxels.nbytes
    assert result.verified_bytes == voxels.nbytes + sum(level.nbytes for _, level in made)


def test_a_transfer_of_a_part_makes_levels_where_it_comes_to_lie(caller: Caller) -> None:
    filled(caller.registry, "memory/em", finest("uint8"), kind=VolumeKind.IMAGE)
    start = Vec3(1001, -7, 3)
    spec = TransferSpec(
        "memory/em",
        "zarr3/moved",
        destination_start=start,
        verification=Verification.SAMPLE,
        pyramid=PyramidSpec(FACTORS),
    )
    caller.transfer(spec).result(120)
    moved = BOUNDS.shifted(start - BOUNDS.start)
    volume = caller.registry.open("zarr3/moved")
    for scale, (bounds, voxels) in enumerate(expected(finest("uint8"), FACTORS, "mean", moved), start=1):
        assert volume.info.scales[scale].bounds == bounds
        assert np.array_equal(volume.read(bounds, scale=scale), voxels)


def test_levels_of_a_pyramid_are_copied_like_any_others(caller: Caller) -> None:
    filled(caller.registry, "precomputed/em", finest("uint8"), kind=VolumeKind.IMAGE)
    caller.pyramid("precomputed/em").result(120)
    caller.transfer(TransferSpec("precomputed/em", "zarr2/em-copy")).result(120)
    copy = caller.registry.open("zarr2/em-copy")
    for scale, (bounds, voxels) in enumerate(expected(finest("uint8"), FACTORS, "mean"), start=1):
        assert np.array_equal(copy.read(bounds, scale=scale), voxels)


@pytest.mark.parametrize(
    ("name", "factors", "error"),
    [
        ("samples/fib25/seg", (Vec3(2, 2, 2),) * 2, ReadOnly),
        ("memory/kinds", FACTORS, InvalidArgument),
        ("memory/one", (Vec3(1, 1, 1),), InvalidArgument),
        ("memory/one", (Vec3(99, 1, 1),), InvalidArgument),
    ],
)
def test_what_cannot_be_made_is_refused_before_there_is_a_job(
    caller: Caller, name: str, factors: tuple[Vec3, ...], error: type[Exception]
) -> None:
    scale = ScaleSpec(BOUNDS, SIZE, CHUNK)
    for path, kind in (("memory/kinds", VolumeKind.UNKNOWN), ("memory/one", VolumeKind.SEGMENTATION)):
        caller.registry.create(path, VolumeSpec(np.dtype("<u8"), kind, (scale,)))
    with pytest.raises(error):
        caller.pyramid(name, factors)


def test_several_scales_and_a_pyramid_contradict_each_other(caller: Caller) -> None:
    spec = TransferSpec("samples/fib25/seg", "zarr3/none", scales=(0, 1), pyramid=PyramidSpec(FACTORS))
    with pytest.raises(InvalidArgument, match="pyramid"):
        caller.transfer(spec)
    missing = TransferSpec("samples/fib25/seg", "zarr3/none", pyramid=PyramidSpec((Vec3(2, 2, 0),)))
    with pytest.raises(InvalidArgument, match="factor"):
        caller.transfer(missing)
    assert "none" not in {entry.name.rpartition("/")[2] for entry in caller.registry.list("zarr3")}


@pytest.mark.parametrize(("kind", "serve"), [("s3", s3_emulator), ("gs", gcs_emulator)])
def test_a_volume_in_a_bucket_gets_levels(
    tmp_path: Path, kind: str, serve: Callable[[Path], Iterator[Emulator]]
) -> None:
    form = "zarr3" if kind == "s3" else "precomputed"
    with serve(tmp_path / "log") as emulator:  # type: ignore[attr-defined]
        config = emulator.config("lab", writable=True)
        registry, other = (Registry.from_config(RemotesConfig(remotes={"bucket": config})) for _ in range(2))
        filled(registry, "bucket/seg", finest(), format=form, chunk=Vec3(64, 64, 32))
        spec = PyramidJobSpec("bucket/seg", PyramidSpec(FACTORS, PyramidMethod.MODE))
        registry.add_scales("bucket/seg", 1, levels_of(spec.pyramid, BOUNDS, SIZE))
        reader = other.open("bucket/seg")
        for checksum in ("ab", "cd"):  # whoever has the volume open reads on, whatever is said beside it
            work = open_pyramid(registry, spec, Patience())
            work.finish(run(work), checksum * 32)
            assert np.array_equal(reader.read(BOUNDS), finest())
        name = "zarr.json" if form == "zarr3" else "provenance"
        kept = json.loads(ts.KvStore.open(emulator.kvstore("lab/seg")).result().read(name).result().value)
        (entry,) = kept["attributes"]["voxgate_provenance"] if form == "zarr3" else kept["processing"]
        assert "cd" * 32 in json.dumps(entry)
        assert "voxgate pyramid" in json.dumps(entry)
        volume = other.open("bucket/seg")
        for scale, (bounds, voxels) in enumerate(expected(finest(), FACTORS, "mode"), start=1):
            assert np.array_equal(volume.read(bounds, scale=scale), voxels)
        with pytest.raises(FailedPrecondition, match="3 levels by now"):
            other.add_scales("bucket/seg", 1, levels_of(spec.pyramid, BOUNDS, SIZE))
