"""Where small documents come from and go to: a web server, or a bucket.

Documents of a web server are asked for by the project's own session, so that redirects are guarded and failures told
apart; those of buckets by the same driver of tensorstore that reads the voxels, so with the same credentials.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, MetadataInvalid, PermissionDenied
from voxgate.model.hops import REASON_HEADER
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import checked_size, too_large
from voxgate_remotes.http.failures import failure, words_of
from voxgate_remotes.http.session import StoreCall, StoreSession
from voxgate_remotes.kept_provenance import without_entries
from voxgate_remotes.known_sizes import ignores_ranges, is_shorter
from voxgate_remotes.objects.failures import told
from voxgate_remotes.objects.patience import Patience
from voxgate_remotes.tensorstores import STORE_ERRORS, wait

T = TypeVar("T")

_AT_ONCE = 8
_GONE = (404, 410)
_GROWTH_BYTES = 2**18
"""How much longer a document that is looked at again may have become by entries of provenance: hundreds of them."""


@dataclass(frozen=True, slots=True)
class Print:
    """What a document is known by when it is looked at again; equal where it describes the same volume.

    Attributes:
        size: in bytes.
        digest: SHA-256 of what it says of the volume: where the voxels came from is beside the point.
    """

    size: int = field(compare=False)
    digest: bytes

    @staticmethod
    def of(data: bytes) -> Print:
        """Of a document."""
        return Print(len(data), hashlib.sha256(_told_of_the_volume(data)).digest())


def _told_of_the_volume(data: bytes) -> bytes:
    """A JSON object without entries of provenance, in one spelling; anything else as it is."""
    try:
        content = json.loads(data)
        return json.dumps(without_entries(content)).encode() if isinstance(content, dict) else data
    except (ValueError, RecursionError):
        return data


class Source(Protocol):
    """The objects of a store by their keys, below the remote's root: "em/info"."""

    @property
    def patience(self) -> Patience:
        """With the store."""
        ...

    def read(self, key: str, limit: int, context: CallContext) -> bytes | None:
        """An object whole; None where there is none.

        Raises:
            MetadataInvalid: when it has more than `limit` bytes.
            StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, PathRefused, Cancelled, DeadlineExceeded.
        """
        ...

    def again(self, key: str, size: int, context: CallContext) -> bytes | None:
        """An object that had `size` bytes; None where there is none. Of a larger one not all; one request.

        Raises:
            As `read`, but for MetadataInvalid.
        """
        ...

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """Tensorstore's spec of what lies below a prefix, which is empty or ends with "/"."""
        ...


@dataclass(frozen=True, slots=True)
class WebSource:
    """Files of a web server; read only. Satisfies Source.

    Attributes:
        session: with the server.
        base_url: the server's scheme, host and port.
        root: decoded path of the remote's root: starts and ends with "/".
        patience: with it, where tensorstore asks.
        headers: "Name: value" of what tensorstore sends; it may hold a token.
    """

    session: StoreSession
    base_url: str
    root: str
    patience: Patience
    headers: tuple[str, ...] = field(default=(), repr=False)

    def read(self, key: str, limit: int, context: CallContext) -> bytes | None:
        """An object; see `Source.read`. A page in HTML is no document: such servers answer 200 to anything."""
        call = StoreCall("GET", quote(f"{self.root}{key}", safe="/"), max_answer_bytes=limit)
        try:
            answer = self.session.request(call, context)
        except ChunkCorrupt:
            raise too_large(_name(key)) from None
        if answer.status in _GONE:
            return None
        if answer.headers.get(REASON_HEADER) == PermissionDenied.reason:
            # Of another voxgate, as of a loop. No sign that there is no such document, as it is of other stores.
            raise PermissionDenied(words_of(answer.body.decode(errors="replace")))
        if answer.status != 200:
            raise failure(answer, words_of(answer.body.decode(errors="replace")))
        return None if answer.body.lstrip()[:1] == b"<" else answer.body

    def again(self, key: str, size: int, context: CallContext) -> bytes | None:
        """An object; see `Source.again`."""
        try:
            return self.read(key, size, context)
        except MetadataInvalid:
            return b""

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """Tensorstore's spec; see `Source.kvstore`."""
        return {
            "driver": "http",
            "base_url": self.base_url,
            "path": f"{self.root}{prefix}",
            "headers": list(self.headers),
            "http_request_retries": RETRIES,
        }


RETRIES = {"max_retries": 5, "initial_delay": "250ms", "max_delay": "4s"}
"""Tensorstore's own would go on for a quarter of an hour (32 times, up to 32 s apart)."""


