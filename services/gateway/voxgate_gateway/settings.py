"""`[gateway]` of voxgate.toml: what the gateway can be told, checked key by key.

Written and read as JSON too: a gateway in a process of its own gets what the process that started it has read.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from voxgate.client.tls import Tls
from voxgate.model.errors import ConfigInvalid, MalformedName
from voxgate.model.names import VolumeName, split_version
from voxgate_serving.logs import LogFormat, LogLevel
from voxgate_serving.settings import nearest_key
from voxgate_serving.tls import TlsFiles

MIB = 1 << 20
DEFAULT_THREADS = 32
_BOSS_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)

A = TypeVar("A")
Names = tuple[str, str, str]
"""Collection, experiment and channel."""
Reader = Callable[[Any], Any]
"""Of a value; raises ValueError, whose words are for people."""


@dataclass(frozen=True, slots=True)
class BossSettings:
    """`[gateway.bossdb]`: the BossDB dialect.

    Attributes:
        names: volumes by collection, experiment and channel: "remote/path" or "remote/path@version", with "#N" behind
            it one channel of several.
        collections: groups by the collection whose experiments and channels are the volumes below.
        home: the group below which collections are that nothing else names; empty for none.
        max_cutout_bytes: the most voxel bytes of one cutout, decoded.
        memory_bytes: voxel bytes held by all cutouts together; the others wait for their turn.
    """

    names: Mapping[Names, str] = field(default_factory=dict)
    collections: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    max_cutout_bytes: int = 520 * MIB
    memory_bytes: int = 1024 * MIB


@dataclass(frozen=True, slots=True)
class PrecomputedSettings:
    """`[gateway.precomputed]`: the precomputed dialect.

    Attributes:
        jpeg: images that leave as JPEG unless who asks says otherwise: qualities from 1 to 100 by the names of volumes,
            groups or remotes.
    """

    jpeg: Mapping[str, int] = field(default_factory=dict)

    def jpeg_quality(self, name: str) -> int | None:
        """What is said of a volume, or of the nearest group that it is in; None where nothing is."""
        while name not in self.jpeg:
            name, slash, _ = name.rpartition("/")
            if not slash:
                return None
        return self.jpeg[name]


@dataclass(frozen=True, slots=True)
class ServicesTlsSettings:
    """`[gateway.services_tls]`: TLS with the services behind the gateway; a file that is named turns it on.

    Attributes:
        enabled: speak it also where no file is named, and believe the authorities that gRPC does.
        ca_file: PEM file of the authorities whose services are believed.
        cert_file: PEM file of the gateway's own certificate, where services ask for one.
        key_file: PEM file of that certificate's key.
        server_name: the name that certificates of services have, where it is not the one they are reached by.
    """

    enabled: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""

    @property
    def tls(self) -> Tls | None:
        """The same for a client; None where no TLS is spoken."""
        stated = Tls(self.ca_file, self.cert_file, self.key_file, self.server_name)
        return stated if self.enabled or stated != Tls() else None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """`[gateway]`.

    Attributes:
        cors_origin: the one web origin whose pages may read, or "*".
        threads: how many requests are worked on at a time.
        allow_unauthenticated_writes: take what changes something beyond loopback.
        metrics_port: port of the page of metrics, never the public one; 0 takes a free one, None for no page.
        log_format: "json", or "text" for people.
        log_level: "debug" has a line for every request.
        bossdb: of the BossDB dialect.
        precomputed: of the precomputed dialect.
        tls: of the HTTP port.
        services_tls: of the way to the services.
    """

    cors_origin: str = "*"
    threads: int = DEFAULT_THREADS
    allow_unauthenticated_writes: bool = False
    metrics_port: int | None = None
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"
    bossdb: BossSettings = field(default_factory=BossSettings)
    precomputed: PrecomputedSettings = field(default_factory=PrecomputedSettings)
    tls: TlsFiles = field(default_factory=TlsFiles)
    services_tls: ServicesTlsSettings = field(default_factory=ServicesTlsSettings)


def parse_gateway(table: object) -> GatewaySettings:
    """Settings from the `[gateway]` table.

    Raises:
        ConfigInvalid: naming the first bad key and what is wrong with it.
    """
    settings, problems = checked_gateway(table)
    if problems:
        raise problems[0]
    return settings


def checked_gateway(table: object) -> tuple[GatewaySettings, list[ConfigInvalid]]:
    """Settings as `parse_gateway` makes them, without what is wrong, and everything that is wrong.

    Each problem names its key in its message, and as the detail "key".
    """
    problems: list[ConfigInvalid] = []
    stated = _read("gateway", table, _GATEWAY, problems)
    told = _read("gateway.bossdb", stated.pop("bossdb", {}), _BOSSDB, problems)
    told["names"] = dict(_entries("gateway.bossdb.names", told.get("names", {}), _entry, problems))
    told["collections"] = dict(
        _entries("gateway.bossdb.collections", told.get("collections", {}), _collection, problems)
    )
    bossdb = BossSettings(**told)
    if bossdb.max_cutout_bytes > bossdb.memory_bytes:
        key = "gateway.bossdb.max_cutout_bytes"
        problems.append(_problem(key, f'"{key}" is larger than memory_bytes', "one cutout has to fit: raise the other"))
    pictured = _read("gateway.precomputed", stated.pop("precomputed", {}), {"jpeg": _table}, problems)
    jpeg = dict(_entries("gateway.precomputed.jpeg", pictured.get("jpeg", {}), _quality, problems))
    tls = TlsFiles(**_read("gateway.tls", stated.pop("tls", {}), _TLS, problems))
    problems += tls.problems("gateway.tls")
    services_tls = ServicesTlsSettings(
        **_read("gateway.services_tls", stated.pop("services_tls", {}), _SERVICES_TLS, problems)
    )
    dialects: dict[str, Any] = {"bossdb": bossdb, "precomputed": PrecomputedSettings(jpeg)}
    return GatewaySettings(**stated, **dialects, tls=tls, services_tls=services_tls), problems


def settings_to_json(settings: GatewaySettings) -> str:
    """Settings in one line, for `settings_from_json`."""
    document = {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}
    document["bossdb"]["names"] = {"/".join(names): name for names, name in settings.bossdb.names.items()}
    return json.dumps(document)


def settings_from_json(text: str) -> GatewaySettings:
    """Settings out of what `settings_to_json` wrote; those of an empty text are the defaults."""
    return parse_gateway(json.loads(text or "{}"))


def _read(where: str, table: object, readers: Mapping[str, Reader], problems: list[ConfigInvalid]) -> dict[str, Any]:
    """The keys of a table that are known and can be read."""
    if not isinstance(table, Mapping):
        problems.append(_problem(where, f'"{where}" is no table', f"write [{where}]"))
        return {}
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in readers:
            remedy = nearest_key(key, list(readers))
            problems.append(_problem(f"{where}.{key}", f'unknown key "{where}.{key}"', remedy))
            continue
        try:
            found[key] = readers[key](value)
        except ValueError as error:
            problems.append(_problem(f"{where}.{key}", f'"{where}.{key}" {error}', "correct the value"))
    return found


def _entries(
    where: str, table: Mapping[str, Any], read: Callable[[str, Any], Any], problems: list[ConfigInvalid]
) -> Any:
    for key, value in table.items():
        try:
            yield read(key, value)
        except (ValueError, MalformedName) as error:
            problems.append(_problem(f"{where}.{key}", f'"{where}.{key}": {error}', "correct the entry"))


def _entry(key: str, value: Any) -> tuple[Names, str]:
    parts = key.split("/")
    if len(parts) != 3 or not all(map(_BOSS_NAME.fullmatch, parts)):
        raise ValueError("a key is COLLECTION/EXPERIMENT/CHANNEL, each of A-Z a-z 0-9 _ -")
    name, mark, channel = _text(value).partition("#")
    VolumeName.parse(split_version(name)[0])
    if mark and not re.fullmatch("[0-9]{1,6}", channel):
        raise ValueError("what follows # is the number of a channel, from 0")
    return (parts[0], parts[1], parts[2]), value


def _collection(key: str, value: Any) -> tuple[str, str]:
    if not _BOSS_NAME.fullmatch(key):
        raise ValueError("a collection's name is of A-Z a-z 0-9 _ -")
    return key, _group(value)


def _quality(key: str, value: Any) -> tuple[str, int]:
    return str(VolumeName.parse(key)), _whole(1, 100)(value)


def _group(value: Any) -> str:
    try:
        return str(VolumeName.parse(_text(value))) if value != "" else ""
    except MalformedName as error:
        raise ValueError(f"is no name of a group: {error.message}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is no text")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("is no table")
    return value


def _whole(least: int, most: int) -> Reader:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"is no whole number from {least} to {most}")
        return value

    return read


def _one_of(words: Any) -> Reader:
    def read(value: Any) -> str:
        if value not in get_args(words):
            raise ValueError(f"is none of {', '.join(get_args(words))}")
        return str(value)

    return read


_GATEWAY: Mapping[str, Reader] = {
    "cors_origin": _text,
    "threads": _whole(1, 1024),
    "allow_unauthenticated_writes": _truth,
    "metrics_port": _whole(0, 65535),
    "log_format": _one_of(LogFormat),
    "log_level": _one_of(LogLevel),
    "bossdb": _table,
    "precomputed": _table,
    "tls": _table,
    "services_tls": _table,
}
_TLS: Mapping[str, Reader] = {"cert": _text, "key": _text, "client_ca": _text, "require_client_cert": _truth}
_SERVICES_TLS: Mapping[str, Reader] = {
    "enabled": _truth,
    "ca_file": _text,
    "cert_file": _text,
    "key_file": _text,
    "server_name": _text,
}
_BOSSDB: Mapping[str, Reader] = {
    "names": _table,
    "collections": _table,
    "home": _group,
    "max_cutout_bytes": _whole(MIB, 1 << 31),
    "memory_bytes": _whole(MIB, 1 << 40),
}


def _problem(key: str, message: str, remedy: str) -> ConfigInvalid:
    return ConfigInvalid(message, remedy, details={"key": key})
