"""Where voxels came from, kept beside them by stores that have a place for it."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

KEY_PREFIX = "voxgate-provenance-"
"""How keys begin under which stores of metadata keep entries, each `Provenance.document` as JSON; its id follows."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How voxels of a volume were made. Text only, so that every store can keep it.

    Attributes:
        method: what was done, "voxgate transfer".
        sources: what was read, each "remote/path", with "@version" where the store has versions; none where that is
            the volume itself.
        parameters: with which parameters, as JSON.
        software: what did it, "voxgate 0.7.0".
        checksum: SHA-256 over the checksums of what was written, lower-case hex.
        finished: when it was done, UTC.
    """

    method: str
    sources: tuple[str, ...]
    parameters: str
    software: str
    checksum: str
    finished: datetime.datetime

    @property
    def key(self) -> str:
        """Tells this entry from others: the same for the same work done again, whenever and by whichever release."""
        return hashlib.sha256(json.dumps([self.method, self.sources, self.parameters]).encode()).hexdigest()[:16]

    def document(self) -> dict[str, object]:
        """The entry as JSON."""
        return {
            "id": self.key,
            "method": self.method,
            "sources": list(self.sources),
            "parameters": json.loads(self.parameters),
            "software": self.software,
            "checksum": self.checksum,
            "finished": self.finished.astimezone(datetime.UTC).isoformat(timespec="seconds"),
        }

    def added_to(self, entries: object) -> list[object]:
        """A list of documents with this one at its end, in place of an earlier one of the same key.

        Args:
            entries: what the store has; anything but a list is none.
        """
        there = entries if isinstance(entries, list) else []
        others = [one for one in there if not (isinstance(one, Mapping) and one.get("id") == self.key)]
        return [*others, self.document()]


def processing_step(document: Mapping[str, Any]) -> dict[str, Any]:
    """An entry, from `Provenance.document`, as cloud-volume's `processing` of a `provenance` has it."""
    method = {key: document.get(key) for key in ("parameters", "checksum")} | {"task": document.get("method")}
    told = {"by": document.get("software"), "date": document.get("finished")}
    return {"id": document.get("id"), "method": method, **told}


class KeepsProvenance(Protocol):
    """A volume whose store has a place for where its voxels came from."""

    def keep_provenance(self, provenance: Provenance) -> None:
        """Add an entry to those there are; one of the same key is replaced. Whatever else is there stays.

        Raises:
            ReadOnly, MetadataInvalid: when what is there cannot be understood; StoreUnavailable and other failures.
        """
        ...
