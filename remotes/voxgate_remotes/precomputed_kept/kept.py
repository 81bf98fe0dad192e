"""What the `info` of a volume names beside its scales, as capabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from voxgate.model.errors import MetadataInvalid
from voxgate.model.kept_mesh_files import StoredMeshFiles
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import Folder
from voxgate_remotes.precomputed_kept.files import KeptFiles
from voxgate_remotes.precomputed_kept.mesh_files import PrecomputedMeshFiles
from voxgate_remotes.precomputed_kept.meshes import PrecomputedMeshes
from voxgate_remotes.precomputed_kept.properties import PrecomputedProperties
from voxgate_remotes.precomputed_kept.skeletons import PrecomputedSkeletons

C = TypeVar("C")

_KEYS: dict[object, tuple[str, Callable[[Callable[[], KeptFiles]], object]]] = {
    StoredMeshes: ("mesh", PrecomputedMeshes),
    StoredMeshFiles: ("mesh", PrecomputedMeshFiles),
    StoredSkeletons: ("skeletons", PrecomputedSkeletons),
    SegmentProperties: ("segment_properties", PrecomputedProperties),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """The folders that hold meshes, skeletons and segment properties of a volume.

    Attributes:
        folder: the volume's.
        info: its metadata; a key that is absent, null or "" names nothing.
    """

    folder: Folder
    info: dict[str, Any]

    def capability(self, kind: type[C], context: CallContext) -> C | None:
        """StoredMeshes, StoredMeshFiles, StoredSkeletons and SegmentProperties where `info` names a folder of them.

        They are one caller's. Nothing is read yet, so that a volume whose meshes are broken is still a volume; every
        error comes later.
        """
        key, make = _KEYS.get(kind, ("", None))
        name = self.info.get(key)
        if make is None or name is None or name == "":
            return None

        def files() -> KeptFiles:
            if not isinstance(name, str):
                raise MetadataInvalid(f"`{key}` in the volume's `info` is no name of a folder", "correct it")
            return KeptFiles(self.folder.within(name), context)

        return cast("C", make(files))
