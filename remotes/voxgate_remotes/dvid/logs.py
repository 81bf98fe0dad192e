"""The log of a version: GET and POST /api/node/{uuid}/log, lines that are only ever added (help of the server)."""

from __future__ import annotations

from voxgate.model.provenance import Provenance
from voxgate_remotes.dvid.client import Ask, json_body
from voxgate_remotes.dvid.voxels import Place
from voxgate_remotes.kept_provenance import as_text


class DvidLog:
    """Provenance in the log of a version; satisfies KeepsProvenance."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def keep_provenance(self, provenance: Provenance) -> None:
        """Add an entry as a line, unless one of the same work and checksum is there; lines cannot be replaced.

        Raises:
            VersionLocked, StoreUnavailable, and what other refusals mean.
        """
        path = ("node", self._place.uuid, "log")
        found = self._place.client.get_json(Ask(path), self._place.context)
        lines = found.get("log") if isinstance(found, dict) else None
        marks = (provenance.key, provenance.checksum)
        if any(all(mark in str(line) for mark in marks) for line in lines or ()):
            return
        # Not repeatable: a try whose answer was lost would leave the line twice.
        ask = Ask(path, body=json_body({"log": [as_text(provenance)]}), is_repeatable=False)
        self._place.client.post(ask, self._place.context)
