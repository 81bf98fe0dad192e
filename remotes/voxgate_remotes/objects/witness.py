"""Whether a volume is still there, where its chunks say nothing.

A store answers "not found" for a chunk that was never written, and for one whose bucket, prefix or host is gone. So
whoever was answered so looks at a document that the volume cannot be without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from voxgate.model.errors import UnknownVolume, VersionMoved
from voxgate.model.volumes import CallContext
from voxgate_remotes.objects.folders import FIRST
from voxgate_remotes.objects.sources import Print, Source, look_again


@dataclass(frozen=True, slots=True)
class Witness:
    """A document of an opened volume.

    Attributes:
        source: where it comes from.
        key: its key.
        known: what it was.
    """

    source: Source
    key: str
    known: Print

    @staticmethod
    def of(source: Source, prefix: str, present: Mapping[str, Print]) -> Witness | None:
        """The first of what makes a prefix a volume, out of the documents it was described by; None without any."""
        own = (f"{prefix}{name}" for name in FIRST)
        key = next((key for key in (*own, *present) if key in present), None)
        return None if key is None else Witness(source, key, present[key])

    def check(self, context: CallContext, forget: Callable[[], None]) -> None:
        """Look, with one request where nothing changed.

        Args:
            context: the caller's.
            forget: called when the volume is not what it was.

        Raises:
            UnknownVolume: when the document is gone, as opening the volume anew would say.
            VersionMoved: when it says something else.
            StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        found = look_again(self.source, self.key, self.known, context)
        if found is None:
            forget()
            raise UnknownVolume(
                "the volume is no longer there: what was found absent may have been deleted with it",
                "list the remote; its operator looks whether the bucket or the folder is still there",
            )
        if found != self.known:
            forget()
            raise VersionMoved("the volume was changed while it was read", "open it again")
