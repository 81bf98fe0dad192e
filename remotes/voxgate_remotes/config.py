"""The operator's configuration of remotes: the `remotes` table of voxgate.toml, checked before anything opens.

Only the operator names stores; a caller of a server never makes it open a URI of the caller's choosing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from voxgate.model.errors import ConfigInvalid, MalformedName
from voxgate.model.names import VolumeName

StoreFormat = Literal["", "precomputed", "zarr2", "zarr3"]
"""A format of voxels on disk; empty leaves the choice to the remote, which creates "zarr3"."""

_AXES = frozenset("tczyx")
_FORMAT_PREFIXES = ("precomputed://", "zarr://", "zarr2://", "zarr3://", "n5://")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=:)")
_BOTH = "what this remote may write can change: state writable or immutable, not both"
_DISK_BYTES = 10 << 30
_Nanometres = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VolumeOverrides(BaseModel):
    """What the files of one volume do not say. A stated value that contradicts the store is an error at open.

    Attributes:
        kind: "image" or "segmentation".
        axes: the axes of a bare Zarr array in its own order, e.g. "zyx", "czyx" or "xyz".
        voxel_size_nm: nanometres of a voxel of the finest scale: x, y, z.
        voxel_offset: global coordinates of the first voxel of the finest scale: x, y, z.
        absent_chunks: "fill": an absent chunk has the fill value. "error": the volume is complete, a read of an absent
            chunk fails.
        immutable: whether nobody ever changes it again, neither here nor elsewhere; false says nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image", "segmentation"] | None = None
    axes: str | None = None
    voxel_size_nm: tuple[_Nanometres, _Nanometres, _Nanometres] | None = None
    voxel_offset: tuple[int, int, int] | None = None
    absent_chunks: Literal["fill", "error"] = "fill"
    immutable: bool = False

    @field_validator("axes")
    @classmethod
    def _names_axes(cls, axes: str | None) -> str | None:
        if axes is not None and (len(set(axes)) != len(axes) or not {"x", "y"} <= set(axes) <= _AXES):
            raise ValueError("name each axis once, of t c z y x, with x and y among them")
        return axes


class TuningConfig(BaseModel):
    """How the operator wants a store to be read; what is not stated stays as the adapter declares it.

    Attributes:
        parallel_reads: reads at a time.
        request_bytes: about how many raw bytes one read should have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parallel_reads: Annotated[int, Field(ge=1, le=64)] | None = None
    request_bytes: Annotated[int, Field(ge=1 << 12, le=1 << 30)] | None = None


class CacheConfig(BaseModel):
    """What is kept of a store that is far away, so that it is asked once.

    Attributes:
        memory_bytes: of stored chunks in memory; 0 keeps none there.
        disk: a folder for more of them, which survive a restart; empty for none.
        disk_bytes: of all files that are kept there for this remote.
        ttl_s: how long what may change is believed; 0 keeps only what never changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_bytes: Annotated[int, Field(ge=0)] = 256 << 20
    disk: str = ""
    disk_bytes: Annotated[int, Field(ge=1 << 20)] = _DISK_BYTES
    ttl_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0

    @model_validator(mode="after")
    def _keeps_something(self) -> CacheConfig:
        if self.disk_bytes != _DISK_BYTES and not self.disk:
            raise ValueError("disk_bytes needs a folder: state disk too")
        if not self.memory_bytes and not self.disk:
            raise ValueError("nothing would be kept: state memory_bytes or disk, or leave the cache out")
        return self


