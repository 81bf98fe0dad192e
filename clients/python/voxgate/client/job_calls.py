"""What a client asks about long work: start a transfer, a pyramid or a meshing, find and list jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.client.jobs import JobHandle
from voxgate.client.likes import spec_like
from voxgate.client.mesh_jobs import mesh_job
from voxgate.client.physical import Triple, triple
from voxgate.client.remote_volume import open_remote
from voxgate.client.stores import StoreCalls
from voxgate.client.wishes import Extent, choice, request_uuid, vec3
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.jobs import (
    JobState,
    MeshJobResult,
    MeshJobSpec,
    PyramidJobSpec,
    PyramidMethod,
    PyramidSpec,
    TransferMode,
    TransferResult,
    TransferSpec,
    Verification,
)
from voxgate.model.names import split_version
from voxgate.model.volumes import OpenOptions, VolumeSpec
from voxgate.v1 import job_pb2, transfer_pb2
from voxgate.wire.job_specs import pyramid_job_spec_to_proto, transfer_spec_to_proto
from voxgate.wire.jobs import job_from_proto, state_to_proto


class JobCalls(StoreCalls):
    """The part of Client that speaks of jobs."""

    def transfer(  # noqa: PLR0913  (every option of the contract, all but two by keyword)
        self,
        source: str,
        destination: str,
        *,
        box: Box | None = None,
        scales: Sequence[int] = (),
        channels: Sequence[int] = (),
        dtype: npt.DTypeLike | None = None,
        to: Extent | None = None,
        voxel_size_nm: Triple | None = None,
        mode: TransferMode | str = TransferMode.FAIL_IF_EXISTS,
        verify: Verification | str = Verification.FULL,
        skip_empty: bool = False,
        pyramid: PyramidSpec | bool = False,
        note: str = "",
        format: str = "",  # noqa: A002  (what it is called everywhere)
        spec: VolumeSpec | None = None,
        request_id: str | None = None,
    ) -> JobHandle[TransferResult]:
        """Start copying a volume into another store.

        Args:
            source: "remote/path", or "remote/path@version".
            destination: "remote/path"; "remote/path@version" writes to a version of a volume that exists.
            box: what to copy, voxels of the finest scale that is copied, global coordinates; None means everything.
            scales: indices of the scales to copy, ascending; empty means all.
            channels: indices of the channels to copy, in the order wanted; empty means all.
            dtype: convert voxels to this type; the job fails at the first that does not fit. None keeps the source's.
            to: x, y, z of where the box's first voxel lies in the destination; None means where it does in the source.
            voxel_size_nm: x, y, z of the finest scale in the destination; None means the source's.
            mode: "fail-if-exists", "overwrite", or "update": write only the blocks that differ.
            verify: how much is read back and compared: "full", "sample" (one block in 16) or "none".
            skip_empty: leave blocks of nothing but the destination's fill value unwritten.
            pyramid: make coarser levels from the finest scale copied instead of copying the source's; True leaves
                their factors and method to the server.
            note: what the log of a destination with versions says.
            format: "precomputed", "zarr2" or "zarr3", unsharded; "" for the destination's default, sharded where it
                can be.
            spec: all of what to create; None makes the like of what is copied.
            request_id: a UUID, or words of your own that stand for one; repeating a call with the same one and the same
                parameters answers the same job.

        Raises:
            UnknownVolume, AlreadyExists, ReadOnly, UnsupportedFormat, OutOfBounds, DataTypeMismatch: nothing is left
                behind.
            RequestIdReused: when the id stands for another transfer.
            InvalidArgument: for an option that there is not.
        """
        name, version = split_version(source)
        target, target_version = split_version(destination)
        asked = TransferSpec(
            source=name,
            destination=target,
            source_version=version,
            destination_version=target_version,
            destination_spec=spec,
            box=box,
            scales=tuple(scales),
            channels=tuple(channels),
            dtype=None if dtype is None else np.dtype(dtype).newbyteorder("<"),
            destination_start=None if to is None else vec3(to, "to"),
            voxel_size_nm=None if voxel_size_nm is None else VoxelSize(*triple(voxel_size_nm)),
            mode=choice(TransferMode, mode, "mode"),
            verification=choice(Verification, verify, "verify"),
            skip_empty=skip_empty,
            pyramid=(PyramidSpec() if pyramid else None) if isinstance(pyramid, bool) else pyramid,
            note=note,
        )
        if format and spec is None:
            found = open_remote(self.stubs, name, OpenOptions(version=version)).info
            asked = replace(asked, destination_spec=spec_like(found, asked, format))
        elif format and spec is not None and spec.format != format:
            raise InvalidArgument("the spec says the format too, and another", "leave format out")
        request = transfer_pb2.CreateTransferRequest(
            request_id=request_uuid(request_id), spec=transfer_spec_to_proto(asked)
        )
        return self._handle(self._call(self.stubs.transfer.CreateTransfer, request, "transfer").job)

    def pyramid(
        self,
        name: str,
        *,
        factors: Sequence[Extent] = (),
        method: PyramidMethod | str = PyramidMethod.AUTO,
        request_id: str | None = None,
    ) -> JobHandle[TransferResult]:
        """Start making the coarser levels of a volume from its finest one, stored beside it.

        Args:
            name: "remote/path" of a volume that takes writes.
            factors: of each level, x, y, z: how many voxels of the level before become one; empty leaves the levels to
                the server.
            method: "mean", "mode" (the commonest value, for labels), or "auto", by the kind of the volume.
            request_id: as for `transfer`.

        Raises:
            UnknownVolume, ReadOnly, MissingCapability, InvalidArgument, RequestIdReused.
        """
        levels = tuple(vec3(factor, "factors") for factor in factors)
        asked = PyramidJobSpec(name, PyramidSpec(levels, choice(PyramidMethod, method, "method")))
        request = transfer_pb2.CreatePyramidRequest(
            request_id=request_uuid(request_id), spec=pyramid_job_spec_to_proto(asked)
        )
        return self._handle(self._call(self.stubs.transfer.CreatePyramid, request, "transfer").job)

    def create_mesh_job(self, spec: MeshJobSpec, *, request_id: str | None = None) -> JobHandle[MeshJobResult]:
        """Start meshing all segments of a volume, with levels of detail, to be stored; see `VolumeArray.mesh_all`.

        Args:
            spec: what to mesh and where to.
            request_id: as for `transfer`.

        Raises:
            UnknownVolume, MissingCapability, ConfigInvalid: for what cannot be meshed.
            AlreadyExists: when there are meshes already, unless they are to be overwritten.
            ReadOnly, UnsupportedFormat: for a destination that takes no meshes.
            FailedPrecondition: when the server keeps no jobs, or another job stores meshes there.
            InvalidArgument, UnknownScale, OutOfBounds, RequestIdReused.
        """
        return mesh_job(self.stubs, spec, request_uuid(request_id))

    def job(self, name: str) -> JobHandle[Any]:
        """A job by its name, "jobs/ID".

        Raises:
            UnknownJob: when there is none.
        """
        return JobHandle.named(self.stubs.job, name, self.stubs.addresses["job"])

    def jobs(self, state: JobState | str | None = None) -> Iterator[JobHandle[Any]]:
        """Your jobs, newest first.

        Args:
            state: only those in this state: "pending", "running", "cancelling", "succeeded", "failed", "cancelled".

        Raises:
            InvalidArgument: for a state that there is not.
        """
        wanted = None if state is None else choice(JobState, state, "state")
        # Not a generator itself, so that a state that there is not is refused at once.
        return self._listed(job_pb2.ListJobsRequest(state=state_to_proto(wanted)))

    def _listed(self, request: job_pb2.ListJobsRequest) -> Iterator[JobHandle[Any]]:
        while True:
            page = self._call(self.stubs.job.ListJobs, request, "job")
            yield from map(self._handle, page.jobs)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    def _handle(self, job: Any) -> JobHandle[Any]:
        return JobHandle(self.stubs.job, job_from_proto(job), self.stubs.addresses["job"])
