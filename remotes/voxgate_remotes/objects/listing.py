"""What lies right under a prefix of a bucket.

Tensorstore lists everything below a prefix, which for a volume is millions of chunks; with a delimiter a store answers
the next level alone. S3 is asked through `obstore` (MIT, one wheel of 6 MB whose only dependency is
typing-extensions), which finds credentials as tensorstore does (environment, container, instance) and signs. GCS is
asked through its JSON API (cloud.google.com/storage/docs/json_api/v1/objects/list), the one that tensorstore speaks
too, so the same server is asked; `google-auth` finds the credentials. Both are the extra "objects", imported when
something is listed.
"""

from __future__ import annotations

import configparser
import os
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import SecretStr

from voxgate.model.errors import (
    ConfigInvalid,
    MissingCapability,
    StoreAccessDenied,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.http.failures import failure, words_of
from voxgate_remotes.http.session import HttpLimits, StoreCall, StoreSession
from voxgate_remotes.metadata import json_object

_EXTRA = 'pip install "voxgate-remotes[objects]"'
_MOST_ENTRIES = 10_000
_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
_XML = re.compile(r"<(Code|Message)>(.*?)</\1>", re.DOTALL)
_PATIENCE_S = 0.25
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


@dataclass(frozen=True, slots=True)
class Level:
    """What lies right under a prefix.

    Attributes:
        folders: the last segments of the prefixes there, sorted.
        has_objects: whether there is any object right there.
    """

    folders: tuple[str, ...]
    has_objects: bool


class Listing(Protocol):
    """A store that can be listed."""

    def level(self, prefix: str, context: CallContext) -> Level:
        """What lies right under a prefix, which is empty or ends with "/".

        Raises:
            MissingCapability: where a store has no such thing.
            ConfigInvalid: when what lists is not installed.
            StoreAccessDenied, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        ...


class NoListing:
    """A web server: it answers for names, and says nothing of which there are. Satisfies Listing."""

    def level(self, prefix: str, context: CallContext) -> Level:  # noqa: ARG002
        """Refuse."""
        raise MissingCapability(
            "a web server does not list what it has", "name the volume itself: the remote's name, then its path"
        )


@dataclass(frozen=True, slots=True)
class S3Listing:
    """A bucket of S3 or of a server that speaks it. Satisfies Listing.

    Attributes:
        bucket: its name.
        root: of the remote: empty, or ends with "/".
        settings: what obstore's S3Store takes beside: endpoint, region, skip_signature.
        profile: of the shared credentials file; empty for the environment, or the default one.
        timeout_s: what a request may take.
    """

    bucket: str
    root: str
    settings: Mapping[str, Any]
    profile: str = ""
    timeout_s: float = 60.0

    def level(self, prefix: str, context: CallContext) -> Level:
        """What lies right under a prefix; see `Listing.level`."""
        try:
            import obstore  # noqa: PLC0415  (an extra)
            from obstore.exceptions import BaseError  # noqa: PLC0415
        except ImportError:
            raise ConfigInvalid("listing a bucket of S3 needs obstore", _EXTRA) from None
        where = f"{self.root}{prefix}"
        try:
            store = self._store()
            found = _patient(lambda: obstore.list_with_delimiter(store, where or None), context)
        except BaseError as error:
            raise _of_obstore(str(error)) from None
        folders = tuple(sorted(path.rpartition("/")[2] for path in found["common_prefixes"]))
        return Level(_checked(folders), bool(found["objects"]))

    def _store(self) -> Any:
        from obstore.store import S3Store  # noqa: PLC0415  (an extra)

        whole, connect = timedelta(seconds=self.timeout_s), timedelta(seconds=min(10.0, self.timeout_s))
        options: Any = {"allow_http": True, "connect_timeout": connect, "timeout": whole}
        retries: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}
        keys = {} if self.settings.get("skip_signature") else _keys_of_profile(self.profile)
        settings = {**self.settings, **keys}
        return S3Store(self.bucket, client_options=options, retry_config=retries, **settings)


@dataclass(frozen=True, slots=True)
class GcsListing:
    """A bucket of Google Cloud Storage. Satisfies Listing.

    Attributes:
        base_url: of the JSON API's server.
        bucket: its name.
        root: of the remote: empty, or ends with "/".
        tokens: the token to ask with; empty for none.
        limits: patience with the server.
    """

    base_url: str
    bucket: str
    root: str
    tokens: Callable[[], str] = field(repr=False)
    limits: HttpLimits = field(default_factory=HttpLimits)

    def level(self, prefix: str, context: CallContext) -> Level:
        """What lies right under a prefix; see `Listing.level`."""
        token = self.tokens()
        credentials = CredentialsConfig(token=SecretStr(token) if token else None)
        session = StoreSession(self.base_url, credentials=credentials, limits=self.limits)
        folders: list[str] = []
        has_objects, page = False, ""
        while True:
            answer = json_object("listing", self._page(session, f"{self.root}{prefix}", page, context))
            folders += [each.removesuffix("/").rpartition("/")[2] for each in answer.get("prefixes", ())]
            has_objects = has_objects or bool(answer.get("items"))
            page = str(answer.get("nextPageToken", ""))
            if not page:
                return Level(_checked(tuple(sorted(folders))), has_objects)
            _checked(tuple(folders))

    def _page(self, session: StoreSession, prefix: str, page: str, context: CallContext) -> bytes:
        wanted = {
            "delimiter": "/",
            "prefix": prefix,
            "pageToken": page,
            "fields": "prefixes,items/name,nextPageToken",
        }
        query = tuple((name, value) for name, value in wanted.items() if value)
        call = StoreCall("GET", f"/storage/v1/b/{quote(self.bucket, safe='')}/o", query, max_answer_bytes=64 << 20)
        answer = session.request(call, context)
        if answer.status == 404:
            raise UnknownVolume("there is no such bucket, or it is not shown to us", "the operator checks its `uri`")
        if answer.status != 200:
            raise failure(answer, words_of(answer.body.decode(errors="replace")))
        return answer.body


class GoogleTokens:
    """Tokens of Google's application default credentials, kept until they expire. Thread-safe."""

    def __init__(self) -> None:
        """Find nothing yet."""
        self._lock = threading.Lock()
        self._credentials: Any = None

    def __call__(self) -> str:
        """A token; empty where there are no credentials, as for public buckets.

        Raises:
            ConfigInvalid: when google-auth is not installed.
            StoreAccessDenied: when the credentials found do not get a token.
        """
        try:
            import google.auth  # noqa: PLC0415  (an extra)
            from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError  # noqa: PLC0415
            from google.auth.transport.requests import Request  # noqa: PLC0415
        except ImportError:
            raise ConfigInvalid("listing a bucket of GCS needs google-auth", _EXTRA) from None
        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials = google.auth.default(scopes=[_SCOPE])[0]
                if not self._credentials.valid:
                    self._credentials.refresh(Request())
            except DefaultCredentialsError:
                return ""
            except GoogleAuthError:
                remedy = "look at what GOOGLE_APPLICATION_CREDENTIALS names"
                raise StoreAccessDenied("Google does not accept the credentials found here", remedy) from None
            return str(self._credentials.token)


def _patient(ask: Callable[[], Any], context: CallContext) -> Any:
    """What `ask` answers, given up when the caller's patience ends; it then ends by its own timeouts."""
    pool = ThreadPoolExecutor(1, "voxgate-listing")
    try:
        future = pool.submit(ask)
        while True:
            try:
                return future.result(_PATIENCE_S)
            except FutureTimeoutError:
                context.check()
    finally:
        pool.shutdown(wait=False)


def _keys_of_profile(profile: str) -> dict[str, str]:
    """Access keys of the shared credentials file, which obstore does not read; none where the environment has them.

    File format: docs.aws.amazon.com/cli, "Configuration and credential file settings".

    Raises:
        ConfigInvalid: when a profile that the operator names has no keys there.
    """
    if not profile and "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        section = parser[profile or os.environ.get("AWS_PROFILE") or "default"]
        keys = {"access_key_id": section["aws_access_key_id"], "secret_access_key": section["aws_secret_access_key"]}
    except (configparser.Error, KeyError, OSError, ValueError):
        if profile:
            raise ConfigInvalid(
                f"the profile {profile!r} has no access keys, which listing needs",
                "name volumes, or give the profile keys of its own",
            ) from None
        return {}
    token = section.get("aws_session_token")
    return {**keys, "session_token": token} if token else keys


def _checked(folders: tuple[str, ...]) -> tuple[str, ...]:
    if len(folders) > _MOST_ENTRIES:
        raise StoreRefused(f"more than {_MOST_ENTRIES} folders lie there", "configure a remote further down")
    return tuple(each for each in folders if each)


def _of_obstore(text: str) -> VoxgateError:
    """The error that obstore's message means. It has the URL that was asked for, and the store's answer as XML."""
    status = _STATUS.search(text)
    number = int(next(filter(None, status.groups()))) if status else 0
    words = words_of(": ".join(found for _, found in _XML.findall(text.partition("Debug source")[0])))
    said = f": {words}" if words else ""
    details = {"status": str(number)}
    if "NoSuchBucket" in words:
        return UnknownVolume(f"there is no such bucket{said}", "the operator checks its `uri`", details=details)
    if number in (401, 403) or "Token" in words:
        remedy = "check the remote's credentials and their right to list (s3:ListBucket)"
        return StoreAccessDenied(f"the store does not let us list{said}", remedy, details=details)
    if number == 301 or "AuthorizationHeaderMalformed" in words:
        return StoreRefused(f"the store has this bucket elsewhere{said}", "state its `region`", details=details)
    if 400 <= number < 500 and number != 429:
        return StoreRefused(f"the store refuses to list ({number}){said}", "", details=details)
    return StoreUnavailable(f"the store cannot be listed{said}", "try again later", details=details)
