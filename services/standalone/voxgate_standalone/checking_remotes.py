"""What is wrong with one remote of a configuration: its adapter, its credentials, its store, its volumes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voxgate.model.errors import (
    ConfigContradictsStore,
    ConfigInvalid,
    MalformedName,
    MissingCapability,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.volumes import CallContext, OpenOptions
from voxgate_remotes.assembling import ENTRY_POINT_GROUP
from voxgate_remotes.config import RemoteConfig, RemotesConfig, VolumeOverrides, dotted, nearest
from voxgate_remotes.formats import file_format
from voxgate_remotes.http.tokens import token_of
from voxgate_remotes.registry import Registry


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    Attributes:
        key: the path of the key in the file.
        message: what is wrong with it; never a secret.
        remedy: what to do about it.
    """

    key: str
    message: str
    remedy: str = ""


def made(name: str, config: RemoteConfig) -> tuple[Registry | None, list[Problem]]:
    """A registry of one remote alone, or None, and what is wrong with its adapter and options. Connects to nothing."""
    missing = _missing_module(config)
    if missing is not None:
        return None, [Problem(dotted("remotes", name, "uri"), *missing)]
    problems: list[Problem] = []
    options = dict(config.options)
    while True:
        try:
            kept = config.model_copy(update={"options": options})
            registry = Registry.from_config(RemotesConfig(remotes={name: kept}))
        except Exception as error:  # noqa: BLE001  (an adapter may be anybody's)
            blamed = next((key for key in options if _names(error, key)), None)
            place = ("uri",) if blamed is None else ("options", blamed)
            problems.append(_of_error(_key_in(error) or dotted("remotes", name, *place), error))
            if blamed is None:
                return None, problems
            del options[blamed]
        else:
            return None if problems else registry, problems


def _key_in(error: Exception) -> str:
    """The key that a complaint names by itself; empty where it names none."""
    return error.details.get("key", "") if isinstance(error, VoxgateError) else ""


def _names(error: Exception, option: str) -> bool:
    """Whether an adapter's complaint is about an option."""
    return any(said in str(error) for said in (repr(option), f"options.{option}"))


def _missing_module(config: RemoteConfig) -> tuple[str, str] | None:
    """What the adapter of a remote lacks to be loaded, and what to install; None where there is no such trouble."""
    scheme = config.uri.partition(":")[0]
    for point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
        try:
            point.load()
        except ImportError as error:
            module = error.name or "a module"
            wanted = f"{point.dist.name}[{','.join(point.extras)}]" if point.dist and point.extras else module
            return f"the adapter for {scheme}: needs {module}, which is not installed", f"pip install '{wanted}'"
        except Exception:  # noqa: BLE001  (the registry says it in its own words)
            return None
    return None


@dataclass(frozen=True, slots=True)
class Subject:
    """A remote that is looked at.

    Attributes:
        name: in the file.
        config: what the file says of it.
        registry: has this remote alone.
        context: how long its store may take.
    """

    name: str
    config: RemoteConfig
    registry: Registry
    context: CallContext

    def open(self, path: str, stated: VolumeOverrides | None = None) -> None:
        """Open a volume by its key in the table of volumes, as the file says or with other statements.

        Raises:
            VoxgateError.
        """
        registry = self.registry
        if stated is not None:
            config = self.config.model_copy(update={"volumes": {path: stated}})
            registry = Registry.from_config(RemotesConfig(remotes={self.name: config}))
        registry.open(self.full_name(path), OpenOptions(context=self.context))

    def full_name(self, path: str) -> str:
        """The full name of a volume by its key in the table of volumes."""
        return self.name if path in ("", ".") else f"{self.name}/{path}"

    def list(self, parent: str) -> list[str]:
        """The last parts of the names right under a group.

        Raises:
            VoxgateError.
        """
        entries = self.registry.for_caller(self.context).list(parent)
        return [entry.name.rpartition("/")[2] for entry in entries]


