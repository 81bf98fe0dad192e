"""Grants: who has which role on which names, as an operator states them. Closed to everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.model.access import Caller, Role
from voxgate.model.errors import ConfigInvalid, MalformedName
from voxgate.model.names import VolumeName

ANYONE = "anyone"
AUTHENTICATED = "authenticated"
EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a name and all below it.

    Attributes:
        who: "user:NAME", "group:NAME", "anyone" (also who proves nothing) or "authenticated".
        role: and those that it includes.
        on: a name, decoded; None means everything.
    """

    who: str
    role: Role
    on: VolumeName | None

    @staticmethod
    def parse(who: str, role: str, on: str) -> Grant:
        """A grant from its words.

        Raises:
            ConfigInvalid: for words that mean nothing.
        """
        kind, colon, name = who.partition(":")
        if who not in (ANYONE, AUTHENTICATED) and not (colon and name and kind in ("user", "group")):
            raise ConfigInvalid(f'"{who}" is nobody', 'write "user:NAME", "group:NAME", "authenticated" or "anyone"')
        if role.upper() not in Role.__members__ or role != role.lower():
            raise ConfigInvalid(f'"{role}" is no role', 'write "read", "write" or "admin"')
        if who == ANYONE and role == "admin":
            raise ConfigInvalid("anyone cannot be an administrator", "name users or groups")
        try:
            place = None if on == EVERYTHING else VolumeName.parse(on)
        except MalformedName:
            raise ConfigInvalid(f'"{on}" is no name', 'write "REMOTE", "REMOTE/PATH" or "*"') from None
        return Grant(who, Role[role.upper()], place)

    def is_for(self, caller: Caller) -> bool:
        """Whether the caller is meant."""
        if self.who == ANYONE:
            return True
        if not caller.is_proven:
            return False
        kind, _, name = self.who.partition(":")
        return self.who == AUTHENTICATED or (caller.name == name if kind == "user" else name in caller.groups)

    def covers(self, name: VolumeName) -> bool:
        """Whether a name is the stated one, or below it."""
        return self.on is None or _is_at_or_below(name, self.on)


@dataclass(frozen=True, slots=True)
class Grants:
    """All grants of a server; satisfies AccessPolicy."""

    grants: Sequence[Grant]

    def role_on(self, caller: Caller, name: VolumeName) -> Role | None:
        """The highest role that any grant gives; see AccessPolicy."""
        return max((each.role for each in self.grants if each.covers(name) and each.is_for(caller)), default=None)

    def sees(self, caller: Caller, name: VolumeName) -> bool:
        """Whether a grant is on the name, above it or below it; see AccessPolicy."""
        return any(
            (each.on is None or each.covers(name) or _is_at_or_below(each.on, name)) and each.is_for(caller)
            for each in self.grants
        )

    def is_admin(self, caller: Caller) -> bool:
        """Whether a grant gives "admin" on everything; see AccessPolicy."""
        return any(each.on is None and each.role is Role.ADMIN and each.is_for(caller) for each in self.grants)


def _is_at_or_below(name: VolumeName, place: VolumeName) -> bool:
    return name.remote == place.remote and name.segments[: len(place.segments)] == place.segments
