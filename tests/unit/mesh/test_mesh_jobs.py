"""Jobs of bulk meshing: what is refused before anything is written, what the record says, and their work."""

import json
import uuid
from dataclasses import replace

import numpy as np
import pytest

from support.bulk_meshes import START, opened, registry_of, run, segmentation, stored
from support.servers import OneVolume
from voxgate.model.errors import (
    AlreadyExists,
    Cancelled,
    ConfigInvalid,
    FailedPrecondition,
    InvalidArgument,
    MalformedName,
    MissingCapability,
    OutOfBounds,
    ReadOnly,
    RequestIdReused,
    ServerBusy,
    Unimplemented,
    UnknownScale,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import JobState, MeshJobMode, MeshJobSpec, TransferSpec
from voxgate.model.volumes import CallContext, VolumeKind
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_mesh.bulk import places
from voxgate_mesh.bulk.creating import MeshJobs
from voxgate_mesh.bulk.plan import PartitionBlock
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote, MemoryVolume
from voxgate_remotes.registry import Registry

CHUNK = Vec3(32, 32, 24)
SPEC = MeshJobSpec("lab/seg", destination="lab/meshes", chunk_shape=CHUNK)


class Submitted:
    """An engine that only notes what it is given."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.full = False

    def check_room(self) -> None:
        if self.full:
            raise ServerBusy("too many jobs wait")

    def submit(self, name: str) -> None:
        self.names.append(name)


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.jobs = SqlJobStore("sqlite://")
        self.engine = Submitted()
        self.creating = MeshJobs(registry, self.jobs, self.engine)

    def start(self, spec: MeshJobSpec = SPEC, request_id: str = "", owner: str = "ada"):
        return self.creating.start(owner, request_id or str(uuid.uuid4()), spec, CallContext())

    def refuses(self, spec: MeshJobSpec, error: type[Exception], match: str | None = None):
        with pytest.raises(error, match=match) as caught:
            self.start(spec)
        assert caught.value.remedy
        assert self.engine.names == []
        return caught.value


def volume(labels=None, **changes):
    labels = segmentation() if labels is None else labels
    made = MemoryVolume.from_array(
        labels, voxel_offset=START, voxel_size_nm=(4, 6.5, 40), kind=changes.pop("kind", VolumeKind.SEGMENTATION)
    )
    made._info = replace(made.info, **changes)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    stored(registry_of(folder), "lab/seg", segmentation())
    stored(registry_of(folder), "lab/zarr", segmentation(), form="zarr3")
    return folder


@pytest.fixture
def bench(folder):
    return Bench(registry_of(folder))


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_record_leaves_nothing_to_choose_and_says_where_meshes_come_from(bench, folder):
    before = files_of(folder)
    job = bench.start(replace(SPEC, chunk_shape=None))
    spec = job.spec
    bounds = bench.registry.open("lab/seg").info.scales[0].bounds
    assert (spec.box, spec.destination, spec.max_error_nm) == (bounds, "lab/meshes", 4.0)
    assert spec.chunk_shape is not None
    assert spec.level_count == opened(bench.registry, spec).plan.level_count > 0
    assert job.state is JobState.PENDING
    assert bench.engine.names == [job.name]
    assert job.provenance["source"] == "lab/seg"
    assert job.provenance["source_format"] == "precomputed"
    assert '"destination":"lab/meshes"' in job.provenance["parameters"]
    assert files_of(folder) == before


def test_a_plan_of_the_record_is_that_of_what_was_asked(bench):
    work = opened(bench.registry, bench.start().spec)
    assert work.plan == opened(bench.registry, work.plan.spec).plan
    assert work.plan.chunk_shape == CHUNK


def test_without_a_destination_meshes_go_beside_the_volume(bench):
    assert bench.start(MeshJobSpec("lab/seg")).spec.destination == "lab/seg"


def test_a_repeated_request_answers_its_job_and_another_one_is_refused(bench):
    request = str(uuid.uuid4())
    first = bench.start(request_id=request)
    bench.engine.full = True  # what exists needs no room
    assert bench.start(request_id=request).name == first.name
    with pytest.raises(RequestIdReused):
        bench.start(replace(SPEC, sharded=True), request_id=request)
    assert bench.engine.names == [first.name]


def test_a_server_that_is_full_takes_none(bench):
    bench.engine.full = True
    with pytest.raises(ServerBusy):
        bench.start()


def test_two_jobs_do_not_store_meshes_at_one_place_at_once(bench):
    first = bench.start()
    with pytest.raises(FailedPrecondition, match="another job") as caught:
        bench.start(replace(SPEC, mode=MeshJobMode.OVERWRITE))
    assert caught.value.details == {"job": first.name}
    with pytest.raises(FailedPrecondition, match="another job") as caught:
        bench.start(replace(SPEC, mode=MeshJobMode.OVERWRITE), owner="bob")
    assert first.name not in str(caught.value.details)
    bench.start(replace(SPEC, destination="lab/other"))
    bench.jobs.update(first.name, lambda job: replace(job, state=JobState.CANCELLED))
    assert bench.start().name != first.name


def test_jobs_of_other_kinds_are_in_nobodys_way(bench):
    asked = TransferSpec("lab/seg", "lab/meshes")
    for number in range(130):
        bench.jobs.create(JobRequest("ada", str(number), asked, asked))
    bench.start()


REFUSED = {
    "no volume": (MeshJobSpec(""), InvalidArgument),
    "a name that is none": (MeshJobSpec("Lab Seg"), MalformedName),
    "a destination that is no name": (replace(SPEC, destination="../up"), MalformedName),
    "a volume that there is not": (replace(SPEC, volume="lab/absent"), UnknownVolume),
    "another scale": (replace(SPEC, scale=1), UnknownScale),
    "a box outside": (replace(SPEC, box=Box.at(START - Vec3(1, 0, 0), Vec3(5, 5, 5))), OutOfBounds),
    "an empty box": (replace(SPEC, box=Box.at(START, Vec3(5, 0, 5))), InvalidArgument),
    "small pieces": (replace(SPEC, chunk_shape=Vec3(15, 32, 32)), InvalidArgument),
    "large pieces": (replace(SPEC, chunk_shape=Vec3(32, 32, 1025)), InvalidArgument),
    "bits": (replace(SPEC, vertex_quantization_bits=12), InvalidArgument),
    "a negative error": (replace(SPEC, max_error_nm=-1.0), InvalidArgument),
    "an error that is no number": (replace(SPEC, max_error_nm=float("nan")), InvalidArgument),
    "levels": (replace(SPEC, level_count=1000), InvalidArgument),
    "a destination that takes no meshes": (replace(SPEC, destination="lab/zarr"), UnsupportedFormat),
    "beside a volume that takes no meshes": (MeshJobSpec("lab/zarr"), UnsupportedFormat),
    "inside of a volume": (replace(SPEC, destination="lab/seg/mesh"), UnsupportedFormat),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_refused_and_writes_nothing(bench, folder, what):
    before = files_of(folder)
    bench.refuses(*REFUSED[what])
    assert files_of(folder) == before
    assert not bench.jobs._database.read(lambda connection: connection.exec_driver_sql("select * from jobs").all())


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda: volume(kind=VolumeKind.IMAGE), MissingCapability),
        (lambda: volume(np.ones((5, 6, 7), np.float32), kind=VolumeKind.SEGMENTATION), MissingCapability),
        (lambda: volume(np.ones((5, 6, 7), np.int32), kind=VolumeKind.SEGMENTATION), MissingCapability),
        (lambda: volume(np.ones((2, 5, 6, 7), np.uint64)), MissingCapability),
        (lambda: volume(time_count=3), UnsupportedFormat),
        (lambda: replaced_size(volume()), ConfigInvalid),
    ],
    ids=["image", "float", "signed", "two channels", "time points", "unknown voxel size"],
)
def test_what_is_no_segmentation_of_known_size_is_refused(tmp_path, made, error):
    registry = registry_of(tmp_path)
    registry._remotes["odd"] = OneVolume(made())
    Bench(registry).refuses(MeshJobSpec("odd/seg", destination="lab/meshes"), error)


def replaced_size(made):
    (scale,) = made.info.scales
    made._info = replace(made.info, scales=(replace(scale, voxel_size_nm=None),))
    return made


def test_a_destination_that_is_read_only_or_in_a_store_without_meshes_is_refused(folder):
    registry = registry_of(folder, writable=False)
    registry._remotes["mem"] = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    bench = Bench(registry)
    bench.refuses(SPEC, ReadOnly)
    bench.refuses(replace(SPEC, destination="mem/meshes"), MissingCapability)


def test_a_server_without_an_encoder_says_what_to_install(bench, monkeypatch):
    monkeypatch.setattr(places, "find_spec", lambda name: None)
    error = bench.refuses(SPEC, Unimplemented, "DracoPy")
    assert "voxgate-mesh[draco]" in error.remedy


@pytest.fixture(scope="module")
def meshed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meshed")
    registry = registry_of(folder)
    stored(registry, "lab/seg", segmentation())
    bench = Bench(registry)
    job = bench.start()
    work = opened(registry, job.spec)
    done = [work.run_block(index) for index in range(work.block_count)]
    result = work.finish(None, "ab")
    bench.jobs.update(job.name, lambda job: replace(job, state=JobState.CANCELLED))
    return bench, work, done, result


def test_bytes_of_blocks_add_up_to_those_of_the_whole(meshed):
    _, work, done, _ = meshed
    assert sum(block.byte_count for block in done) == work.total_bytes
    assert {len(block.checksum) for block in done} == {32}
    assert done[-1].byte_count == 0


def test_blocks_of_the_finest_level_cover_every_voxel_and_partitions_are_no_boxes(meshed):
    _, work, _, _ = meshed
    (region,) = {work.plan.region}
    seen = np.zeros(region.shape.zyx, bool)
    for index in range(work.stage_starts[0]):
        scale, box = work.box_of(index)
        assert scale == 0
        assert region.contains(box)
        seen[box.slices_zyx(region.start)] = True
    assert seen.all()
    assert work.box_of(work.stage_starts[-1] - 1) == (0, region)
    for index in range(work.stage_starts[-1], work.block_count):
        assert isinstance(work.plan.block(index), PartitionBlock)
        assert work.box_of(index) is None


def test_equal_work_has_an_equal_digest_and_other_work_another(meshed):
    bench, work, _, _ = meshed
    assert opened(bench.registry, work.plan.spec).digest == work.digest
    assert opened(bench.registry, replace(work.plan.spec, minimum_voxel_count=9)).digest != work.digest


def test_finishing_again_says_the_same(meshed):
    bench, work, _, result = meshed
    assert (result.destination, result.checksum) == ("lab/meshes", "ab")
    assert result.segment_count == 5
    assert opened(bench.registry, work.plan.spec).finish(None, "ab") == result


def test_meshes_that_are_there_are_kept_unless_they_are_to_be_replaced(meshed):
    bench, *_ = meshed
    with pytest.raises(AlreadyExists) as caught:
        bench.start()
    assert "overwritten" in caught.value.remedy
    assert bench.start(replace(SPEC, mode=MeshJobMode.OVERWRITE)).state is JobState.PENDING


def test_a_job_that_goes_on_late_replaces_no_meshes_that_came_meanwhile(tmp_path):
    registry = registry_of(tmp_path)
    stored(registry, "lab/seg", segmentation())
    late = opened(registry, replace(SPEC, minimum_voxel_count=9))
    for index in range(late.stage_starts[-1]):
        late.run_block(index)
    result = run(opened(registry, SPEC))
    before = {path: path.read_bytes() for path in files_of(tmp_path / "meshes") if "partial" not in str(path)}
    for last in (lambda: late.run_block(late.block_count - 1), lambda: late.finish(None, "cd")):
        with pytest.raises(AlreadyExists, match="meanwhile"):
            last()
    assert {path: path.read_bytes() for path in before} == before
    assert result.segment_count == 5


def test_work_of_a_job_that_is_stopped_stops(bench):
    work = opened(bench.registry, bench.start().spec)
    work.patience.end()
    with pytest.raises(Cancelled):
        work.run_block(0)


NAMES = {"ids": ["77"], "properties": [{"id": "label", "type": "label", "values": ["MBON01"]}]}


@pytest.mark.parametrize("told", [json.dumps({"@type": "neuroglancer_segment_properties", "inline": NAMES}), "{", "[]"])
def test_properties_that_somebody_else_made_are_not_replaced(tmp_path, told):
    bench = Bench(registry_of(tmp_path))
    stored(bench.registry, "lab/seg", segmentation())
    beside = MeshJobSpec("lab/seg", chunk_shape=CHUNK)
    folder = tmp_path / "seg" / "names"
    folder.mkdir()
    (folder / "info").write_text(told)
    info = tmp_path / "seg" / "info"
    bench.start(beside)  # a folder that nothing names is in nobody's way
    info.write_text(json.dumps({**json.loads(info.read_text()), "segment_properties": "names"}))
    other = Bench(registry_of(tmp_path))
    for mode in MeshJobMode:
        error = other.refuses(replace(beside, mode=mode), AlreadyExists, "segment properties")
        assert "--no-properties" in error.remedy
    run(opened(other.registry, other.start(replace(beside, segment_properties=False)).spec))
    assert json.loads(info.read_text())["segment_properties"] == "names"
    assert (folder / "info").read_text() == told


def test_properties_that_a_job_made_are_replaced(tmp_path):
    bench = Bench(registry_of(tmp_path))
    stored(bench.registry, "lab/seg", segmentation())
    beside = MeshJobSpec("lab/seg", chunk_shape=CHUNK)
    run(opened(bench.registry, beside))
    assert json.loads((tmp_path / "seg" / "info").read_text())["segment_properties"]
    assert bench.start(replace(beside, mode=MeshJobMode.OVERWRITE)).state is JobState.PENDING
