"""Which servers a configured remote speaks to: what a firewall before a server has to let through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.http.uris import base_url

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server.

    Attributes:
        host: its name or address, without brackets; "*" stands for a part that only the store knows.
        port: 0 where nobody can say.
    """

    host: str
    port: int


def endpoints_of(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """The servers that a remote's store is reached at, in no order that matters.

    Where clouds hand out credentials to machines (instance metadata, STS) is not among them: keys of one's own need no
    such server. Of a plug-in's scheme its URI says what there is to say.

    Args:
        config: of the remote.
        environment: of the server; it can name another server in the place of Google's.

    Raises:
        ConfigInvalid: when no server can be made out of the URI.
    """
    known = _KNOWN.get(urlsplit(config.uri).scheme, _of_plugin)
    return known(config, environment)


def endpoint_of(address: str) -> Endpoint:
    """The server of "host:port", "scheme://host:port/…" or "dns:///host:port"; port 0 where none is stated."""
    rest = address.partition("://")[2].lstrip("/") if "://" in address else address
    parts = urlsplit(f"//{rest}")
    return Endpoint(parts.hostname or "", parts.port or 0)


def _nowhere(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:  # noqa: ARG001  (the shape)
    return ()


def _web(default_scheme: str) -> _Endpoints:
    def endpoints(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:  # noqa: ARG001  (the shape)
        return (_of_url(base_url(config.uri, default_scheme).base_url),)

    return endpoints


def _voxgate(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:  # noqa: ARG001  (the shape)
    mesh = str(config.options.get("mesh", ""))
    return (endpoint_of(config.uri), *((endpoint_of(mesh),) if mesh else ()))


def _gs(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    other = environment.get("TENSORSTORE_GCS_HTTP_URL", "")
    store = _of_url(base_url(other or "https://storage.googleapis.com", "https").base_url)
    is_anonymous = other or config.options.get("anonymous")
    return (store,) if is_anonymous else (store, Endpoint("oauth2.googleapis.com", 443))


def _s3(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:  # noqa: ARG001  (the shape)
    endpoint = str(config.options.get("endpoint", ""))
    if endpoint:
        return (_of_url(base_url(endpoint, "https").base_url),)
    # Listing asks by path and reading by host; the host without a region tells where the bucket is.
    bucket, region = urlsplit(config.uri).netloc, config.options.get("region") or "*"
    hosts = (f"{bucket}.s3.amazonaws.com", f"{bucket}.s3.{region}.amazonaws.com", f"s3.{region}.amazonaws.com")
    return tuple(Endpoint(host, 443) for host in hosts)


def _of_plugin(config: RemoteConfig, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:  # noqa: ARG001  (the shape)
    uri = config.uri.partition("://")[2] if "://" in config.uri.partition("://")[2] else config.uri
    found = endpoint_of(uri)
    port = found.port or _PORTS.get(urlsplit(uri).scheme, 0)
    return (Endpoint(found.host, port),) if urlsplit(uri).netloc else ()


def _of_url(url: str) -> Endpoint:
    found = endpoint_of(url)
    return Endpoint(found.host, found.port or _PORTS[urlsplit(url).scheme])


_Endpoints = Callable[[RemoteConfig, Mapping[str, str]], tuple[Endpoint, ...]]
_KNOWN: dict[str, _Endpoints] = {
    "bossdb": _web("https"),
    "dvid": _web("http"),
    "file": _nowhere,
    "gs": _gs,
    "http": _web("https"),
    "https": _web("https"),
    "memory": _nowhere,
    "procedural": _nowhere,
    "s3": _s3,
    "voxgate": _voxgate,
}
SCHEMES = frozenset(_KNOWN)
"""The schemes whose servers are known here, and not only guessed from the URI."""
