"""Where meshes of a job come from: said in its record, and beside the meshes."""

from __future__ import annotations

from importlib.metadata import version

from voxgate.model.jobs import MeshJobSpec
from voxgate_jobs.documents import spec_to_document, to_text

METHOD = "voxgate mesh-all"


def origin_of(spec: MeshJobSpec) -> dict[str, str]:
    """What made meshes of what, by name, in the words of every job's provenance; the spec is resolved."""
    return {
        "method": METHOD,
        "source": spec.volume,
        "source_version": spec.version,
        "destination": spec.destination,
        "parameters": to_text(spec_to_document(spec)["spec"]),
        "software": f"voxgate {version('voxgate')}",
    }