class CredentialsConfig(BaseModel):
    """What proves to a store who asks; never part of a URI, never shown.

    Attributes:
        token: the token itself.
        token_env: or the environment variable that has it.
        token_file: or the file that has it, such as a mounted secret; read again for every new connection.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr | None = None
    token_env: str = ""
    token_file: str = ""

    @model_validator(mode="after")
    def _says_it_once(self) -> CredentialsConfig:
        if sum(map(bool, (self.token, self.token_env, self.token_file))) > 1:
            raise ValueError("state one of token, token_env and token_file")
        return self


class RemoteConfig(BaseModel):
    """One configured store.

    Attributes:
        uri: where it is; the scheme chooses the adapter: `file:///data/fib25`, `memory://`, `procedural://`.
        writable: whether volumes can be written and created; without it the remote is read-only.
        format: what new volumes are, where their creator leaves the choice.
        deletable: whether volumes can be deleted, too.
        immutable: whether nobody ever changes any of its volumes again, neither here nor elsewhere; false says nothing.
            Cannot be stated together with `writable`, of single volumes neither.
        options: options of the adapter; an unknown one is an error.
        credentials: what proves to the store who asks.
        tuning: how the store is read, where the adapter's own numbers do not fit.
        cache: what is kept of it here; None keeps nothing.
        volumes: statements about single volumes by their path in the remote ("" is the remote's root).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    writable: bool = False
    deletable: bool = False
    immutable: bool = False
    format: StoreFormat = ""
    options: dict[str, str | int | float | bool] = {}
    credentials: CredentialsConfig = CredentialsConfig()
    tuning: TuningConfig = TuningConfig()
    cache: CacheConfig | None = None
    volumes: dict[str, VolumeOverrides] = {}

    @field_validator("uri")
    @classmethod
    def _has_scheme(cls, uri: str) -> str:
        if not _SCHEME.match(uri):
            raise ValueError('state a scheme, e.g. "file:///data/fib25"')
        return uri

    @field_validator("immutable")
    @classmethod
    def _changes_nothing(cls, immutable: bool, info: ValidationInfo) -> bool:
        if immutable and info.data.get("writable"):
            raise ValueError(_BOTH)
        return immutable

    @field_validator("volumes")
    @classmethod
    def _names_volumes(cls, volumes: dict[str, VolumeOverrides], info: ValidationInfo) -> dict[str, VolumeOverrides]:
        for path, stated in volumes.items():
            _segments(path)
            if stated.immutable and info.data.get("writable"):
                raise ValueError(f"{path!r}: {_BOTH}")
        return volumes

    def overrides(self, path: tuple[str, ...]) -> VolumeOverrides:
        """What the operator states about the volume at these decoded name segments."""
        for key, stated in self.volumes.items():
            if _segments(key) == path:
                return stated
        return VolumeOverrides()


class RemotesConfig(BaseModel):
    """All configured stores by name; a name is of a-z 0-9 -."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    remotes: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], RemoteConfig] = {}

    def without_writes(self) -> RemotesConfig:
        """The same stores, none of them writable: what a server serves that takes no writes at all."""
        return RemotesConfig(
            remotes={name: remote.model_copy(update={"writable": False}) for name, remote in self.remotes.items()}
        )


def parse_remotes(table: Mapping[str, object], base: Path) -> RemotesConfig:
    """Check the `remotes` table of a configuration file.

    Args:
        table: remote name -> its keys, as TOML parses them.
        base: the folder that relative paths in `uri` start from: the configuration file's.

    Raises:
        ConfigInvalid: names the path of the first bad key, and the nearest known one for an unknown key.
    """
    remotes, problems = checked_remotes(table, base)
    if problems:
        raise problems[0]
    return RemotesConfig(remotes=remotes)


def checked_remotes(table: object, base: Path) -> tuple[dict[str, RemoteConfig], list[ConfigInvalid]]:
    """The good remotes of a table, see `parse_remotes`, and everything that is wrong with the others.

    Each problem names its key in its message, and as the detail "key".
    """
    if not isinstance(table, Mapping):
        return {}, [_problem("remotes", "bad value at remotes: it is no table", "write [remotes.NAME]")]
    good: dict[str, RemoteConfig] = {}
    problems: list[ConfigInvalid] = []
    for name, remote in table.items():
        try:
            checked = RemotesConfig.model_validate({"remotes": {name: _from_base(remote, base)}})
        except ValidationError as error:
            problems += _explained(error)
        else:
            good.update(checked.remotes)
    return good, problems


def remote_for_path(path_or_uri: str) -> tuple[str, RemoteConfig]:
    """A read-only remote for a folder, file or URI of the command line, named after its last part.

    Raises:
        ConfigInvalid: when a local folder or file does not exist.
    """
    config = RemoteConfig(uri=canonical_uri(path_or_uri, Path.cwd()))
    parts = urlsplit(config.uri)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if not (path.is_dir() or path.is_file()):
            raise ConfigInvalid(f"{path_or_uri} is not a folder or file", "name an existing one, or a URI")
    return remote_name(unquote(parts.path) or parts.netloc or parts.scheme, parts.scheme), config


def canonical_uri(text: str, base: Path) -> str:
    """The URI of a store as adapters expect it: plain paths become `file:///…`, format prefixes are dropped.

    A path is kept as it is written (symbolic links stay), made absolute from `base`.
    """
    for prefix in _FORMAT_PREFIXES:
        text = text.removeprefix(prefix)
    text = text.partition("|")[0]
    scheme = _SCHEME.match(text)
    if scheme and scheme.group() != "file":
        return text
    path = unquote(text.removeprefix("file:").removeprefix("//")) if scheme else text
    absolute = (base / Path(path).expanduser()).absolute()
    return "file://" + quote(str(absolute), safe="/~+")


def caller_uri(text: str) -> str:
    """The canonical URI of what a caller named; empty for a relative path, which means nothing to a server."""
    bare = text.partition("|")[0]
    for prefix in _FORMAT_PREFIXES:
        bare = bare.removeprefix(prefix)
    if not bare.startswith("/") and not _SCHEME.match(bare):
        return ""
    return canonical_uri(bare, Path("/"))


def _from_base(remote: object, base: Path) -> object:
    """A remote's table with what is relative in it made absolute."""
    if not isinstance(remote, Mapping):
        return remote
    table = dict(remote)
    if isinstance(table.get("uri"), str):
        table["uri"] = canonical_uri(table["uri"], base)
    cache = table.get("cache")
    if isinstance(cache, Mapping) and isinstance(cache.get("disk"), str) and cache["disk"]:
        table["cache"] = {**cache, "disk": str((base / Path(cache["disk"]).expanduser()).absolute())}
    return table


def _segments(path: str) -> tuple[str, ...]:
    """The decoded segments of a key of `volumes`."""
    if path in ("", "."):
        return ()
    try:
        return VolumeName.parse(f"x/{path}").segments
    except MalformedName as error:
        raise ValueError(f"{path!r} is not the path of a volume: {error.remedy}") from None


def remote_name(path: str, otherwise: str) -> str:
    """A valid remote name made from the last part of a path, or else `otherwise`."""
    last = path.rstrip("/").rpartition("/")[2].lower()
    name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\.(ome\.)?zarr$|\.precomputed$", "", last)).strip("-")
    return name or otherwise


def dotted(*parts: str) -> str:
    """The path of a key as TOML writes it: quoted where it has to be."""
    return ".".join(part if _BARE_KEY.fullmatch(part) else json.dumps(part) for part in parts)


def _explained(error: ValidationError) -> list[ConfigInvalid]:
    """The failures in the operator's words, one for each key."""
    problems: dict[str, ConfigInvalid] = {}
    for failure in error.errors(include_url=False, include_input=False):
        where = [str(part) for part in failure["loc"] if part != "[key]"]
        if where[2:3] == ["options"]:  # pydantic goes on with the types that it tried
            where = where[:4]
        key = dotted(*where)
        if failure["type"] == "extra_forbidden":
            model = _PARTS.get(where[2], RemoteConfig) if len(where) > 3 else RemoteConfig  # remotes.NAME.PART.KEY
            found = _problem(key, f"unknown key {key}", nearest(where[-1], model.model_fields))
        else:
            is_option = where[2:3] == ["options"] and len(where) == 4
            what = "give a text, a number, true or false" if is_option else failure["msg"].removeprefix("Value error, ")
            found = _problem(key, f"bad value at {key}: {what}", "correct the configuration")
        problems.setdefault(key, found)
    return list(problems.values())


_PARTS: dict[str, type[BaseModel]] = {
    "volumes": VolumeOverrides,
    "credentials": CredentialsConfig,
    "tuning": TuningConfig,
    "cache": CacheConfig,
}


def _problem(key: str, message: str, remedy: str) -> ConfigInvalid:
    return ConfigInvalid(message, remedy, details={"key": key})


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy for an unknown word: the nearest known one, or all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(words) or 'none'}"
