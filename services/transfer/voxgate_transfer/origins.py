"""What is said of where voxels come from: in the record of a job when it starts, beside the product when it is done."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from importlib.metadata import version

from voxgate.model.jobs import JobSpec
from voxgate.model.provenance import KeepsProvenance, Provenance
from voxgate.model.volumes import Volume
from voxgate_jobs.documents import spec_to_document, to_text


def software() -> str:
    """What does the work: "voxgate 0.7.0"."""
    return f"voxgate {version('voxgate')}"


def parameters(spec: JobSpec) -> str:
    """Everything that was asked for, as JSON."""
    return to_text(spec_to_document(spec)["spec"])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the voxels of a product come from.

    Attributes:
        method: what is done, "voxgate transfer".
        sources: what is read, as in `voxgate.model.provenance.Provenance`.
        spec: with which parameters.
    """

    method: str
    sources: tuple[str, ...]
    spec: JobSpec

    def keep(self, product: Volume, checksum: str) -> None:
        """Say so beside the product, where its store has a place for it and takes writes.

        Args:
            product: the volume that was written.
            checksum: of what was written, lower-case hex.

        Raises:
            VoxgateError: whatever keeping it raises.
        """
        keeper = None if product.info.immutable else product.capability(KeepsProvenance)
        if keeper is not None:
            now = datetime.datetime.now(datetime.UTC)
            keeper.keep_provenance(
                Provenance(self.method, self.sources, parameters(self.spec), software(), checksum, now)
            )
