"""Where small documents come from and go to: a web server, or a bucket.

Documents of a web server are asked for by the project's own session, so that redirects are guarded and failures told
apart; those of buckets by the same driver of tensorstore that reads the voxels, so with the same credentials.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, DeadlineExceeded, MetadataInvalid, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import checked_size
from voxgate_remotes.http.failures import failure, words_of
from voxgate_remotes.http.session import StoreCall, StoreSession
from voxgate_remotes.objects.failures import told
from voxgate_remotes.tensorstores import wait

_PATIENCE_S = 60.0
_AT_ONCE = 8
_GONE = (404, 410)


class Source(Protocol):
    """The objects of a store by their keys, below the remote's root: "em/info"."""

    def read(self, key: str, limit: int, context: CallContext) -> bytes | None:
        """An object whole; None where there is none.

        Raises:
            MetadataInvalid: when it has more than `limit` bytes.
            StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, PathRefused, Cancelled, DeadlineExceeded.
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
        headers: "Name: value" of what tensorstore sends; it may hold a token.
    """

    session: StoreSession
    base_url: str
    root: str
    headers: tuple[str, ...] = field(default=(), repr=False)

    def read(self, key: str, limit: int, context: CallContext) -> bytes | None:
        """An object; see `Source.read`. A page in HTML is no document: such servers answer 200 to anything."""
        call = StoreCall("GET", quote(f"{self.root}{key}", safe="/"), max_answer_bytes=limit)
        try:
            answer = self.session.request(call, context)
        except ChunkCorrupt:
            raise MetadataInvalid(f"`{_name(key)}` is larger than any metadata", "look at the store") from None
        if answer.status in _GONE:
            return None
        if answer.status != 200:
            raise failure(answer, words_of(answer.body.decode(errors="replace")))
        return None if answer.body.lstrip()[:1] == b"<" else answer.body

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
        context: the ts.Context whose credentials and connections all documents share.
    """

    spec: dict[str, Any]
    root: str
    context: Any = field(default_factory=ts.Context, repr=False)

    def read(self, key: str, limit: int, context: CallContext) -> bytes | None:
        """An object; see `Source.read`."""
        found = self._asked(lambda store: store.read(self.root + key), context, f"reading `{_name(key)}`")
        return checked_size(_name(key), found.value, limit) if found.state == "value" else None

    def create(self, key: str, data: bytes, context: CallContext) -> bool:
        """Write an object that is not there; answers whether it was not.

        The store itself makes sure of that (If-None-Match, ifGenerationMatch=0), as far as it knows conditions.

        Raises:
            StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """

        def write(store: Any) -> Any:
            return store.write(self.root + key, data, if_equal=_NO_VALUE)

        return bool(self._asked(write, context, f"writing `{_name(key)}`").generation)

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """Tensorstore's spec; see `Source.kvstore`."""
        return {**self.spec, "path": f"{self.root}{prefix}"}

    def _asked(self, what: Any, context: CallContext, doing: str) -> Any:
        """The result of what is asked of the bucket, within bounded time."""
        latest = time.monotonic() + _PATIENCE_S
        bounded = replace(context, deadline=latest if context.deadline is None else min(latest, context.deadline))
        try:
            with told(doing):
                store = wait(ts.KvStore.open(self.spec, context=self.context), bounded)
                return wait(what(store), bounded)
        except DeadlineExceeded:
            context.check()
            raise StoreUnavailable(f"the store did not answer in {_PATIENCE_S:.0f} s ({doing})", "try later") from None


_NO_VALUE = b"\x02"
"""Tensorstore's generation of what is not there (kvstore/generation.h, StorageGeneration::NoValue)."""


def read_all(source: Source, keys: Iterable[str], limit: int, context: CallContext) -> dict[str, bytes | None]:
    """Several documents, asked for at the same time; the first failure is raised. See `Source.read`."""
    wanted = list(keys)
    if len(wanted) < 2:
        return {key: source.read(key, limit, context) for key in wanted}
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted)), "voxgate-documents") as pool:
        return dict(zip(wanted, pool.map(lambda key: source.read(key, limit, context), wanted), strict=True))


def _name(key: str) -> str:
    return key.rpartition("/")[2]
