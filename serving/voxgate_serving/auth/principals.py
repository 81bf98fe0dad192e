"""Who a caller is. Anonymous until authentication is configured; everything durable is owned by a Principal already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import grpc

from voxgate.model.access import Caller, not_proven

Method = Literal["open", "none", "token", "jwt"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    Attributes:
        name: owns jobs and scopes request ids.
        groups: whose member they are.
        method: what proved it; "none" for nothing, "open" where no authentication is configured.
    """

    name: str
    groups: frozenset[str] = frozenset()
    method: Method = "open"

    @property
    def caller(self) -> Caller:
        """The same as a policy is asked about."""
        return Caller(self.name, self.groups, is_proven=self.method not in ("open", "none"))


ANONYMOUS = Principal("anonymous")
NOBODY = Principal("anonymous", method="none")
"""Who proves nothing, where others do."""


def current_principal(context: grpc.ServicerContext) -> Principal:
    """The caller of a running call."""
    principal = getattr(context, "principal", ANONYMOUS)
    return principal if isinstance(principal, Principal) else ANONYMOUS


def owner_of(context: grpc.ServicerContext) -> str:
    """In whose name a running call makes and keeps things.

    Raises:
        Unauthenticated: for who proves nothing where others do: what one of them made, all of them would have.
    """
    principal = current_principal(context)
    if principal.method == "none":
        raise not_proven()
    return principal.name
