"""What an array answers about versions: which there are, closing one, and going on from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self, overload

from voxgate.client.remote_versions import OpensVersions
from voxgate.client.segmented import SegmentedArray
from voxgate.model.errors import MissingCapability
from voxgate.model.versions import Versioned, VersionInfo
from voxgate.model.volumes import Volume

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Versions(Sequence[VersionInfo]):
    """The versions of a volume, parents before their children: a sequence of VersionInfo.

    Attributes:
        infos: one for each version.
        current: the version of the array that was asked.
    """

    infos: tuple[VersionInfo, ...]
    current: str = ""

    @overload
    def __getitem__(self, index: int) -> VersionInfo: ...

    @overload
    def __getitem__(self, index: slice) -> Versions: ...

    def __getitem__(self, index: int | slice) -> VersionInfo | Versions:
        return Versions(self.infos[index], self.current) if isinstance(index, slice) else self.infos[index]

    def __len__(self) -> int:
        return len(self.infos)

    def __iter__(self) -> Iterator[VersionInfo]:
        return iter(self.infos)

    def __repr__(self) -> str:
        left_out = len(self) - _SHOWN
        lines = [f"<{len(self)} versions, * is the array's>"]
        if left_out > 0:
            lines.append(f"  … {left_out} older")
        return "\n".join((*lines, *(self._line(info) for info in self.infos[-_SHOWN:])))

    def _line(self, info: VersionInfo) -> str:
        mark = "*" if info.version == self.current else " "
        state = "committed" if info.is_committed else "open"
        facts = (info.version, state, info.branch or "(main)", info.created, info.note)
        return " ".join((mark, *filter(None, facts)))


@dataclass(frozen=True, slots=True)
class _TimesAt:
    """Opens a volume at a version and a time index; may be pickled."""

    volume: OpensVersions
    version: str

    def __call__(self, index: int) -> Volume:
        return self.volume.at_version(self.version, time_index=index)


class VersionedArray(SegmentedArray):
    """The part of VolumeArray that speaks of versions."""

    __slots__ = ()

    @property
    def version(self) -> str:
        """The version that this array is bound to, as its store names it in full; empty where there are none."""
        return self.info.resolved_version

    def versions(self) -> Versions:
        """Every version of the volume, parents before their children.

        Raises:
            MissingCapability: when the store keeps no versions.
        """
        return Versions(tuple(self._history().versions()), self.version)

    def commit(self, note: str) -> Self:
        """Close this array's version for good: its voxels can never change again.

        Args:
            note: what is to be said of it.

        Returns:
            The same volume at the same version, closed. Repeating it changes nothing.

        Raises:
            ReadOnly, MissingCapability.
        """
        history, opens = self._history(), self._opens()
        return self._at(opens, history.commit(note))

    def new_version(self, note: str) -> Self:
        """Open a child of this array's version, which is closed, on the same branch. Not to be repeated.

        Args:
            note: what is to be said of it.

        Returns:
            The same volume at the new version, ready to be written to.

        Raises:
            FailedPrecondition: when this version is still open, or has a child on its branch already.
            ReadOnly, MissingCapability.
        """
        history, opens = self._history(), self._opens()
        return self._at(opens, history.new_version(note))

    def new_branch(self, name: str, note: str) -> Self:
        """Open a child of this array's version, which is closed, on a new branch.

        Args:
            name: of the branch.
            note: what is to be said of the new version.

        Returns:
            The same volume at the new version, ready to be written to.

        Raises:
            AlreadyExists: when there is a branch of that name.
            FailedPrecondition: when this version is still open.
            ReadOnly, MissingCapability.
        """
        history, opens = self._history(), self._opens()
        return self._at(opens, history.new_branch(name, note))

    def _history(self) -> Versioned:
        found = self.volume.capability(Versioned)
        if found is None:
            raise self._missing("its store keeps none")
        return found

    def _opens(self) -> OpensVersions:
        """What opens other versions; asked for before anything is changed."""
        found = self.volume.capability(OpensVersions)
        if found is None:
            raise self._missing("it is not on a server")
        return found

    def _missing(self, why: str) -> MissingCapability:
        name = self.name or "this volume"
        return MissingCapability(
            f"{name} offers no versions: {why}",
            "ask a voxgate server for a volume of a store that keeps versions, such as dvid",
            details={"capability": "versions"},
        )

    def _at(self, opens: OpensVersions, info: VersionInfo) -> Self:
        binding = self._binding
        reopen = None if binding.reopen is None else _TimesAt(opens, info.version)
        return self._of(replace(binding, volume=opens.at_version(info.version), reopen=reopen))
