"""Meshes in a bucket: an object is there whole or not at all, and what a store answered for is durable.

An object is held whole while it is written, because tensorstore writes it by one request; larger ones than MOST_BYTES
are refused. Shards have some hundred MiB at most unless a volume has more than 70 gigavoxels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorstore as ts

from voxgate.model.errors import StoreBusy, StoreRefused, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.known_sizes import is_shorter
from voxgate_remotes.mesh_places import (
    FOLDERS,
    LEGACY,
    MARK,
    PARTIAL,
    chosen_folder,
    something_else,
    takes_meshes,
    volume_info,
)
from voxgate_remotes.metadata import JSON_LIMIT_BYTES, json_object
from voxgate_remotes.objects.failures import told
from voxgate_remotes.objects.listing import Level
from voxgate_remotes.objects.sources import Answered, BucketSource
from voxgate_remotes.tensorstores import STORE_ERRORS, wait

MOST_BYTES = 2**30
"""Of one file of meshes."""
_ROUNDS = 5
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class BucketProductFiles:
    """The files of one product below a prefix of a bucket; satisfies ProductFiles.

    Attributes:
        bucket: where it is.
        prefix: empty, or ends with "/".
        context: ends requests.
    """

    bucket: BucketSource
    prefix: str
    context: CallContext

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """The bytes of a file; see `ProductFiles.read`."""
        if stop is not None and stop <= start:
            return b"" if self.read(name, start, start + 1) is not None else None

        def ask(store: Any, answered: Answered) -> bytes | None:
            try:
                found = answered(store.read(name, byte_range=slice(start, stop)))
            except STORE_ERRORS as error:
                if is_shorter(error):
                    raise _short(name) from None
                raise
            return bytes(found.value) if found.state == "value" else None

        data: bytes | None = self._asked(ask, f"reading `{_last(name)}`")
        if data is not None and stop is not None and len(data) != stop - start:
            raise _short(name)
        return data

    def size(self, name: str) -> int | None:
        """The bytes that a file has; it is read."""
        data = self.read(name)
        return None if data is None else len(data)

    def write(self, name: str, parts: Iterable[bytes]) -> int:
        """Write a file; see `ProductFiles.write`.

        Raises:
            StoreRefused: when it has more than MOST_BYTES.
        """
        data = bytearray()
        for part in parts:
            data += part
            if len(data) > MOST_BYTES:
                raise StoreRefused(
                    f"a file of meshes has more than {MOST_BYTES >> 20} MiB, too much for one request to a bucket",
                    "store meshes in a folder of the server's machine and copy them, or leave `sharded` out",
                )
        whole = bytes(data)
        self._asked(lambda store, answered: answered(store.write(name, whole)), f"writing `{_last(name)}`")
        return len(whole)

    def remove(self, name: str) -> None:
        """Remove a file or a folder; see `ProductFiles.remove`."""
        self._asked(lambda store, answered: answered(store.write(name, None)), f"removing `{_last(name)}`")
        self.remove_all(f"{name}/")

    def names(self, folder: str) -> Iterator[str]:
        """The files right in a folder; see `ProductFiles.names`."""
        return (name for name in self.listed(f"{folder}/" if folder else "") if "/" not in name)

    def listed(self, prefix: str) -> list[str]:
        """What begins with a prefix, at any depth, without it."""

        def ask(store: Any, answered: Answered) -> list[bytes]:
            found: list[bytes] = answered(store.list(_below(prefix)))
            return found

        # Not every server that speaks GCS's language knows of ranges; tensorstore aborts where it is told to strip.
        names = (name.decode() for name in self._asked(ask, "listing meshes"))
        return [name[len(prefix) :] for name in names if name.startswith(prefix)]

    def remove_all(self, prefix: str) -> None:
        """Remove what begins with a prefix, at any depth."""
        names = self.listed(prefix)

        def ask(store: Any, answered: Answered) -> None:
            for first in range(0, len(names), _AT_ONCE):
                removed = [store.write(f"{prefix}{name}", None) for name in names[first : first + _AT_ONCE]]
                for one in removed:
                    answered(one)

        self._asked(ask, "removing files of meshes")

    def json(self, name: str) -> dict[str, Any] | None:
        """A JSON object; None where it is absent."""
        data = self.bucket.read(f"{self.prefix}{name}", JSON_LIMIT_BYTES, self.context)
        return None if data is None else json_object(_last(name), data)

    def _asked(self, ask: Callable[[Any, Answered], Any], doing: str) -> Any:
        """What `ask` finds; each answer it waits for comes within bounded time."""
        bucket = self.bucket

        def answered(future: Any) -> Any:
            return wait(future, bucket.patience.of(self.context, doing))

        with told(doing):
            return ask(answered(ts.KvStore.open(bucket.kvstore(self.prefix), context=bucket.context)), answered)


@dataclass(frozen=True, slots=True)
class BucketMeshStore:
    """A place of a bucket that takes meshes; satisfies MeshStore.

    Attributes:
        files: everything there.
        folder: of the meshes; empty for meshes by themselves.
        changed: called when the volume's `info` was written.
    """

    files: BucketProductFiles
    folder: str
    changed: Callable[[], None]

    def announced(self) -> Mapping[str, Any] | None:
        """The `info` of the meshes that are there; see `MeshStore.announced`."""
        info = self.files.json("info")
        if not self.folder:
            return info if takes_meshes(info) else None
        named = (info or {}).get("mesh")
        return (self.files.json(f"{named}/info") or LEGACY) if named else None

    def announce(self, info: Mapping[str, Any], *, properties: bool) -> None:
        """Let everybody find the meshes; see `MeshStore.announce`. Those that they replace go afterwards.

        Raises:
            StoreBusy: when others go on writing the volume's `info`.
        """
        own = f"{self.folder}/" if self.folder else ""
        self.files.write(f"{own}info", [json.dumps(dict(info)).encode()])
        if self.folder:
            before = self._name_meshes(properties)
            for other in FOLDERS:
                if other != self.folder and (before == other or MARK in (self.files.json(f"{other}/info") or {})):
                    self.files.remove(other)
        self.files.remove_all(f"{own}{PARTIAL}")

    def _name_meshes(self, properties: bool) -> object:
        """Have the volume's `info` name the meshes; answers what it named before."""
        files = self.files
        key = f"{files.prefix}info"
        for _ in range(_ROUNDS):
            before = files.bucket.read(key, JSON_LIMIT_BYTES, files.context) or b""
            known = json_object("info", before)
            after = volume_info(known, self.folder, properties=properties)
            if after == known or files.bucket.replace(key, before, json.dumps(after).encode(), files.context):
                self.changed()
                return known.get("mesh")
        raise StoreBusy("others write the volume's `info` right now", "try again", retry_after_s=1.0)


def beside_volume(files: BucketProductFiles, changed: Callable[[], None]) -> BucketMeshStore:
    """The place below the prefix of a precomputed volume."""
    named = (files.json("info") or {}).get("mesh")
    busy = [folder for folder in FOLDERS if files.listed(f"{folder}/{PARTIAL}")]
    return BucketMeshStore(files, chosen_folder(named, busy), changed)


def by_themselves(files: BucketProductFiles, level: Level) -> BucketMeshStore:
    """The place below a prefix that is no volume's.

    Args:
        files: below the prefix.
        level: what lies right there.

    Raises:
        UnsupportedFormat: when something else does.
    """
    begun = any(name.startswith(PARTIAL) for name in level.folders)
    if (level.folders or level.has_objects) and not begun and not takes_meshes(files.json("info")):
        raise something_else()
    return BucketMeshStore(files, "", lambda: None)


def _below(prefix: str) -> Any:
    """The keys that begin with a prefix of ASCII; all of them for an empty one."""
    return ts.KvStore.KeyRange(prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "")


def _short(name: str) -> StoreUnavailable:
    return StoreUnavailable(f"`{_last(name)}` is shorter than it should be", "look at the bucket")


def _last(name: str) -> str:
    return name.rpartition("/")[2]
