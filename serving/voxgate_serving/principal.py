"""Who a caller is. Anonymous until authentication is configured; everything durable is owned by a Principal already."""

from __future__ import annotations

from dataclasses import dataclass

import grpc


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. `name` owns jobs and scopes request ids."""

    name: str


ANONYMOUS = Principal("anonymous")


def current_principal(context: grpc.ServicerContext) -> Principal:
    """The caller of a running call."""
    principal = getattr(context, "principal", ANONYMOUS)
    return principal if isinstance(principal, Principal) else ANONYMOUS
