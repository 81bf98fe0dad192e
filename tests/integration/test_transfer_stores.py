"""Transfers between the stores of the field, over sockets, compared voxel by voxel by readers that are not ours."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume

from support.boss_remotes import held
from support.bossdb import BossServer, bossdb_server
from support.dvid_volumes import Repository, repository
from support.n5_volumes import by_tensorstore
from support.references import segmentation
from support.servers import settings
from voxgate.client.jobs import JobHandle
from voxgate.model.errors import AlreadyExists, InvalidArgument, JobFailed, MissingCapability, ReadOnly, VoxgateError
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import Job, TransferMode, TransferSpec, Verification
from voxgate.model.versions import Versioned
from voxgate.model.volumes import ArrayCodec, Encoding, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate.v1 import job_pb2_grpc, transfer_pb2, transfer_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.job_specs import transfer_spec_to_proto
from voxgate.wire.jobs import job_from_proto
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_transfer.service import registrations

BOX = Box.of(x=(-40, 71), y=(25, 98), z=(-9, 22))
SIZE = VoxelSize(4.0, 4.0, 40.0)
INNER = Box.of(x=(-31, 66), y=(30, 91), z=(-4, 19))
START = Vec3(37, 70, 5)
THERE = Box.at(START, INNER.shape)
VOXELS = segmentation((1, *BOX.shape.zyx), seed=11)
PART = VOXELS[:, *INNER.slices_zyx(BOX.start)]


@dataclass
class House:
    """A server over every kind of store; the stores' own ends beside it."""

    registry: Registry
    channel: grpc.Channel
    folder: Path
    dvid: Repository
    boss: BossServer

    def start(self, source: str, destination: str, **spec) -> JobHandle:
        request = transfer_pb2.CreateTransferRequest(
            request_id=str(uuid.uuid4()), spec=transfer_spec_to_proto(TransferSpec(source, destination, **spec))
        )
        try:
            answer = transfer_pb2_grpc.TransferServiceStub(self.channel).CreateTransfer(request, timeout=120)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        return JobHandle(job_pb2_grpc.JobServiceStub(self.channel), job_from_proto(answer.job))

    def copy(self, source: str, destination: str, **spec) -> Job:
        handle = self.start(source, destination, **spec)
        handle.result()
        return handle.refresh()

    def repo(self) -> str:
        """A new repository: its UUID, and that of its open version."""
        assert self.dvid.server is not None
        return self.dvid.server.store.add_repo(alias=f"r{uuid.uuid4().hex[:8]}")

    def labels(self, name: str, box: Box, version: str) -> np.ndarray:
        """What DVID says, asked by hand: (1, z, y, x)."""
        where = "_".join(map(str, box.shape)), "_".join(map(str, box.start))
        url = f"{self.dvid.url}/api/node/{version}/{name}/raw/0_1_2/{where[0]}/{where[1]}"
        answer = requests.get(url, timeout=60)
        assert answer.ok, answer.text
        return np.frombuffer(answer.content, "<u8").reshape(1, *box.shape.zyx)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("stores")
    with repository("own") as dvid, bossdb_server() as boss:
        remotes = {
            name: RemoteConfig(uri=(folder / name).as_uri(), writable=True, format=name)
            for name in ("precomputed", "zarr2", "zarr3")
        }
        for name in (*remotes, "n5"):
            (folder / name).mkdir()
        remotes["n5"] = RemoteConfig(uri=(folder / "n5").as_uri())
        remotes["alias"] = RemoteConfig(uri=folder.as_uri(), writable=True)
        remotes["memory"] = RemoteConfig(uri="memory://", writable=True)
        uri = f"dvid://{dvid.url}"
        remotes["dvid"] = RemoteConfig(uri=uri, writable=True, options={"cache_seconds": 0})
        remotes["boss"] = RemoteConfig.model_validate(
            {"uri": f"bossdb://http://{boss.address}", "credentials": {"token": boss.token}, "writable": True}
        )
        registry = Registry.from_config(RemotesConfig(remotes=remotes))
        spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, SIZE, Vec3(16, 24, 8)),))
        registry.create("precomputed/seg", spec).capability(Writable).write(BOX, VOXELS)
        chosen = settings(workers=8)
        server = start_server(registrations(registry, chosen), chosen)
        with grpc.insecure_channel(server.address) as channel:
            yield House(registry, channel, folder, dvid, boss)
        server.stop(5.0)


