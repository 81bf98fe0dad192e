"""A client without a server, for tests of the command line: two volumes in memory, jobs that end at once."""

import datetime
from dataclasses import replace

from support.array_volume import image, movie, multichannel, segmentation
from voxgate.client.array import VolumeArray
from voxgate.client.connection import ServerInfo
from voxgate.model.errors import Cancelled, JobFailed, UnknownJob, UnknownVolume
from voxgate.model.geometry import Box
from voxgate.model.jobs import (
    Job,
    JobBlock,
    JobError,
    JobFailure,
    JobProgress,
    JobState,
    MeshJobResult,
    MeshJobSpec,
    TransferResult,
    TransferSpec,
)
from voxgate.model.manifests import JobManifest
from voxgate.model.remotes import VolumeEntry

LISTING = {
    "": [VolumeEntry("lab", False), VolumeEntry("solo", True)],
    "lab": [VolumeEntry("lab/deep", False), VolumeEntry("lab/em", True)],
    "lab/deep": [VolumeEntry("lab/deep/seg", True)],
}


BLOCKS = (
    JobBlock(0, bytes(range(32)), Box.of(x=(-24, 8), y=(40, 83), z=(-7, 14))),
    JobBlock((1 << 32) + 1, bytes(32), Box.of(x=(8, 47), y=(40, 83), z=(-7, 14)), 1),
)
FAILURE = JobFailure(
    5,
    JobError("STORE_UNAVAILABLE", "UNAVAILABLE", "the disk went away"),
    5,
    datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC),
    Box.of(x=(0, 8), y=(4, 8), z=(-2, 1)),
    2,
)


class FakeHandle:
    def __init__(self, job, steps=(), ends=None):
        self.job = job
        self.steps = steps
        self.ends = ends
        self.resumed = 0

    @property
    def name(self):
        return self.job.name

    def watch(self):
        for step in self.steps:
            if isinstance(step, BaseException):
                raise step
            self.job = step
            yield step

    def result(self):
        if self.job.state is JobState.CANCELLED:
            raise Cancelled(f"{self.name} was cancelled", "resume() it")
        if self.job.state is JobState.FAILED:
            raise JobFailed(f"{self.name} failed: {self.job.error.message}", "look at the server's log")
        return self.job.result

    def cancel(self):
        self.job = replace(self.job, state=JobState.CANCELLING)
        return self.job

    def resume(self):
        self.resumed += 1
        self.job = replace(self.job, state=JobState.PENDING, error=None)
        if self.ends is not None:
            self.steps = [self.ends]
        return self.job

    def failures(self):
        yield FAILURE

    def manifest(self):
        return JobManifest.of([BLOCKS])


class FakeClient:
    """Stands where voxgate.connect would: call it to connect."""

    def __init__(self):
        self.connected_to = None
        self.closed = False
        self.arrays = {
            "solo": VolumeArray(image()),
            "lab/em": VolumeArray(image((6, 7, 8))),
            "lab/dyes": VolumeArray(multichannel()),
            "lab/deep/seg": VolumeArray(segmentation()),
            "lab/movie": movie(),
        }
        self.opened = []
        self.transfers = []
        self.pyramids = []
        self.meshings = []
        self.handle = None
        self.spec = TransferSpec("lab/em", "lab/copy")
        self.starts_in = JobState.PENDING
        self.ends_in = JobState.SUCCEEDED
        self.interrupt = None

    def __call__(self, address=None, *, token=None, tls=None):
        self.connected_to = (address, token)
        self.tls = tls
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True

    def server_info(self):
        return ServerInfo("id", "9.9", {}, {}, False)

    def volumes(self, parent=""):
        if parent not in LISTING:
            raise UnknownVolume(f"there is no group {parent!r}", "list its parent")
        return LISTING[parent]

    def volume(self, name):
        self.opened.append(name)
        if name not in self.arrays:
            raise UnknownVolume(f"there is no volume {name!r}", "list them with voxgate ls")
        return self.arrays[name]

    def job_record(self, state=JobState.PENDING):
        job = Job("jobs/7", "me", "id", self.spec, state)
        if state is JobState.SUCCEEDED:
            meshed, copied = (
                MeshJobResult("lab/meshes", 2**54, 2**60, 3 << 20, "abc"),
                TransferResult("lab/copy", 3 << 20, "abc"),
            )
            job = replace(job, result=meshed if isinstance(self.spec, MeshJobSpec) else copied)
        if state is JobState.FAILED:
            job = replace(job, error=JobError("STORE_UNAVAILABLE", "UNAVAILABLE", "the disk went away"))
        return replace(job, progress=JobProgress("copying", 1 << 20, 3 << 20))

    def transfer(self, source, destination, **options):
        self.transfers.append((source, destination, {name: value for name, value in options.items() if value}))
        return self._started()

    def pyramid(self, name, **options):
        self.pyramids.append((name, {key: value for key, value in options.items() if value}))
        return self._started()

    def create_mesh_job(self, spec, *, request_id=None):
        self.meshings.append((spec, request_id))
        self.spec = replace(spec, destination=spec.destination or spec.volume)
        return self._started()

    def _started(self):
        """A new job, or the one that an earlier run of the same request left behind."""
        good = self.job_record(JobState.SUCCEEDED)
        end = self.interrupt or self.job_record(self.ends_in)
        self.handle = FakeHandle(self.job_record(self.starts_in), [self.job_record(JobState.RUNNING), end], good)
        return self.handle

    def jobs(self, state=None):
        if state in (None, self.ends_in):
            yield FakeHandle(self.job_record(self.ends_in))

    def job(self, name):
        if name != "jobs/7":
            raise UnknownJob(f"there is no job {name!r}")
        end = self.interrupt or self.job_record(self.ends_in)
        self.handle = FakeHandle(self.job_record(self.ends_in), [end], self.job_record(JobState.SUCCEEDED))
        return self.handle
