"""What an operator's `uri` and options mean: which server or bucket, who asks, and what it allows."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import tensorstore as ts

from voxgate.model.errors import ConfigInvalid, PathRefused
from voxgate_remotes.config import RemoteConfig, nearest
from voxgate_remotes.http.session import HttpLimits, StoreSession
from voxgate_remotes.http.tokens import token_of
from voxgate_remotes.http.uris import base_url
from voxgate_remotes.objects.listing import GcsListing, GoogleTokens, Listing, NoListing, S3Listing
from voxgate_remotes.objects.patience import Patience
from voxgate_remotes.objects.sources import RETRIES, BucketSource, Source, WebSource
from voxgate_remotes.tensorstores import STORE_ERRORS

GCS_URL_VARIABLE = "TENSORSTORE_GCS_HTTP_URL"
"""Where tensorstore's gcs driver looks for another server, an emulator; it has no such field in its specs."""
_GCS_URL = "https://storage.googleapis.com"
_TIMEOUT_S = 60.0
_COMMON: dict[str, tuple[type, ...]] = {"believed_s": (int, float), "cache_bytes": (int,), "timeout_s": (int, float)}
_WEB = {**_COMMON}
_GS = {**_COMMON, "anonymous": (bool,), "conditional_writes": (bool,)}
_S3 = {**_GS, "endpoint": (str,), "region": (str,), "profile": (str,)}
_KNOWN = {"http": _WEB, "https": _WEB, "gs": _GS, "s3": _S3}
_HTTP = re.compile(r"https?://[^/?#]+/?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,220}")


@dataclass(frozen=True, slots=True)
class Place:
    """A store that is not on this machine.

    Attributes:
        source: makes what its documents are read from; the tokens in it are those of now.
        bucket: the same as a bucket that takes writes; None for what takes none.
        listing: what lists it.
        patience: with it.
        merges_safely: whether two writers of one granule, wherever they are, lose nothing.
    """

    source: Callable[[], Source]
    bucket: BucketSource | None
    listing: Listing
    patience: Patience
    merges_safely: bool = False


def place_of(config: RemoteConfig) -> Place:
    """What a remote's configuration means.

    Raises:
        ConfigInvalid: names the option, and the nearest known one for an unknown one.
    """
    scheme = urlsplit(config.uri).scheme
    _check_options(config, scheme)
    if scheme in ("http", "https"):
        return _web(config)
    has_token = config.credentials.token or config.credentials.token_env or config.credentials.token_file
    if has_token:
        raise ConfigInvalid(f"a remote of {scheme}: takes no token", _CREDENTIALS[scheme])
    return _gcs(config) if scheme == "gs" else _s3(config)


_CREDENTIALS = {
    "gs": "let the environment variable GOOGLE_APPLICATION_CREDENTIALS name a file of credentials",
    "s3": "state access keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in a `profile`",
}


def _check_options(config: RemoteConfig, scheme: str) -> None:
    known = _KNOWN[scheme]
    for key, value in config.options.items():
        if key == "endpoint" and scheme == "gs":
            raise ConfigInvalid(
                "a remote of gs: has no option 'endpoint'",
                f"set the environment variable {GCS_URL_VARIABLE} for the whole process",
            )
        if key not in known:
            raise ConfigInvalid(f"a remote of {scheme}: has no option {key!r}", nearest(key, known))
        is_bad = isinstance(value, int | float) and (value < 0 or (key == "timeout_s" and not 0 < value < math.inf))
        if type(value) not in known[key] or is_bad:
            raise ConfigInvalid(f"the option {key!r} cannot be {value!r}", f"give a {known[key][-1].__name__}")
    if config.options.get("anonymous") and config.options.get("profile"):
        raise ConfigInvalid("the options 'anonymous' and 'profile' contradict each other", "remove one of them")


def _web(config: RemoteConfig) -> Place:
    where = base_url(config.uri, "https")
    patience = _patience(config)
    session = StoreSession(where.base_url, credentials=config.credentials, limits=_limits(patience))
    root = "/".join(("", *where.path, ""))

    def source() -> Source:
        token = token_of(config.credentials)
        headers = (f"Authorization: Bearer {token}",) if token else ()
        return WebSource(session, where.base_url, root, patience, headers)

    return Place(source, None, NoListing(), patience)


def _patience(config: RemoteConfig) -> Patience:
    scheme = urlsplit(config.uri).scheme
    who = "the web server" if scheme in ("http", "https") else f"the {scheme} store"
    return Patience(float(config.options.get("timeout_s", _TIMEOUT_S)), who)


def _limits(patience: Patience) -> HttpLimits:
    return HttpLimits(connect_s=min(HttpLimits().connect_s, patience.seconds), read_s=patience.seconds)