def test_a_box_goes_through_every_store_and_comes_back_as_it_was(house: House):
    assert VOXELS.max() > 2**63
    repo = house.repo()
    house.copy("precomputed/seg", f"dvid/{repo}/bodies", box=INNER, destination_start=START)
    np.testing.assert_array_equal(house.labels("bodies", THERE, repo), PART)
    house.copy(f"dvid/{repo}/bodies", "boss/lab/fly/bodies", box=THERE)
    np.testing.assert_array_equal(held(house.boss, THERE, path=("lab", "fly", "bodies")), PART)
    house.copy("boss/lab/fly/bodies", "zarr3/bodies", destination_start=INNER.start)
    group = zarr.open_group(house.folder / "zarr3/bodies", mode="r")
    np.testing.assert_array_equal(group["0"][:][np.newaxis], PART)
    assert group.attrs["voxgate_provenance"][0]["sources"] == ["boss/lab/fly/bodies"]
    house.copy("zarr3/bodies", "zarr2/bodies", verification=Verification.SAMPLE)
    array = zarr.open_array(house.folder / "zarr2/bodies/0", mode="r")
    np.testing.assert_array_equal(array[:][np.newaxis], PART)
    job = house.copy("zarr2/bodies", "precomputed/back", skip_empty=True)
    cloud = CloudVolume((house.folder / "precomputed/back").as_uri(), fill_missing=True, progress=False)
    assert cloud.bounds.minpt.tolist() == list(INNER.start)
    np.testing.assert_array_equal(np.asarray(cloud[:]).transpose(3, 2, 1, 0), PART)
    written = json.loads((house.folder / "precomputed/back/provenance").read_text())
    assert job.result is not None
    assert written["processing"][0]["method"]["checksum"] == job.result.checksum
    assert CloudVolume((house.folder / "precomputed/back").as_uri()).provenance.sources == ["zarr2/bodies"]


def test_n5_is_copied_and_converted_into_what_the_destination_is_asked_to_be(house: House):
    voxels = np.random.default_rng(3).integers(0, 2**16, (21, 30, 43)).astype("<u2")
    by_tensorstore(house.folder / "n5/em", voxels)
    size = VoxelSize(8.0, 8.0, 33.0)
    house.copy("n5/em", "zarr3/em", voxel_size_nm=size, destination_start=Vec3(-100, 7, -3), dtype=np.dtype("<f4"))
    found = zarr.open_group(house.folder / "zarr3/em", mode="r")["0"]
    np.testing.assert_array_equal(found[:], voxels.astype("<f4"))
    assert house.registry.open("zarr3/em").info.scales[0].voxel_size_nm == size
    with pytest.raises(JobFailed, match="which uint8 cannot hold"):
        house.copy("n5/em", "zarr3/bytes", voxel_size_nm=size, dtype=np.dtype("u1"))


def test_precomputed_takes_a_box_whose_part_is_overwritten_and_tensorstore_reads_both(house: House):
    changed = segmentation((1, *INNER.shape.zyx), seed=12)
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(INNER, SIZE),))
    house.registry.create("memory/changed", spec).capability(Writable).write(INNER, changed)
    house.copy("precomputed/seg", "precomputed/two")
    house.copy("memory/changed", "precomputed/two", mode=TransferMode.OVERWRITE)
    where = {"driver": "file", "path": f"{house.folder}/precomputed/two/"}
    found = ts.open({"driver": "neuroglancer_precomputed", "kvstore": where}).result().read().result()
    expected = VOXELS.copy()
    expected[:, *INNER.slices_zyx(BOX.start)] = changed
    np.testing.assert_array_equal(found.transpose(3, 2, 1, 0), expected)


