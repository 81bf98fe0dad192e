"""Bulk meshing as a server takes it: all segments of a volume, by a job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from voxgate.client.calls import BoundCalls, unary
from voxgate.client.channels import Stubs
from voxgate.client.jobs import JobHandle
from voxgate.model.errors import MissingCapability
from voxgate.model.jobs import MeshJobResult, MeshJobSpec
from voxgate.model.volumes import LabelView
from voxgate.v1 import mesh_pb2
from voxgate.wire.job_specs import mesh_job_spec_to_proto
from voxgate.wire.jobs import job_from_proto


class MeshesAll(Protocol):
    """A volume all of whose segments can be meshed by a job of its server."""

    def mesh_all(self, asked: MeshJobSpec, request_id: str) -> JobHandle[MeshJobResult]:
        """Start it.

        Args:
            asked: how; the volume and its version are put in.
            request_id: a UUID.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteMeshJobs:
    """Satisfies MeshesAll.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def mesh_all(self, asked: MeshJobSpec, request_id: str) -> JobHandle[MeshJobResult]:
        """Start the job of this volume at its version.

        Raises:
            MissingCapability: for a volume that was opened to show supervoxels.
            VoxgateError: whatever the server refuses.
        """
        if self.calls.options.label_view is LabelView.SUPERVOXELS:
            raise MissingCapability(
                "jobs of meshing mesh bodies, and this volume shows supervoxels",
                "open it without a label view",
                details={"capability": "SUPERVOXELS"},
            )
        info = self.calls.facts.info
        return mesh_job(self.calls.stubs, replace(asked, volume=info.name, version=info.resolved_version), request_id)


def mesh_job(stubs: Stubs, asked: MeshJobSpec, request_id: str) -> JobHandle[MeshJobResult]:
    """Start a job of meshing.

    Args:
        stubs: of the server.
        asked: what to mesh and where to.
        request_id: a UUID.

    Raises:
        VoxgateError: whatever the server refuses.
    """
    request = mesh_pb2.CreateMeshJobRequest(request_id=request_id, spec=mesh_job_spec_to_proto(asked))
    answer = unary(stubs.mesh.CreateMeshJob, request, stubs.addresses["mesh"])
    return JobHandle(stubs.job, job_from_proto(answer.job), stubs.addresses["job"])