def _s3(config: RemoteConfig) -> Place:
    bucket, root = _bucket(config.uri)
    options = config.options
    endpoint, region = str(options.get("endpoint", "")), str(options.get("region", ""))
    spec: dict[str, Any] = {"driver": "s3", "bucket": bucket, "s3_request_retries": RETRIES}
    settings: dict[str, Any] = {"virtual_hosted_style_request": False}
    if endpoint:
        if not _HTTP.fullmatch(endpoint):
            raise ConfigInvalid("the option 'endpoint' is no server's address", 'e.g. "https://minio.example:9000"')
        spec["endpoint"] = settings["endpoint"] = base_url(endpoint, "https").base_url
        region = region or "us-east-1"
    if region:
        spec["aws_region"] = settings["region"] = region
    if options.get("anonymous"):
        settings["skip_signature"] = True
    if "conditional_writes" in options:
        spec["use_conditional_write"] = bool(options["conditional_writes"])
    profile = str(options.get("profile", ""))
    spec["aws_credentials"] = _aws_credentials(bool(options.get("anonymous")), profile)
    patience = _patience(config)
    source = _opened(spec, root, patience)
    merges = bool(options.get("conditional_writes", not endpoint))
    listing = S3Listing(bucket, root, settings, profile, patience.seconds)
    return Place(lambda: source, source, listing, patience, merges)


def _aws_credentials(anonymous: bool, profile: str) -> dict[str, str]:
    """Tensorstore's spec of who asks; the chain of default ones only where nothing is stated: it waits for servers."""
    if anonymous:
        return {"type": "anonymous"}
    if profile:
        return {"type": "profile", "profile": profile}
    return {"type": "environment" if "AWS_ACCESS_KEY_ID" in os.environ else "default"}


def _gcs(config: RemoteConfig) -> Place:
    """A bucket of GCS. An anonymous one is read as the public files of a web server, which is what it is."""
    bucket, root = _bucket(config.uri)
    patience = _patience(config)
    server = base_url(os.environ.get(GCS_URL_VARIABLE) or _GCS_URL, "https").base_url
    if config.options.get("anonymous"):
        session = StoreSession(server, credentials=config.credentials, limits=_limits(patience))
        web = WebSource(session, server, f"/{bucket}/{root}", patience)
        listing = GcsListing(server, bucket, root, lambda: "", _limits(patience))
        return Place(lambda: web, None, listing, patience)
    source = _opened({"driver": "gcs", "bucket": bucket, "gcs_request_retries": RETRIES}, root, patience)
    # Another server has no business with Google's credentials.
    tokens = GoogleTokens() if server == _GCS_URL else lambda: ""
    merges = bool(config.options.get("conditional_writes", True))
    listing = GcsListing(server, bucket, root, tokens, _limits(patience))
    return Place(lambda: source, source, listing, patience, merges)


def _opened(spec: dict[str, Any], root: str, patience: Patience) -> BucketSource:
    """A bucket whose spec tensorstore takes.

    Raises:
        ConfigInvalid.
    """
    try:
        ts.KvStore.Spec({**spec, "path": root})
    except STORE_ERRORS:
        raise ConfigInvalid("the uri names no bucket that the store could have", "correct its name") from None
    return BucketSource(spec, root, patience)


def _bucket(uri: str) -> tuple[str, str]:
    """The bucket and the prefix of `s3://bucket/prefix`, decoded; the prefix is empty or ends with "/".

    Raises:
        ConfigInvalid: for what does not belong there: a user, a port, a query, dot segments.
    """
    try:
        parts = urlsplit(uri)
        has_more = bool(parts.query or parts.fragment) or "?" in uri or "#" in uri
    except ValueError:
        raise ConfigInvalid("the uri of a remote names no bucket", 'write e.g. "s3://bucket/prefix"') from None
    if "@" in parts.netloc:
        raise ConfigInvalid("the uri of a remote has a user in it", _CREDENTIALS[parts.scheme])
    if not _NAME.fullmatch(parts.netloc) or has_more:
        raise ConfigInvalid("the uri of a remote names no bucket", f'write e.g. "{parts.scheme}://bucket/prefix"')
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    try:
        root = key_prefix(segments)
    except PathRefused:
        raise ConfigInvalid("the uri of a remote has dot segments", "state the prefix as it is") from None
    return parts.netloc, root


def key_prefix(segments: list[str] | tuple[str, ...]) -> str:
    """The prefix of what lies below decoded segments of a name: empty, or ends with "/".

    Raises:
        PathRefused: for segments that are no plain names.
    """
    for segment in segments:
        if segment in ("", ".", "..") or "/" in segment or "\\" in segment or not segment.isprintable():
            raise PathRefused(f"{segment[:60]!r} cannot be part of a volume's name here", "use plain names")
    return "".join(f"{segment}/" for segment in segments)
