"""Another voxgate server as a remote: gateways daisy-chain.

The URI is `voxgate://HOST:PORT`, whose volumes are all that the other server has, by their names there; or
`voxgate://HOST:PORT/PREFIX` for those below one name. What its volumes can do, they can do here: writing, segments,
versions and the rest are passed on. Stored chunks are not: voxels are decoded here and encoded anew for the next
caller. Whether a chunk is absent is not told either, so `absent_chunks = "error"` belongs into the configuration of
the server that reads the store.

Every call upstream is bound to the caller whom it is for: it ends when that one goes away, and carries the ids of the
servers that the call came through, so that a loop of remotes is refused by the first server that sees it twice.

This is the one adapter that imports the client.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

from voxgate.client.chaining import ChainedServer, Client, Server, Tls, TlsChoice, opened_as
from voxgate.model.access import Caller
from voxgate.model.errors import (
    AlreadyExists,
    ConfigInvalid,
    MalformedName,
    UnknownVolume,
)
from voxgate.model.geometry import Box
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.names import VolumeName, split_version
from voxgate.model.remotes import CallerBound, Deletable, ListEntry, ResolvedUri
from voxgate.model.volumes import (
    C,
    CallContext,
    OpenOptions,
    ReadTuning,
    Relayed,
    Tuned,
    Volume,
    VolumeFacts,
    VolumeInfo,
    VolumeSpec,
    Voxels,
)
from voxgate_remotes.borders import Border
from voxgate_remotes.config import RemoteConfig, nearest
from voxgate_remotes.http.tokens import token_of
from voxgate_remotes.recent import Believed

T = TypeVar("T")

_TLS = ("ca_file", "cert_file", "key_file", "server_name")
_OPTIONS = ("believed_s", "mesh", "tls", *_TLS)
_MOST_BELIEVED_S = 3600
_PARALLEL_READS = 4
"""At least: whatever the store behind the other server is, an answer is waited for."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a remote is.

    Attributes:
        address: "host:port", the host in lower case.
        prefix: decoded name segments on that server; empty for all that it has.
    """

    address: str
    prefix: tuple[str, ...]

    @staticmethod
    def parse(uri: str) -> _Place:
        """Take a URI apart.

        Raises:
            ConfigInvalid: for anything but voxgate://HOST:PORT[/PREFIX].
        """
        parts = urlsplit(uri)
        try:
            port = parts.port
        except ValueError:
            port = None
        if "@" in parts.netloc:
            raise ConfigInvalid("the uri of a remote has a user in it", "state what proves who asks under credentials")
        if not parts.hostname or not port or parts.query or parts.fragment or "?" in uri or "#" in uri:
            raise ConfigInvalid("this is not the uri of a voxgate server", 'write "voxgate://HOST:PORT[/PREFIX]"')
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        segments = tuple(unquote(segment) for segment in parts.path.strip("/").split("/")) if parts.path[1:] else ()
        try:
            _name_of(segments)
        except (MalformedName, UnknownVolume):
            raise ConfigInvalid("the path of the uri is not a name", 'write "REMOTE" or "REMOTE/GROUP"') from None
        return _Place(f"{host}:{port}", segments)


def _name_of(segments: tuple[str, ...]) -> str:
    """The full name of segments on the other server; empty for none.

    Raises:
        UnknownVolume: when there can be no such name.
    """
    if not segments:
        return ""
    name = str(VolumeName(segments[0], segments[1:]))
    try:
        VolumeName.parse(name)
    except MalformedName as error:
        raise UnknownVolume(f"there is no {name!r} on the other server", error.remedy) from None
    return name


def _believed_s(options: Mapping[str, Any]) -> float:
    seconds = options.get("believed_s", 0)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= _MOST_BELIEVED_S:
        raise ConfigInvalid("options.believed_s is no number of seconds", f"write 0 to {_MOST_BELIEVED_S}")
    return seconds


def _tls(options: Mapping[str, Any]) -> TlsChoice:
    tls = options.get("tls", False)
    if not isinstance(tls, bool | str):
        raise ConfigInvalid("options.tls is neither true nor a file", "name a PEM file, or write true")
    stated = {key: options[key] for key in _TLS if key in options}
    wrong = next((key for key, value in stated.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise ConfigInvalid(f"options.{wrong} is no text", "name a PEM file, or a name for server_name")
    if not stated:
        return tls
    if "tls" in options and (tls is False or (isinstance(tls, str) and "ca_file" in stated)):
        raise ConfigInvalid("options.tls contradicts the other options of TLS", "leave it out")
    return Tls(**{"ca_file": tls, **stated} if isinstance(tls, str) and tls else stated)


class VoxgateRemote:
    """The volumes of another server, for one caller. Thread-safe; connects at the first call.

    Options: `tls`, true for the authorities that gRPC believes or a file of authorities in PEM; `ca_file`, `cert_file`,
    `key_file` and `server_name`, as those of the client's Tls, each of which turns TLS on; `mesh`, the "host:port" of
    the other server's Mesh service, which knows its stored meshes and skeletons, where that is another; `believed_s`,
    for how many seconds a described volume is taken to be as it was (0: the other server is asked for every call).
    """

    def __init__(self, config: RemoteConfig) -> None:
        """Understand the configuration; the caller is one with endless patience.

        Raises:
            ConfigInvalid: for a URI that is none, an unknown option or a bad value of one.
        """
        for key in config.options:
            if key not in _OPTIONS:
                raise ConfigInvalid(f"a voxgate remote has no option {key!r}", nearest(key, _OPTIONS))
        tls = _tls(config.options)
        mesh = config.options.get("mesh", "")
        if not isinstance(mesh, str):
            raise ConfigInvalid("options.mesh is no address", 'write "host:port"')
        # By name, version and caller: whom a server is asked for may decide what it answers.
        self._believed: Believed[tuple[str, str, Caller], VolumeFacts] = Believed(_believed_s(config.options))
        self._uri_length = len(config.uri.rstrip("/"))
        self._place = _Place.parse(config.uri)
        self._format = config.format
        credentials = config.credentials
        elsewhere = (("mesh", _Place.parse(f"voxgate://{mesh}").address),) if mesh else ()
        where = Server(self._place.address, elsewhere, tls)
        self._server = ChainedServer(where, token=lambda: token_of(credentials))
        self._context = CallContext()

    def for_caller(self, context: CallContext) -> VoxgateRemote:
        """The same remote on the same connection, for another caller."""
        bound = copy.copy(self)
        bound._context = context
        return bound

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open a volume by the decoded segments of its name, for the caller that `options` tell of.

        Raises:
            UnknownVolume: for the other server itself, which is no volume; and whatever that server refuses.
            StoreUnavailable: when it does not answer.
        """
        name = self._known_name(path)
        key = (name, options.version, options.context.caller)
        # What was believed may be why a call failed.
        border = Border(self._place.address, options.context, lambda: self._believed.drop(key))
        client = self._server.for_caller(options.context)
        facts = self._believed.get(key)
        if facts is not None:
            return _ChainedVolume(opened_as(client, facts, options), border)
        volume = border(lambda: client.open(name, options))
        relayed = volume.capability(Relayed)
        if relayed is not None:
            self._believed.put(key, relayed.facts)
        return _ChainedVolume(volume, border)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under `parent`; see `Remote.list`."""
        name = self._name(parent)
        entries = self._asked(lambda client: client.volumes(name))
        return [ListEntry(_last(entry.name), entry.is_volume, entry.is_key_values) for entry in entries]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume; see `Remote.create`."""
        name = self._name(path)
        if not name:
            raise AlreadyExists("the remote itself is no volume", "name one below it")
        chosen = replace(spec, format=spec.format or self._format)
        self._believed.clear()
        self._asked(lambda client: client.create(name, chosen))
        return self.open(path, OpenOptions(context=self._context))

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete a volume, where the other server lets us; see `Deletable.delete`."""
        name = self._known_name(path)
        try:
            self._asked(lambda client: client.delete(name))
        finally:
            self._believed.clear()

    def key_values(self, path: tuple[str, ...], version: str) -> KeyValues:
        """The metadata at a name, where its store keeps any; see `HasKeyValues.key_values`."""
        name = self._known_name(path)
        border = Border(self._place.address, self._context)
        client = self._server.for_caller(self._context)
        return cast("KeyValues", _Passed(client.metadata(name, version=version), border))

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `voxgate://HOST:PORT/NAME[@VERSION]` means here; URIs of the other server's own stores mean nothing."""
        if not uri.startswith("voxgate://"):
            return None
        plain, version = split_version(uri)
        try:
            place = _Place.parse(plain)
        except ConfigInvalid:
            return None
        prefix = self._place.prefix
        if place.address != self._place.address or place.prefix[: len(prefix)] != prefix:
            return None
        return ResolvedUri(self._uri_length, place.prefix[len(prefix) :], version)

    def capability(self, kind: type[C]) -> C | None:
        """CallerBound, Deletable and HasKeyValues: whether a store can, the other server says when it is asked to."""
        return cast("C", self) if kind in (CallerBound, Deletable, HasKeyValues) else None

    def _name(self, path: tuple[str, ...]) -> str:
        return _name_of((*self._place.prefix, *path))

    def _known_name(self, path: tuple[str, ...]) -> str:
        name = self._name(path)
        if not name:
            raise UnknownVolume("a whole server is no volume", "list it to see what it has")
        return name

    def _asked(self, work: Callable[[Client], T]) -> T:
        client = self._server.for_caller(self._context)
        return Border(self._place.address, self._context)(lambda: work(client))