def look_at(subject: Subject, problems: list[Problem]) -> bool:
    """Look whether a store is there and what is stated about its volumes; whether it answers.

    Args:
        subject: the remote.
        problems: grows while this looks, so that what is known is not lost when the time is over.
    """
    trouble = next(_reaching(subject), None)
    if trouble is not None:
        problems.append(trouble)
        return False
    for path in subject.config.volumes:
        problems.extend(_of_volume(subject, path))
    return True


def _no_store(key: str, path: Path) -> Iterator[Problem]:
    """What keeps a path from being a folder of volumes, or a file with some."""
    if path.is_file():
        if file_format(path) is None:
            yield Problem(key, f"{path} is in no format that holds volumes", "name a folder, or an HDF5 or TIFF file")
    elif not path.is_dir():
        yield Problem(key, f"there is no folder {path}", _nearest_folder(path))


def _reaching(subject: Subject) -> Iterator[Problem]:
    """Why a store cannot be used at all: no token, no folder, no answer."""
    name, config = subject.name, subject.config
    try:
        token_of(config.credentials)
    except ConfigInvalid as error:
        stated = next((key for key in ("token_env", "token_file") if getattr(config.credentials, key)), "token")
        yield _of_error(dotted("remotes", name, "credentials", stated), error)
    key = dotted("remotes", name, "uri")
    parts = urlsplit(config.uri)
    if parts.scheme == "file":
        yield from _no_store(key, Path(unquote(parts.path)))
    try:
        subject.list(name)
    except (UnknownVolume, MalformedName, MissingCapability):
        pass  # it answers, though it lists nothing
    except Exception as error:  # noqa: BLE001  (an adapter may be anybody's)
        yield _of_error(key, error)


def _nearest_folder(folder: Path) -> str:
    try:
        names = [each.name for each in folder.parent.iterdir() if each.is_dir()]
    except OSError:
        names = []
    close = difflib.get_close_matches(folder.name, names, n=1)
    return f"did you mean {close[0]}?" if close else "correct the uri, or mount it"


def _of_volume(subject: Subject, path: str) -> list[Problem]:
    """What is wrong with the statements about one volume."""
    key = dotted("remotes", subject.name, "volumes", path)
    try:
        subject.open(path)
    except UnknownVolume:
        return [Problem(key, "there is no such volume in the remote", _nearest_volume(subject, path))]
    except (ConfigContradictsStore, ConfigInvalid) as error:
        found = [Problem(f"{key}.{each}", why.message, why.remedy) for each, why in _blamed(subject, path)]
        return found or [_of_error(key, error)]
    except Exception as error:  # noqa: BLE001  (an adapter may be anybody's)
        return [_of_error(key, error)]
    return []


def _blamed(subject: Subject, path: str) -> Iterator[tuple[str, VoxgateError]]:
    """Which statements about a volume are refused, each by itself; with the axes, which others may need to be read."""
    overrides = subject.config.volumes[path]
    stated = {key: getattr(overrides, key) for key in overrides.model_fields_set}
    axes = {"axes": stated["axes"]} if "axes" in stated else {}
    for key in sorted(stated, key=lambda key: (key != "axes", key)):
        try:
            subject.open(path, VolumeOverrides(**{**axes, key: stated[key]}))
        except (ConfigContradictsStore, ConfigInvalid) as error:
            yield key, error
            if key == "axes":
                axes = {}  # else they would be blamed again for each of the others
        except VoxgateError:
            pass  # without the other statements it does not open at all: nothing is learned


def _nearest_volume(subject: Subject, path: str) -> str:
    """What there is beside a volume that is not there."""
    parent, _, last = subject.full_name(path).rpartition("/")
    try:
        names = subject.list(parent) if parent else []
    except VoxgateError:
        names = []
    return nearest(last, names) if names else "correct the path, or remove the table"


def _of_error(key: str, error: Exception) -> Problem:
    if isinstance(error, VoxgateError):
        return Problem(key, error.message, error.remedy)
    return Problem(key, f"its adapter failed: {type(error).__name__}", "repair or remove it")
