"""Creating volumes in a bucket: the documents are written as in a folder, the one that makes it a volume last."""

from __future__ import annotations

import json

from voxgate.model.errors import AlreadyExists, FailedPrecondition
from voxgate.model.volumes import CallContext
from voxgate_remotes.adding import check_free
from voxgate_remotes.creation import includes
from voxgate_remotes.documents import Documents
from voxgate_remotes.metadata import JSON_LIMIT_BYTES, json_object
from voxgate_remotes.objects.listing import Listing
from voxgate_remotes.objects.sources import BucketSource, read_all


def write_documents(
    bucket: BucketSource, listing: Listing, prefix: str, documents: Documents, context: CallContext
) -> None:
    """Write a checked spec's documents below a prefix under which there is nothing, or some or all of them already.

    A create that was cut short is so completed by its repetition; a finished one is left as it is. Of two that create
    at the same time, one learns that the other was first.

    Raises:
        AlreadyExists: when something else is there: chunks of an older volume would be taken for voxels of the new.
        StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        ConfigInvalid: when what lists the bucket is not installed.
    """
    keys = {f"{prefix}{relative}": content for relative, content in documents.items()}
    present = {k: d for k, d in read_all(bucket, keys, JSON_LIMIT_BYTES, context).items() if d is not None}
    if not present:
        level = listing.level(prefix, context)
        if level.folders or level.has_objects:
            raise AlreadyExists("the name is taken by something that is not this volume", "choose another name")
    for key, data in present.items():
        if not includes(json_object(key.rpartition("/")[2], data), keys[key]):
            raise AlreadyExists("a volume of another specification has this name", "choose another name")
    for key, content in keys.items():
        if key not in present and not bucket.create(key, json.dumps(content).encode(), context):
            raise AlreadyExists("somebody else creates a volume with this name right now", "look at it, or try again")


def changed_documents(bucket: BucketSource, prefix: str, documents: Documents, context: CallContext) -> None:
    """Write the documents of `voxgate_remotes.adding` below a volume's prefix; readers see all of the change or none.

    Of two that change a volume at the same time, one learns that the other was first.

    Raises:
        FailedPrecondition: for the other one, and when something else is where a new level would be.
        StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
    """
    present = read_all(bucket, [f"{prefix}{relative}" for relative in documents], JSON_LIMIT_BYTES, context)
    for relative in documents:
        data = present[f"{prefix}{relative}"]
        if "/" in relative and data is not None:
            check_free(relative, json_object(relative, data), documents[relative])
    for relative, content in documents.items():
        key, data = f"{prefix}{relative}", json.dumps(content).encode()
        old = present[key]
        written = bucket.create(key, data, context) if old is None else bucket.replace(key, old, data, context)
        if not written:
            raise FailedPrecondition("somebody else changes the volume right now", "look at it, or try again")
