"""Provenance of volumes in a bucket, in the objects that formats have for it.

The attributes of Zarr are in the documents that a volume is known by. Whoever has one open is not told that it is
another one by now: see `voxgate_remotes.objects.sources.Print`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass

from voxgate.model.errors import StoreBusy, UnknownVolume
from voxgate.model.provenance import Provenance
from voxgate.model.volumes import CallContext
from voxgate_remotes.kept_provenance import (
    PRECOMPUTED_FILE,
    Document,
    with_processing,
    with_v2_attribute,
    with_v3_attribute,
)
from voxgate_remotes.metadata import JSON_LIMIT_BYTES, json_object
from voxgate_remotes.objects.sources import BucketSource

_ROUNDS = 5

Changed = Callable[[Document, Provenance], Document]

_PLACES: tuple[tuple[tuple[str, ...], str, Changed], ...] = (
    (("info",), PRECOMPUTED_FILE, with_processing),
    (("zarr.json",), "zarr.json", with_v3_attribute),
    ((".zarray", ".zattrs"), ".zattrs", with_v2_attribute),
)
"""The documents of which a volume of a format has one, the object that is written, and what it becomes."""


def provenance_object(
    bucket: BucketSource, prefix: str, names: Collection[str]
) -> Callable[[CallContext], ProvenanceObject] | None:
    """The place for provenance of a volume, for any caller; None where its format has none.

    Args:
        bucket: where it is.
        prefix: of the volume: empty, or ends with "/".
        names: of the documents that the volume has.
    """
    for own, name, changed in _PLACES:
        there = next((one for one in own if one in names), None)
        if there is not None:
            return lambda context: ProvenanceObject(bucket, (f"{prefix}{there}", f"{prefix}{name}"), changed, context)
    return None


@dataclass(frozen=True, slots=True)
class ProvenanceObject:
    """One object of a volume that says where its voxels came from; satisfies KeepsProvenance.

    Attributes:
        bucket: where it is.
        keys: of a document without which there is no volume, and of the object that is written.
        changed: what that says with an entry added, from what it said before.
        context: the caller's patience.
    """

    bucket: BucketSource
    keys: tuple[str, str]
    changed: Changed
    context: CallContext

    def keep_provenance(self, provenance: Provenance) -> None:
        """Add an entry; of writers at the same time none is lost where the store writes on condition.

        Raises:
            UnknownVolume: when the volume is gone.
            StoreBusy: when others go on writing it.
            MetadataInvalid, and what reading and writing raise.
        """
        vital, key = self.keys
        for _ in range(_ROUNDS):
            if self.bucket.read(vital, JSON_LIMIT_BYTES, self.context) is None:
                raise UnknownVolume("the volume was deleted", "list the remote to see what it has")
            before = self.bucket.read(key, JSON_LIMIT_BYTES, self.context)
            known = {} if before is None else json_object(key.rpartition("/")[2], before)
            data = json.dumps(self.changed(known, provenance), indent=1).encode()
            if before is None:
                done = self.bucket.create(key, data, self.context)
            else:
                done = self.bucket.replace(key, before, data, self.context)
            if done:
                return
        raise StoreBusy("others write where the volume came from right now", "try again", retry_after_s=1.0)