@dataclass(frozen=True, slots=True)
class BucketSource:
    """Objects of a bucket. Satisfies Source.

    Attributes:
        spec: tensorstore's, without the path.
        root: the remote's root: empty, or ends with "/".
        patience: with each request.
        context: the ts.Context whose credentials and connections all documents share.
    """

    spec: dict[str, Any]
    root: str
    patience: Patience
    context: Any = field(default_factory=ts.Context, repr=False)

    def read(self, key: str, limit: int, context: CallContext) -> bytes | None:
        """An object; see `Source.read`.

        Tensorstore takes objects whole and tells no sizes: the first byte too many is asked for before. (A server that
        knows no ranges answers that with everything.)
        """

        def ask(store: Any, answered: Answered) -> bytes | None:
            excess = _part(store, self.root + key, slice(limit, limit + 1), answered)
            if excess:
                raise too_large(_name(key))
            found = None if excess is None else answered(store.read(self.root + key))
            return bytes(found.value) if found is not None and found.state == "value" else None

        data: bytes | None = self._asked(ask, context, f"reading `{_name(key)}`")
        return data if data is None else checked_size(_name(key), data, limit)

    def again(self, key: str, size: int, context: CallContext) -> bytes | None:
        """An object; see `Source.again`. A longer one that begins as the old one did counts as that one."""

        def ask(store: Any, answered: Answered) -> bytes | None:
            return _part(store, self.root + key, slice(0, max(1, size)), answered)

        found: bytes | None = self._asked(ask, context, f"looking at `{_name(key)}` again")
        return found

    def create(self, key: str, data: bytes, context: CallContext) -> bool:
        """Write an object that is not there; answers whether it was not.

        The store itself makes sure of that (If-None-Match, ifGenerationMatch=0), as far as it knows conditions.

        Raises:
            StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """

        def write(store: Any, answered: Answered) -> Any:
            return answered(store.write(self.root + key, data, if_equal=_NO_VALUE))

        return bool(self._asked(write, context, f"writing `{_name(key)}`").generation)

    def replace(self, key: str, old: bytes, data: bytes, context: CallContext) -> bool:
        """Write an object over one that is `old`; answers whether it was, and nobody wrote it meanwhile.

        The store itself makes sure of the latter (If-Match, ifGenerationMatch), as far as it knows conditions.

        Raises:
            StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """

        def write(store: Any, answered: Answered) -> bool:
            found = answered(store.read(self.root + key))
            if found.state != "value" or bytes(found.value) != old:
                return False
            return bool(answered(store.write(self.root + key, data, if_equal=found.stamp.generation)).generation)

        return bool(self._asked(write, context, f"writing `{_name(key)}`"))

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """Tensorstore's spec; see `Source.kvstore`."""
        return {**self.spec, "path": f"{self.root}{prefix}"}

    def _asked(self, ask: Callable[[Any, Answered], Any], context: CallContext, doing: str) -> Any:
        """What `ask` finds in the bucket; each answer it waits for comes within bounded time."""

        def answered(future: Any) -> Any:
            return wait(future, self.patience.of(context, doing))

        with told(doing):
            return ask(answered(ts.KvStore.open(self.spec, context=self.context)), answered)


Answered = Callable[[Any], Any]
"""What waits for the result of a tensorstore future."""


def _part(store: Any, key: str, byte_range: slice, answered: Answered) -> bytes | None:
    """Part of an object; all of it where a server knows no ranges; empty where it has no such part; None without it."""
    try:
        found = answered(store.read(key, byte_range=byte_range))
    except STORE_ERRORS as error:
        if is_shorter(error):
            return b""
        if not ignores_ranges(error):
            raise
        if byte_range.start:  # nothing is known of its size
            return b""
        found = answered(store.read(key))
    return bytes(found.value) if found.state == "value" else None


_NO_VALUE = b"\x02"
"""Tensorstore's generation of what is not there (kvstore/generation.h, StorageGeneration::NoValue)."""


def read_all(source: Source, keys: Iterable[str], limit: int, context: CallContext) -> dict[str, bytes | None]:
    """Several documents, asked for at the same time; the first failure is raised. See `Source.read`."""
    return _at_once(lambda key: source.read(key, limit, context), keys)


def look_again(source: Source, key: str, known: Print, context: CallContext) -> Print | None:
    """What a document is known by now; None where it is gone. One request where it is as it was. See `Source.again`."""
    found = source.again(key, known.size, context)
    if found is None or Print.of(found) == known:
        return found if found is None else Print.of(found)
    try:
        found = source.read(key, known.size + _GROWTH_BYTES, context)
    except MetadataInvalid:  # so much is no provenance
        found = b""
    return found if found is None else Print.of(found)


def unchanged(source: Source, prints: Mapping[str, Print], context: CallContext) -> dict[str, Print] | None:
    """What documents are known by now, if they describe the same volume; all are asked for at the same time.

    Raises:
        As `Source.again`.
    """
    found = _at_once(lambda key: look_again(source, key, prints[key], context), prints)
    same = {key: seen for key, seen in found.items() if seen is not None and seen == prints[key]}
    return same if len(same) == len(prints) else None


def _at_once(ask: Callable[[str], T], keys: Iterable[str]) -> dict[str, T]:
    wanted = list(keys)
    if len(wanted) < 2:
        return {key: ask(key) for key in wanted}
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted)), "voxgate-documents") as pool:
        return dict(zip(wanted, pool.map(ask, wanted), strict=True))


def _name(key: str) -> str:
    return key.rpartition("/")[2]