def test_zeros_arrive_in_bossdb_over_what_was_there(house: House):
    house.copy("precomputed/seg", "boss/lab/fly/zeros", box=INNER, destination_start=START)
    holes = np.where(np.random.default_rng(4).random(PART.shape) < 0.4, np.uint64(0), PART)
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(THERE, SIZE),))
    house.registry.create("memory/holes", spec).capability(Writable).write(THERE, holes)
    house.copy("memory/holes", "boss/lab/fly/zeros", mode=TransferMode.OVERWRITE)
    np.testing.assert_array_equal(held(house.boss, THERE, path=("lab", "fly", "zeros")), holes)
    keys = house.registry.key_values("boss/lab/fly/zeros").keys()
    assert len([key for key in keys if key.startswith("voxgate-provenance-")]) == 2


def test_a_round_trip_edits_a_branch_in_dvid_and_brings_only_what_changed_back(house: House):
    name = f"dvid/{house.repo()}/trip"
    house.copy("precomputed/seg", "boss/lab/fly/trip", box=INNER, destination_start=START)
    job = house.copy("boss/lab/fly/trip", name, box=THERE, note="as it was in BossDB")
    assert job.result is not None
    first = job.result.destination_version
    volume = house.registry.open(name, OpenOptions(version=first))
    assert volume.info.immutable
    versions = volume.capability(Versioned)
    assert [(v.note, v.is_committed) for v in versions.versions() if v.version == first] == [
        ("as it was in BossDB", True)
    ]
    log = requests.get(f"{house.dvid.url}/api/node/{first}/log", timeout=60).json()["log"]
    assert any(job.result.checksum in line and "boss/lab/fly/trip" in line for line in log)

    branch = versions.new_branch("proofread", "merges").version
    edit = Box.of(x=(60, 66), y=(80, 83), z=(7, 9))
    edited = house.registry.open(name, OpenOptions(version=branch))
    edited.capability(Writable).write(edit, np.full((1, *edit.shape.zyx), 2**63 + 99, "<u8"))
    back = house.copy(name, "boss/lab/fly/trip", source_version=branch, box=THERE, mode=TransferMode.UPDATE)
    assert back.result is not None
    assert back.provenance["source_version"] == branch
    assert back.result.skipped_block_count < back.progress.total_block_count
    expected = PART.copy()
    expected[:, *edit.slices_zyx(START)] = 2**63 + 99
    np.testing.assert_array_equal(held(house.boss, THERE, path=("lab", "fly", "trip")), expected)
    again = house.copy(name, "boss/lab/fly/trip", source_version=branch, box=THERE, mode=TransferMode.UPDATE)
    assert again.result is not None
    assert again.result.skipped_block_count == again.progress.total_block_count


def test_a_committed_version_is_left_as_it_is_and_a_new_one_written(house: House):
    name = f"dvid/{house.repo()}/bodies"
    house.copy("precomputed/seg", name, box=INNER, destination_start=START, note="the first")
    locked = house.registry.open(name).info.resolved_version
    before = house.labels("bodies", THERE, locked)
    other = segmentation((1, *THERE.shape.zyx), seed=13)
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(THERE, SIZE),))
    house.registry.create("memory/other", spec).capability(Writable).write(THERE, other)
    job = house.copy("memory/other", name, mode=TransferMode.OVERWRITE)
    assert job.result is not None
    version = job.result.destination_version
    assert version not in ("", locked)
    assert job.provenance["destination_version"] == version
    np.testing.assert_array_equal(house.labels("bodies", THERE, version), other)
    np.testing.assert_array_equal(house.labels("bodies", THERE, locked), before)
    assert not house.registry.open(name, OpenOptions(version=version)).info.immutable


