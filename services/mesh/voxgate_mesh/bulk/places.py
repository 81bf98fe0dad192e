"""What a bulk meshing needs of the process that it runs in: volumes and places by their names, and an encoder."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from voxgate.model.errors import Unimplemented
from voxgate.model.mesh_stores import MeshStore
from voxgate.model.volumes import CallContext, OpenOptions, Volume


class MeshPlaces(Protocol):
    """What a bulk meshing needs of the registry of remotes."""

    def open(self, name: str, options: OpenOptions) -> Volume:
        """Open a volume by its name, "remote/path"."""
        ...

    def mesh_store(self, name: str) -> MeshStore:
        """The place for meshes of a name; see `voxgate.model.mesh_stores.TakesMeshes`."""
        ...


class CallersPlaces(MeshPlaces, Protocol):
    """The same for any caller."""

    def for_caller(self, context: CallContext) -> MeshPlaces:
        """Volumes and places as one caller may use them."""
        ...


def check_installed() -> None:
    """Refuse where what encodes meshes is missing.

    Raises:
        Unimplemented: saying what to install.
    """
    if find_spec("DracoPy") is None:
        raise Unimplemented(
            "jobs of meshing need DracoPy, and it is not installed on this server", "pip install 'voxgate-mesh[draco]'"
        )
