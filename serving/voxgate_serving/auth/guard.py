"""What a server does with `[auth]`: made from a configuration, handed to the server and to its registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from voxgate.model.access import AccessPolicy
from voxgate_serving.auth.audit import AuditLog
from voxgate_serving.auth.authenticator import Authenticator
from voxgate_serving.auth.settings import parse_auth


@dataclass(frozen=True, slots=True)
class Guard:
    """Whom a server lets do what.

    Attributes:
        authenticator: says who asks.
        policy: says what they may.
        audit: notes what they change.
    """

    authenticator: Authenticator
    policy: AccessPolicy
    audit: AuditLog


class Stated(Protocol):
    """A configuration; see `voxgate_serving.settings.Configuration`."""

    @property
    def auth(self) -> Any:
        """The `[auth]` table as parsed; None where there is none."""
        ...

    @property
    def base(self) -> Path:
        """The folder that relative paths in it start from."""
        ...


def guard_of(configuration: Stated) -> Guard | None:
    """The guard that a configuration states; None where it has no `[auth]`.

    Raises:
        ConfigInvalid: for an `[auth]` that means nothing.
    """
    if configuration.auth is None:
        return None
    settings = parse_auth(configuration.auth)
    audit = AuditLog(configuration.base / settings.audit_file if settings.audit_file else None)
    return Guard(settings.authenticator(configuration.base), settings.policy(), audit)


def policy_of(configuration: Stated) -> AccessPolicy | None:
    """Who may do what, as a configuration states it; None where it has no `[auth]`.

    Raises:
        ConfigInvalid: for an `[auth]` that means nothing.
    """
    return None if configuration.auth is None else parse_auth(configuration.auth).policy()
