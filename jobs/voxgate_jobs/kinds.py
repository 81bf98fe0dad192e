"""Kinds of jobs and what opens their work: entry points, so that a process runs what is installed in it."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from voxgate.model.errors import Unimplemented
from voxgate.model.jobs import JobSpec
from voxgate_jobs.documents import kind_of
from voxgate_jobs.work import Patience, Work
from voxgate_remotes.registry import Registry

GROUP = "voxgate.jobs"
"""The group of entry points that open work: named after a spec's kind, each an `OpenKind`."""


class OpenKind(Protocol):
    """Opens the work of one kind of spec."""

    def __call__(self, stores: Registry, spec: Any, patience: Patience) -> Work:
        """See `OpenWork`; `spec` is of the kind that the entry point is named after."""
        ...


class Opener:
    """Opens work of every installed kind over one registry; satisfies `OpenWork`. Imports a kind when it is needed.

    Args:
        registry: where the volumes are.
        kinds: the names of the only kinds that it opens, see `voxgate_jobs.documents.KINDS`; None means all.

    Attributes:
        kinds: the names of those that are installed.
    """

    def __init__(self, registry: Registry, kinds: Collection[str] | None = None) -> None:
        self._registry = registry
        self._installed = {
            entry.name: entry for entry in entry_points(group=GROUP) if kinds is None or entry.name in kinds
        }
        self.kinds = frozenset(self._installed)

    def __call__(self, spec: JobSpec, patience: Patience) -> Work:
        """See `OpenWork`.

        Raises:
            Unimplemented: for a kind that it does not open.
        """
        kind = kind_of(spec)
        if kind not in self._installed:
            raise Unimplemented(
                f"nothing is installed that does jobs of the kind {kind!r}", "install voxgate-transfer and voxgate-mesh"
            )
        return cast("OpenKind", self._installed[kind].load())(self._registry, spec, patience)
