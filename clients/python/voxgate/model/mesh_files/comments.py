"""What is known of meshes, as the comments of text headers."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.model.mesh_documents import json_text, provenance_document, segment_document
from voxgate.model.mesh_facts import MeshProvenance
from voxgate.model.meshes import Mesh

FIRST_LINE = "voxgate; x y z in nanometres"
_CHARACTERS = 900
"""Of one line: readers of PLY have room for as few as 1,024."""


def provenance_comments(shared: MeshProvenance | None) -> Iterator[str]:
    """How the meshes of a file came to be, told once: "voxgate provenance {JSON}"."""
    if shared is not None:
        yield from _folded("voxgate provenance ", json_text(provenance_document(shared)))


def segment_comments(mesh: Mesh, shared: MeshProvenance | None) -> Iterator[str]:
    """What is known of one mesh beside what the file's meshes share: "voxgate segment {JSON}"."""
    yield from _folded("voxgate segment ", json_text(segment_document(mesh, shared=shared)))


def _folded(what: str, text: str) -> Iterator[str]:
    """One line, or where it is too long several, each after the first led by "voxgate + "."""
    yield what + text[:_CHARACTERS]
    for start in range(_CHARACTERS, len(text), _CHARACTERS):
        yield "voxgate + " + text[start : start + _CHARACTERS]
