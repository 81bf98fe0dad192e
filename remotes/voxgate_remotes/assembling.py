"""The remotes of a configuration, each made by its adapter and put behind what its operator wants before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from voxgate.model.errors import ConfigInvalid, UnknownScheme
from voxgate.model.remotes import Remote
from voxgate_remotes.caching import CachedRemote
from voxgate_remotes.config import RemoteConfig, RemotesConfig, nearest
from voxgate_remotes.observed import ObservedRemote
from voxgate_remotes.policy import GovernedRemote
from voxgate_remotes.traffic import Traffic

ENTRY_POINT_GROUP = "voxgate.remotes"
"""Adapters are plug-ins: an entry point named after a URI scheme, a class that takes a RemoteConfig."""


class RemoteFactory(Protocol):
    """What an entry point of ENTRY_POINT_GROUP is."""

    def __call__(self, config: RemoteConfig) -> Remote:
        """Make the remote; opens nothing that takes long. Raises ConfigInvalid for a bad option."""
        ...


@dataclass(frozen=True, slots=True)
class Assembled:
    """One remote as it is served.

    Attributes:
        config: what its operator says of it.
        remote: as callers may use it.
        traffic: what is asked of its store.
        cache: what is kept of it; None where nothing is.
        life: greater than that of every remote that had this name before.
    """

    config: RemoteConfig
    remote: Remote
    traffic: Traffic
    cache: CachedRemote | None = None
    life: int = 0


def assemble(config: RemotesConfig, before: Mapping[str, Assembled], life: int) -> dict[str, Assembled]:
    """Make every configured remote, importing only the adapters whose scheme is used.

    Args:
        config: the remotes.
        before: those that are served already: one whose configuration is the same stays as it is.
        life: of those that are made.

    Raises:
        UnknownScheme: names the known ones.
        ConfigInvalid: when an adapter refuses its options or cannot be loaded, or when a remote in memory would lose
            what it holds; then everything is as it was.
    """
    known: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        known.setdefault(point.name, []).append(point)
    made = {}
    for name, one in config.remotes.items():
        there = before.get(name)
        made[name] = there if there and there.config == one else _assembled(name, one, known, there, life)
    return made


def _assembled(
    name: str, config: RemoteConfig, known: Mapping[str, Sequence[EntryPoint]], before: Assembled | None, life: int
) -> Assembled:
    if before is not None and scheme_of(before.config) == "memory":
        raise ConfigInvalid(
            f"remotes.{name}: what it holds is in memory and would be lost with any change",
            "restart the server, or leave it as it was",
            details={"key": f"remotes.{name}"},
        )
    traffic = Traffic(name) if before is None else before.traffic
    inner = ObservedRemote(_made(name, config, known), traffic)
    cache = CachedRemote(name, inner, config) if config.cache else None
    return Assembled(config, GovernedRemote(cache or inner, config), traffic, cache, life)


def _made(name: str, config: RemoteConfig, known: Mapping[str, Sequence[EntryPoint]]) -> Remote:
    scheme = scheme_of(config)
    if scheme not in known:
        raise UnknownScheme(f"remotes.{name}.uri: no adapter serves {scheme}:", nearest(scheme, known))
    values = sorted({point.value for point in known[scheme]})
    if len(values) > 1:
        raise ConfigInvalid(
            f"remotes.{name}.uri: several adapters serve {scheme}: ({', '.join(values)})", "uninstall all but one"
        )
    try:
        factory = cast("RemoteFactory", known[scheme][0].load())
    except Exception as error:  # noqa: BLE001  (whatever a plug-in does while it is imported)
        raise ConfigInvalid(
            f"remotes.{name}: the adapter for {scheme}: ({values[0]}) cannot be loaded: "
            f"{type(error).__name__}: {error}",
            "install what it needs, or repair it",
        ) from None
    return factory(config)


def scheme_of(config: RemoteConfig) -> str:
    """The scheme of a remote's URI, which says whose adapter it is."""
    return config.uri.partition(":")[0]
