"""Remotes as a server's configuration states them, and those of the next configuration in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from voxgate_remotes.config import RemotesConfig, parse_remotes
from voxgate_remotes.registry import Registry, RemotesChange


class Stated(Protocol):
    """A configuration; see `voxgate_serving.settings.Configuration`."""

    @property
    def remotes(self) -> Mapping[str, Any]:
        """The `[remotes]` table as parsed."""
        ...

    @property
    def base(self) -> Path:
        """The folder that relative paths in it start from."""
        ...


Adopt = Callable[[Stated], RemotesChange]
"""Serves the remotes of a configuration from now on; raises ConfigInvalid or UnknownScheme, and changes nothing."""


def open_registry(configuration: Stated, *, writes_enabled: bool) -> tuple[Registry, Adopt]:
    """The remotes of a configuration, and what exchanges them for those of another.

    Args:
        configuration: states them.
        writes_enabled: whether the server takes writes; without that no remote is writable, whatever is stated, also
            in a later configuration.

    Raises:
        ConfigInvalid, UnknownScheme: for remotes that cannot be made.
    """

    def allowed(stated: Stated) -> RemotesConfig:
        remotes = parse_remotes(stated.remotes, stated.base)
        return remotes if writes_enabled else remotes.without_writes()

    registry = Registry.from_config(allowed(configuration))
    return registry, lambda stated: registry.adopt(allowed(stated))
