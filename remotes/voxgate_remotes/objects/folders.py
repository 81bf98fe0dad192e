"""Folders of a store that is not on this machine, and what was seen of them when a volume was opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from voxgate.model.errors import MetadataInvalid, PathRefused, StoreAccessDenied
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import checked_size
from voxgate_remotes.metadata import JSON_LIMIT_BYTES, json_object
from voxgate_remotes.objects.sources import Print, Source, read_all

_KEPT_BYTES = 2**20
FIRST = ("info", "zarr.json", ".zarray", ".zattrs", "attributes.json")
"""What the formats ask for first: asked for together, they cost one round trip."""


class Sight:
    """What documents said while a volume was opened. Thread-safe.

    A store that does not let us list answers 403, not 404, for what is not there (S3 without s3:ListBucket). So a
    refusal counts as absent, and is told only when nothing can be opened without that document.
    """

    def __init__(self, source: Source, context: CallContext) -> None:
        """Begin to look, with a caller's patience."""
        self._source = source
        self._context = context
        self._lock = threading.Lock()
        self._found: dict[str, bytes | None] = {}
        self._prints: dict[str, Print] = {}
        self._denied: StoreAccessDenied | None = None
        self._is_over = False

    @property
    def source(self) -> Source:
        """Where the documents come from."""
        return self._source

    def read(self, key: str, limit: int) -> bytes | None:
        """A document; within one sight, small ones are asked for once. See `Source.read`."""
        with self._lock:
            if key in self._found:
                known = self._found[key]
                return known if known is None else checked_size(key.rpartition("/")[2], known, limit)
        try:
            data = self._source.read(key, limit, self._context)
        except StoreAccessDenied as error:
            if self._is_over:
                raise
            self._denied, data = error, None
        self._keep({key: data})
        return data

    def look_ahead(self, prefix: str) -> None:
        """Ask at once for what any format asks for first.

        Not for a caller who came through another server: in a loop, each would ask so often for each question.
        """
        if len(self._context.via) > 1:
            return
        keys = [f"{prefix}{name}" for name in FIRST]
        with contextlib.suppress(StoreAccessDenied, MetadataInvalid):  # asked again one by one, who is to blame is told
            self._keep(read_all(self._source, keys, JSON_LIMIT_BYTES, self._context))

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """A block that opens a volume; afterwards nothing more is remembered, and no caller's patience matters.

        Raises:
            StoreAccessDenied: when a document that is missed was refused.
        """
        try:
            yield
        except MetadataInvalid:
            if self._denied is not None:
                raise self._denied from None
            raise
        self._is_over = True
        self._context = CallContext()

    def refuse_blindness(self) -> None:
        """Raise the store's refusal, if there was one.

        Raises:
            StoreAccessDenied.
        """
        if self._denied is not None:
            raise self._denied from None

    @property
    def present(self) -> dict[str, Print]:
        """What the documents that were there are known by, by key."""
        with self._lock:
            return dict(self._prints)

    @property
    def count(self) -> int:
        """How many documents were asked for: more of them are a sign of life."""
        with self._lock:
            return len(self._found) + len(self._prints)

    def _keep(self, found: dict[str, bytes | None]) -> None:
        with self._lock:
            if not self._is_over:
                small = {key: data for key, data in found.items() if data is None or len(data) <= _KEPT_BYTES}
                self._found.update(small)
                self._prints.update({key: Print.of(data) for key, data in found.items() if data is not None})


class KvFolder:
    """A folder behind tensorstore's key-value stores; satisfies `voxgate_remotes.folders.Folder`."""

    path = None

    def __init__(self, sight: Sight, prefix: str) -> None:
        """A folder.

        Args:
            sight: through which documents are seen.
            prefix: of its keys: empty, or ends with "/".
        """
        self._sight = sight
        self._prefix = prefix

    def json(self, name: str) -> dict[str, Any] | None:
        """A JSON object; see `Folder.json`."""
        data = self._sight.read(self._prefix + checked_relative(name), JSON_LIMIT_BYTES)
        return None if data is None else json_object(name, data)

    def read(self, name: str, limit: int) -> bytes | None:
        """A small file; see `Folder.read`."""
        return self._sight.read(self._prefix + checked_relative(name), limit)

    def within(self, relative: str) -> KvFolder:
        """A folder that metadata refers to; see `Folder.within`."""
        inner = checked_relative(relative)
        return KvFolder(self._sight, f"{self._prefix}{inner}/" if inner else self._prefix)

    def kvstore(self) -> dict[str, Any]:
        """Tensorstore's spec of the folder."""
        return self._sight.source.kvstore(self._prefix)

    def patience(self, context: CallContext, doing: str) -> CallContext:
        """A caller's patience with one request; see `Folder.patience`."""
        return self._sight.source.patience.of(context, doing)


def checked_relative(relative: str) -> str:
    """A path of metadata below its folder, as it is written: objects have no links to resolve.

    Raises:
        PathRefused: for what could lead elsewhere: absolute, "..", empty segments, control characters.
    """
    if relative in ("", "."):
        return ""
    segments = relative.removesuffix("/").split("/")
    bad = any(segment in ("", ".", "..") or not segment.isprintable() or "\\" in segment for segment in segments)
    if bad:
        raise PathRefused("metadata refers to a path outside of its volume", "correct the volume's metadata")
    return "/".join(segments)
