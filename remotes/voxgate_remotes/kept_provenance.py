"""Provenance beside the voxels, in files that formats have for it.

| format      | place                                                                                          |
|-------------|------------------------------------------------------------------------------------------------|
| precomputed | `provenance`, a JSON object with `sources`, `owners`, `processing` and `description`: the file |
|             | of cloud-volume (github.com/seung-lab/cloud-volume, cloudvolume/provenance.py)                 |
| zarr        | the attribute `voxgate_provenance` of the volume's group, or of a bare array: a list           |

Files are replaced at once: readers see all of one or of the other. Two that write at the same time are not kept apart:
of their entries one may be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.model.errors import MetadataInvalid, UnknownVolume
from voxgate.model.provenance import Provenance, processing_step
from voxgate_remotes.metadata import is_file, read_json, write_json

ATTRIBUTE = "voxgate_provenance"
PRECOMPUTED_FILE = "provenance"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProvenanceFile:
    """One file of a volume that says where its voxels came from; satisfies KeepsProvenance.

    Attributes:
        path: of the file.
        changed: what the file says with an entry added, from what it said before.
    """

    path: Path
    changed: Callable[[Document, Provenance], Document]

    def keep_provenance(self, provenance: Provenance) -> None:
        """Add an entry; see `voxgate.model.provenance.KeepsProvenance`.

        Raises:
            UnknownVolume: when the volume's folder is gone.
        """
        if not self.path.parent.is_dir():
            raise UnknownVolume("the volume was deleted", "list the remote to see what it has")
        before = read_json(self.path) if is_file(self.path) else {}
        write_json(self.path, self.changed(before, provenance))


def precomputed_provenance(folder: Path) -> ProvenanceFile:
    """The file of a precomputed volume."""
    return ProvenanceFile(folder / PRECOMPUTED_FILE, with_processing)


def zarr_provenance(folder: Path, version: int) -> ProvenanceFile:
    """The attributes of a Zarr group or array."""
    if version == 3:
        return ProvenanceFile(folder / "zarr.json", with_v3_attribute)
    return ProvenanceFile(folder / ".zattrs", with_v2_attribute)


def with_processing(before: Document, provenance: Provenance) -> Document:
    """A precomputed `provenance` with an entry; its sources are among those of the volume.

    Raises:
        MetadataInvalid: when what is there has another form.
    """
    sources, processing = before.get("sources", []), before.get("processing", [])
    if not isinstance(sources, list) or not isinstance(processing, list):
        raise MetadataInvalid("`provenance` has another form than cloud-volume's", "correct or remove it")
    others = [one for one in processing if not (isinstance(one, dict) and one.get("id") == provenance.key)]
    return {
        "description": "",
        "owners": [],
        **before,
        "sources": [*sources, *(source for source in provenance.sources if source not in sources)],
        "processing": [*others, processing_step(provenance.document())],
    }


def with_v2_attribute(before: Document, provenance: Provenance) -> Document:
    """A `.zattrs` with an entry."""
    return {**before, ATTRIBUTE: provenance.added_to(before.get(ATTRIBUTE))}


def with_v3_attribute(before: Document, provenance: Provenance) -> Document:
    """A `zarr.json` with an entry.

    Raises:
        MetadataInvalid: when it is none.
    """
    attributes = before.get("attributes", {})
    if "zarr_format" not in before or not isinstance(attributes, dict):
        raise MetadataInvalid("`zarr.json` is not that of a volume", "restore it from the volume's source")
    return {**before, "attributes": with_v2_attribute(attributes, provenance)}


def without_entries(document: Document) -> Document:
    """A document without the entries of Zarr's attributes: `zarr.json`, `.zattrs` or `.zmetadata`. Others are as ever.

    Attributes that are left empty are taken away, too: keeping an entry may have made them.
    """
    left = {key: value for key, value in document.items() if key != ATTRIBUTE}
    attributes = left.get("attributes")
    if isinstance(attributes, dict):
        left["attributes"] = {key: value for key, value in attributes.items() if key != ATTRIBUTE}
        if not left["attributes"]:
            del left["attributes"]
    return left


def as_text(provenance: Provenance) -> str:
    """An entry as one line of JSON, for stores that keep text."""
    return json.dumps(provenance.document(), separators=(",", ":"))
