"""The one place where a server decides who may do what: a registry asks its door before it looks at any remote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, cast

from voxgate.model.access import AccessPolicy, Caller, Role, access_denied
from voxgate.model.downsampling import Downsampling
from voxgate.model.geometry import Box
from voxgate.model.metadata import KeyValues
from voxgate.model.names import VolumeName
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.segments import SegmentIdReservation
from voxgate.model.versions import Versioned
from voxgate.model.volumes import C, Volume, Voxels, Writable
from voxgate_remotes.policy import DescribedVolume
from voxgate_remotes.readonly import NoReservation, ReadOnlyDownsampling, ReadOnlyKeyValues, ReadOnlyVersions, Refusal


@dataclass(frozen=True, slots=True)
class Door:
    """Lets callers do what a policy allows; without one, everything.

    Attributes:
        policy: None where no authentication is configured, and for the server's own work.
    """

    policy: AccessPolicy | None = None

    def check(self, caller: Caller, role: Role, name: VolumeName) -> None:
        """Let a caller do something with a name, whether or not there is anything.

        Raises:
            PermissionDenied, Unauthenticated: alike for what is there and what is not.
        """
        if not self.allows(caller, role, name):
            raise access_denied(caller, role, name)

    def allows(self, caller: Caller, role: Role, name: VolumeName) -> bool:
        """Whether a caller has a role on a name."""
        return self.policy is None or (self.policy.role_on(caller, name) or 0) >= role

    def sees(self, caller: Caller, name: VolumeName) -> bool:
        """Whether a name is listed for a caller."""
        return self.policy is None or self.policy.sees(caller, name)

    def check_sees(self, caller: Caller, name: VolumeName) -> None:
        """Let a caller list what is below a name.

        Raises:
            PermissionDenied, Unauthenticated: as `check`.
        """
        if not self.sees(caller, name):
            raise access_denied(caller, Role.READ, name)

    def is_admin(self, caller: Caller) -> bool:
        """Whether a caller is an administrator of everything. Nobody is where nothing is configured."""
        return self.policy is not None and self.policy.is_admin(caller)

    def volume(self, volume: Volume, caller: Caller, name: VolumeName) -> Volume:
        """An opened volume as far as its caller may use it."""
        if self.allows(caller, Role.WRITE, name):
            return volume
        return _ReadersVolume(volume, _refusal(caller, name))

    def key_values(self, values: KeyValues, caller: Caller, name: VolumeName) -> KeyValues:
        """Metadata as far as its caller may use it."""
        return values if self.allows(caller, Role.WRITE, name) else ReadOnlyKeyValues(values, _refusal(caller, name))


OPEN = Door()


def _refusal(caller: Caller, name: VolumeName) -> Refusal:
    def refuse() -> NoReturn:
        raise access_denied(caller, Role.WRITE, name)

    return refuse


class _NoWrites:
    """Satisfies Writable for who may not."""

    def __init__(self, refuse: Refusal) -> None:
        self._refuse = refuse

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:  # noqa: ARG002  (refuses whatever comes)
        """Refuse."""
        self._refuse()


class _ReadersVolume(DescribedVolume):
    """A volume whose caller may only read it, though its operator lets others write."""

    def __init__(self, inner: Volume, refuse: Refusal) -> None:
        super().__init__(inner, inner.info)
        self._refuse = refuse

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do, and refusals for what changes it."""
        found = super().capability(kind)
        if found is None:
            return None
        if kind is Writable:
            return cast("C", _NoWrites(self._refuse))
        if kind is Versioned:
            return cast("C", ReadOnlyVersions(cast("Versioned", found), self._refuse))
        if kind is Downsampling:
            return cast("C", ReadOnlyDownsampling(cast("Downsampling", found), self._refuse))
        if kind is KeepsProvenance:
            return None
        return cast("C", NoReservation(self._refuse)) if kind is SegmentIdReservation else found
