"""Settings of a server: read once, in its main program. Command line over environment over file over defaults."""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from voxgate.model.errors import ConfigInvalid
from voxgate_serving.logs import LogFormat, LogLevel
from voxgate_serving.tls import TlsFiles, anchored

_TLS = ("cert", "key", "client_ca", "require_client_cert")
"""Keys of `[server.tls]`, which are settings with tls_ in front."""
_LISTENER_FILES = ("cert", "key", "client_ca")
_CLIENT_FILES = ("ca_file", "cert_file", "key_file")

MIB = 1 << 20
MAX_MESSAGE_BYTES = 2 * MIB
"""The largest payload of one message: under gRPC's default limit of 4 MiB, so that no client needs an option."""


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class ServerSettings(BaseSettings):
    """What every server can be told: `[server]` in voxgate.toml, or VOXGATE_<NAME> in the environment."""

    model_config = SettingsConfigDict(env_prefix="VOXGATE_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; beyond loopback only reads are served")
    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 picks a free one")
    health_port: int = Field(50052, ge=0, le=65535, description="gRPC health port; 0 picks a free one")
    http_port: int = Field(8080, ge=0, le=65535, description="port of the HTTP gateway; 0 picks a free one")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of the page of metrics, as Prometheus reads it; 0 picks a free one"
    )
    log_format: LogFormat = Field("json", description="lines of the log as `json` objects, or as `text` for people")
    log_level: LogLevel = Field("info", description="`debug` has a line for every call; `info`, `warning`, `error`")
    config_watch_s: float = Field(
        0.0, ge=0, description="seconds between two looks whether the file changed; 0 waits for SIGHUP"
    )
    workers: int = Field(16, ge=1, description="threads that run calls")
    worker_processes: int = Field(
        default_factory=lambda: min(8, os.cpu_count() or 1),
        ge=0,
        description="processes for meshers that hold Python's lock (0: inline), and at most as many for long work",
    )
    unary_deadline_s: float = Field(120.0, gt=0, description="deadline of a unary call that brings none")
    stream_deadline_s: float = Field(3600.0, gt=0, description="deadline of a stream that brings none")
    grace_s: float = Field(10.0, ge=0, description="how long running calls may finish after SIGTERM")
    memory_budget_bytes: int = Field(1024 * MIB, ge=16 * MIB, description="voxel bytes held by all calls together")
    stream_budget_bytes: int = Field(64 * MIB, ge=4 * MIB, description="voxel bytes held by one stream")
    max_cutout_bytes: int = Field(0, ge=0, description="largest cutout, raw bytes; 0 means no limit")
    max_segment_count: int = Field(10_000, ge=1, description="most segment ids or points in one request")
    max_scan_voxel_count: int = Field(4 * 1024**3, ge=1, description="most voxels one call may search")
    max_skeleton_voxel_count: int = Field(
        512**3, ge=1, description="most voxels around a segment whose skeleton is computed"
    )
    mesh_cache_bytes: int = Field(
        256 * MIB, ge=0, description="finished meshes kept, of volumes that never change; 0 keeps none"
    )
    mesh_address: str = Field("", description='where the Mesh service is; empty means "here"')
    transfer_address: str = Field("", description='where the Transfer and Job services are; empty means "here"')
    volume_address: str = Field("", description='where the Volume service is; empty means "here"')
    http_url: str = Field("", description="where people reach the HTTP gateway; empty means the one started along")
    jobs_url: str = Field(
        "",
        repr=False,
        description='database of jobs, "sqlite:///FILE" or "postgresql://…"; empty is a file of one\'s own',
    )
    jobs_password_file: str = Field(
        "", description="file that has the password of `jobs_url`, such as a mounted secret"
    )
    job_threads: int = Field(
        default_factory=lambda: max(4, min(8, os.cpu_count() or 1)), ge=1, description="blocks of jobs run at once here"
    )
    scheduler: str = Field("", description='Dask scheduler for jobs, "tls://HOST:PORT"; empty runs them here')
    scheduler_tls_ca: str = Field("", description="PEM file of the authorities that the scheduler is believed by")
    scheduler_tls_cert: str = Field("", description="PEM file of this server's certificate for the scheduler")
    scheduler_tls_key: str = Field("", description="PEM file of that certificate's key")
    tls_cert: str = Field("", description="PEM file of the certificate of the gRPC port; empty speaks no TLS")
    tls_key: str = Field("", description="PEM file of that certificate's key")
    tls_client_ca: str = Field(
        "", description="PEM file of the authorities whose certificates let clients in; empty asks for none"
    )
    tls_require_client_cert: bool = Field(
        True, description="refuse clients without a certificate; gRPC knows nothing in between"
    )
    allow_unauthenticated_writes: bool = Field(False, description="take writes beyond loopback; logged")
    tune_allocator: bool = Field(True, description="keep freed memory in the process (see architecture)")
    _is_guarded: bool = PrivateAttr(False)

    @property
    def tls(self) -> TlsFiles:
        """`[server.tls]`."""
        return TlsFiles(self.tls_cert, self.tls_key, self.tls_client_ca, self.tls_require_client_cert)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    @property
    def writes_enabled(self) -> bool:
        """Whether this server takes writes: on loopback, of callers who are told apart, or where its operator says."""
        return self.is_loopback or self._is_guarded or self.allow_unauthenticated_writes

    @property
    def is_guarded(self) -> bool:
        """Whether callers are told apart: there is an `[auth]`."""
        return self._is_guarded

    def guarded(self) -> ServerSettings:
        """The same settings, of a server whose callers are told apart."""
        copied = self.model_copy()
        copied._is_guarded = True
        return copied


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that voxgate.toml says.

    Attributes:
        server: the settings, environment and command line included.
        remotes: the `[remotes]` table as parsed, for voxgate_remotes.config.
        base: the folder that relative paths in the file start from.
        path: the file; None where there is none.
        gateway: the `[gateway]` table as parsed, for voxgate_gateway.settings.
        auth: the `[auth]` table as parsed, for voxgate_serving.auth; None where there is none.
    """

    server: ServerSettings
    remotes: Mapping[str, Any]
    base: Path
    path: Path | None = None
    gateway: Mapping[str, Any] = field(default_factory=dict)
    auth: Any = None


def nearest_key(key: str, known: list[str]) -> str:
    """What to tell whoever wrote an unknown key: the nearest known one, or all of them."""
    match = difflib.get_close_matches(key, known, n=1)
    return f'did you mean "{match[0]}"?' if match else f"known keys are {', '.join(sorted(known))}"


def parse_server(table: object, overrides: Mapping[str, Any]) -> ServerSettings:
    """Settings from the `[server]` table, the environment and `overrides` (of the command line), the last strongest.

    Raises:
        ConfigInvalid: naming the first bad key and what is wrong with it.
    """
    settings, problems = checked_server(table, overrides)
    if settings is None or problems:
        raise problems[0]
    return settings


def checked_server(table: object, overrides: Mapping[str, Any]) -> tuple[ServerSettings | None, list[ConfigInvalid]]:
    """Settings as `parse_server` makes them, None where there can be none, and everything that is wrong.

    Each problem names its key in its message, and as the detail "key".
    """
    if not isinstance(table, Mapping):
        return None, [_problem("server", '"server" is no table', "write [server]")]
    known = list(ServerSettings.model_fields)
    stated, problems = _without_tls_table(table)
    problems += [
        _problem(f"server.{key}", f'unknown key "server.{key}"', nearest_key(key, known))
        for key in stated
        if key not in known
    ]
    try:
        settings = _settings({key: value for key, value in stated.items() if key in known}, overrides)
        return settings, [*problems, *settings.tls.problems("server.tls", can_ask=False)]
    except ValidationError as error:
        for failure in error.errors(include_url=False, include_input=False):
            key = f"server.{'.'.join(map(str, failure['loc']))}"
            problems.append(_problem(key, f'"{key}": {failure["msg"]}', "correct the value"))
        return None, problems


def _without_tls_table(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[ConfigInvalid]]:
    """The `[server]` table with what `[server.tls]` says under the names of the settings, and what is wrong there."""
    stated = {key: value for key, value in table.items() if key != "tls"}
    told = table.get("tls", {})
    if not isinstance(told, Mapping):
        return stated, [_problem("server.tls", '"server.tls" is no table', "write [server.tls]")]
    problems = []
    for key, value in told.items():
        where = f"server.tls.{key}"
        if key not in _TLS:
            problems.append(_problem(where, f'unknown key "{where}"', nearest_key(key, list(_TLS))))
        elif f"tls_{key}" in stated:
            problems.append(_problem(where, f'"{where}" and "server.tls_{key}" say the same', "say it once"))
        else:
            stated[f"tls_{key}"] = value
    return stated, problems


def _settings(stated: dict[str, Any], overrides: Mapping[str, Any]) -> ServerSettings:
    """Settings out of three sources.

    Raises:
        ValidationError.
    """

    class FromFile(ServerSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the base's shape)
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the base's shape)
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, env_settings, _TableSource(settings_cls, stated))

    return FromFile(**overrides)


def _problem(key: str, message: str, remedy: str) -> ConfigInvalid:
    return ConfigInvalid(message, remedy, details={"key": key})


class _TableSource(PydanticBaseSettingsSource):
    """Settings out of an already parsed table."""

    def __init__(self, settings_cls: type[BaseSettings], table: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._table = table

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  (the base's shape)
        return self._table.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._table


def load_configuration(path: Path | None, overrides: Mapping[str, Any]) -> Configuration:
    """Read voxgate.toml (None: defaults and environment only).

    Raises:
        ConfigInvalid: for a file that cannot be read, is not TOML, or has an unknown key.
    """
    document = {} if path is None else read_document(path)
    problems = unknown_tables(document)
    if problems:
        raise problems[0]
    server = parse_server(document.get("server", {}), {k: v for k, v in overrides.items() if v is not None})
    base = Path.cwd() if path is None else path.resolve().parent
    auth = document.get("auth")
    if auth is not None:
        server = server.guarded()
    return Configuration(server, document.get("remotes", {}), base, path, document.get("gateway", {}), auth)


def read_document(path: Path) -> dict[str, Any]:
    """What a voxgate.toml says; files of its TLS that it names by a relative path are beside it.

    Raises:
        ConfigInvalid: for a file that cannot be read, or is not TOML.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"cannot read {path}: {error.strerror}", "name an existing file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path} is not TOML: {error}", "correct the file") from None
    base = path.resolve().parent
    for table, inner, keys in (
        ("server", "tls", _LISTENER_FILES),
        ("gateway", "tls", _LISTENER_FILES),
        ("gateway", "services_tls", _CLIENT_FILES),
    ):
        if isinstance(document.get(table), dict) and inner in document[table]:
            document[table][inner] = anchored(document[table][inner], keys, base)
    flat = tuple(f"tls_{key}" for key in _LISTENER_FILES)
    document |= {"server": anchored(document["server"], flat, base)} if "server" in document else {}
    return document


def unknown_tables(document: Mapping[str, Any]) -> list[ConfigInvalid]:
    """A problem for each key of voxgate.toml that means nothing."""
    known = ["server", "remotes", "gateway", "auth"]
    return [_problem(key, f'unknown key "{key}"', nearest_key(key, known)) for key in document if key not in known]
