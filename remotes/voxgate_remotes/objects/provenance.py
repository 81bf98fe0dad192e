"""Provenance of precomputed volumes in a bucket. Zarr has its place in the document that a volume is known by.

Whoever has such a volume open would be told that it is another one by now, so the attributes of Zarr stay as they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from voxgate.model.errors import StoreBusy
from voxgate.model.provenance import Provenance
from voxgate.model.volumes import CallContext
from voxgate_remotes.kept_provenance import PRECOMPUTED_FILE, with_processing
from voxgate_remotes.metadata import JSON_LIMIT_BYTES, json_object
from voxgate_remotes.objects.sources import BucketSource

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class ProvenanceObject:
    """The object `provenance` of a volume; satisfies KeepsProvenance.

    Attributes:
        bucket: where it is.
        prefix: of the volume: empty, or ends with "/".
        context: the caller's patience.
    """

    bucket: BucketSource
    prefix: str
    context: CallContext

    def keep_provenance(self, provenance: Provenance) -> None:
        """Add an entry; of writers at the same time none is lost where the store writes on condition.

        Raises:
            StoreBusy: when others go on writing it.
            MetadataInvalid, and what reading and writing raise.
        """
        key = f"{self.prefix}{PRECOMPUTED_FILE}"
        for _ in range(_ROUNDS):
            before = self.bucket.read(key, JSON_LIMIT_BYTES, self.context)
            known = {} if before is None else json_object(PRECOMPUTED_FILE, before)
            data = json.dumps(with_processing(known, provenance), indent=1).encode()
            if before is None:
                done = self.bucket.create(key, data, self.context)
            else:
                done = self.bucket.replace(key, before, data, self.context)
            if done:
                return
        raise StoreBusy("others write the volume's `provenance` right now", "try again", retry_after_s=1.0)
