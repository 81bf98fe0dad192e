"""What a job is to do, as a JSON document: kept in the record, and sent to whoever does a part of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.jobs import JobSpec, MeshJobSpec, PyramidJobSpec, TransferSpec
from voxgate_jobs.encoding import decode, encode

VERSION = 1
"""Grows with every change that an older release would misread or could not read, a new field among them."""

KINDS: Mapping[str, type[Any]] = MappingProxyType(
    {"transfer": TransferSpec, "pyramid": PyramidJobSpec, "mesh": MeshJobSpec}
)
"""The name of each kind of spec."""


def kind_of(spec: JobSpec) -> str:
    """The name of a spec's kind."""
    return next(name for name, kind in KINDS.items() if type(spec) is kind)


def spec_to_document(spec: JobSpec) -> dict[str, Any]:
    """The document of a spec: {"version", "kind", "spec"}; its JSON is whole and has no secrets of any store."""
    return {"version": VERSION, "kind": kind_of(spec), "spec": encode(spec)}


def spec_from_document(document: Mapping[str, Any]) -> JobSpec:
    """The spec that a document was made of, equal to it in every field and number.

    Raises:
        UnsupportedFormat: when the document is of a newer release, or is no document of ours.
    """
    version, kind = document.get("version"), document.get("kind")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise _refused(f"its version is {version!r}, and this release reads 1 to {VERSION}")
    if not isinstance(kind, str) or kind not in KINDS or set(document) != {"version", "kind", "spec"}:
        raise _refused(f"this release knows no job of the kind {kind!r}")
    return cast("JobSpec", decode(KINDS[kind], document["spec"]))


def to_text(document: Any) -> str:
    """The one spelling of a document: equal documents have equal texts."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Any:
    """The document of a text that a record has.

    Raises:
        UnsupportedFormat: when it is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise _refused("it is no JSON") from error


def _refused(why: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"the job's document cannot be read: {why}", "use the release of voxgate that wrote it")