class _ChainedVolume:
    """A volume on another server."""

    def __init__(self, inner: Volume, border: Border) -> None:
        self._inner = inner
        self._border = border

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._inner.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`."""
        return self._border(lambda: self._inner.read(box, scale=scale, channels=channels, out=out))

    def capability(self, kind: type[C]) -> C | None:
        """What the other server offers, and how it is read fastest from here."""
        if kind is Tuned:
            return cast("C", self)
        found = self._inner.capability(kind)
        return None if found is None else cast("C", _Passed(found, self._border))

    @property
    def tuning(self) -> ReadTuning:
        """The other server's, but never one read at a time."""
        tuned = self._inner.capability(Tuned)
        told = ReadTuning() if tuned is None else tuned.tuning
        return replace(told, parallel_reads=max(_PARALLEL_READS, told.parallel_reads))


class _Passed:
    """Any power of a volume or server, as it is but for the errors of the way there."""

    def __init__(self, power: Any, border: Border) -> None:
        self._power = power
        self._border = border

    def __getattr__(self, name: str) -> Any:
        asked = self._border(lambda: getattr(self._power, name))
        if not callable(asked):
            return asked

        def passed(*args: Any, **kwargs: Any) -> Any:
            answer = self._border(lambda: asked(*args, **kwargs))
            return self._border.iterated(answer) if isinstance(answer, Iterator) else answer

        return passed


def _last(name: str) -> str:
    """The last decoded segment of a full name."""
    parsed = VolumeName.parse(name)
    return parsed.segments[-1] if parsed.segments else parsed.remote
