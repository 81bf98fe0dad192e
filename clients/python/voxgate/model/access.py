"""Who may do what with which volume: callers, roles, and the question that a policy answers. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from voxgate.model.errors import PermissionDenied, Unauthenticated, VoxgateError
from voxgate.model.names import VolumeName


class Role(enum.IntEnum):
    """What somebody may do; each includes those before it."""

    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: empty where nobody said.
        groups: whose member they are.
        is_proven: whether they proved it; nobody does where no authentication is configured.
    """

    name: str = ""
    groups: frozenset[str] = frozenset()
    is_proven: bool = False


class AccessPolicy(Protocol):
    """Says who may do what. Thread-safe; looks at names only, so that it answers alike for what is not there."""

    def role_on(self, caller: Caller, name: VolumeName) -> Role | None:
        """The highest role that the caller has on a name; None for none."""
        ...

    def sees(self, caller: Caller, name: VolumeName) -> bool:
        """Whether the caller may read what is at a name, or anything below it."""
        ...

    def is_admin(self, caller: Caller) -> bool:
        """Whether the caller is an administrator of everything."""
        ...


def access_denied(caller: Caller, role: Role, name: VolumeName) -> VoxgateError:
    """The refusal of a role on a name: the same whether or not there is anything of that name."""
    if not caller.is_proven:
        return not_proven()
    return PermissionDenied(
        f'{caller.name} may not {role.name.lower()} "{name}"',
        "ask the operator of the server for a grant",
        details={"role": role.name.lower(), "name": str(name)},
    )


def not_proven(cause: str = "NO_CREDENTIALS") -> Unauthenticated:
    """The refusal of somebody who did not say who they are."""
    return Unauthenticated(
        "this needs to know who asks",
        'send a token: connect(token=…), VOXGATE_TOKEN, "voxgate login", or the header "Authorization: Bearer TOKEN"',
        details={"cause": cause},
    )