@pytest.mark.parametrize(
    ("source", "destination", "spec", "error"),
    [
        ("precomputed/seg", "alias/precomputed/seg", {"mode": TransferMode.OVERWRITE}, InvalidArgument),
        ("precomputed/seg", "alias/precomputed/seg/inside", {}, InvalidArgument),
        ("precomputed/seg", "precomputed/noted", {"note": "why"}, MissingCapability),
        ("precomputed/seg", "precomputed/seg2", {"destination_start": Vec3(0, 0, 0), "scales": (7,)}, VoxgateError),
        ("precomputed/seg", "boss/lab/fly/below", {}, VoxgateError),
        ("precomputed/seg", "n5/copy", {}, VoxgateError),
        ("precomputed/none", "zarr3/none", {}, VoxgateError),
    ],
)
def test_what_can_be_refused_is_refused_before_anything_is_written(house: House, source, destination, spec, error):
    before = sorted(path for path in house.folder.rglob("*") if "seg" in path.name or "noted" in path.name)
    with pytest.raises(error) as refused:
        house.start(source, destination, **spec)
    assert not isinstance(refused.value, AlreadyExists)
    assert refused.value.remedy
    assert str(house.folder) not in str(refused.value)
    assert before == sorted(path for path in house.folder.rglob("*") if "seg" in path.name or "noted" in path.name)


def lossy(box: Box) -> VolumeSpec:
    scale = ScaleSpec(box, VoxelSize(8.0, 8.0, 33.0), Vec3(64, 64, 8), encoding=Encoding(ArrayCodec.JPEG))
    return VolumeSpec(np.dtype("u1"), VolumeKind.IMAGE, (scale,), format="precomputed")


def test_a_destination_kept_with_loss_is_only_written_where_nothing_is_to_be_compared(house: House):
    box = Box.of(x=(-5, 90), y=(11, 70), z=(3, 14))
    smooth = (np.add.outer(np.arange(11), np.add.outer(np.arange(59), np.arange(95))) % 200).astype("u1")[np.newaxis]
    spec = VolumeSpec(np.dtype("u1"), VolumeKind.IMAGE, (ScaleSpec(box, VoxelSize(8.0, 8.0, 33.0)),))
    house.registry.create("memory/smooth", spec).capability(Writable).write(box, smooth)
    with pytest.raises(InvalidArgument, match="loss"):
        house.start("memory/smooth", "precomputed/jpeg", destination_spec=lossy(box))
    assert not (house.folder / "precomputed/jpeg").exists()
    job = house.copy("memory/smooth", "precomputed/jpeg", destination_spec=lossy(box), verification=Verification.NONE)
    assert job.result is not None
    assert job.result.verified_bytes == 0
    with pytest.raises(InvalidArgument, match="loss"):
        house.start("memory/smooth", "precomputed/jpeg", mode=TransferMode.UPDATE, verification=Verification.NONE)


def test_a_store_that_makes_coarser_scales_by_itself_says_what_to_copy(house: House):
    boxes = (Box.of(x=(0, 70), y=(16, 90), z=(2, 40)), Box.of(x=(0, 35), y=(8, 45), z=(1, 20)))
    scales = tuple(ScaleSpec(box, VoxelSize(4.0 * f, 4.0 * f, 40.0 * f)) for box, f in zip(boxes, (1, 2), strict=True))
    volume = house.registry.create("memory/two", VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, scales))
    voxels = segmentation((1, *boxes[0].shape.zyx), seed=14)
    volume.capability(Writable).write(boxes[0], voxels)
    name = f"dvid/{house.repo()}/two"
    with pytest.raises(ReadOnly) as refused:
        house.start("memory/two", name)
    assert "copy its writable scales alone" in refused.value.remedy
    assert "overwrite" in refused.value.remedy
    house.copy("memory/two", name, scales=(0,), mode=TransferMode.OVERWRITE)
    version = house.registry.open(name).info.resolved_version
    np.testing.assert_array_equal(house.labels("two", boxes[0], version), voxels)
