"""Places that take meshes, wherever they are: beside a precomputed volume, or a folder of meshes by themselves.

Beside a volume two folders take turns, "mesh" and "mesh_2": meshes that replace others are written where no reader
looks, and the volume's `info` names them when they are all there; the others go then. A folder of meshes by themselves
is what its readers name, so there the new ones are written over the old.

Format: github.com/google/neuroglancer, src/datasource/precomputed/volume.md and meshes.md: `mesh` in the `info` of a
volume names the folder of meshes beside it, `segment_properties` that of the properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from voxgate.model.errors import UnsupportedFormat
from voxgate_remotes.precomputed_kept.multires import TYPE as MULTIRES

FOLDERS = ("mesh", "mesh_2")
"""Where meshes go beside a volume."""
PROPERTIES = "segment_properties"
"""Where segment properties go."""
PARTIAL = "voxgate-partial-"
"""What the names of folders begin with that jobs leave their partial files in, below that of the meshes."""
MARK = "voxgate"
"""The key of the `info` of meshes under which jobs say what they made; readers do not look at it."""
LEGACY: Mapping[str, Any] = {"@type": "neuroglancer_legacy_mesh"}
"""The `info` of meshes that have none."""


def chosen_folder(named: object, in_progress: Iterable[str]) -> str:
    """Where new meshes go beside a volume.

    Args:
        named: what its `info` says of meshes now, if anything.
        in_progress: those of FOLDERS in which there are partial files. A job that goes on after everybody was told of
            its meshes finds them in the folder that is named, and nowhere else.
    """
    free = [folder for folder in FOLDERS if folder != named]
    busy = set(in_progress)
    if any(folder in busy for folder in free):
        return next(folder for folder in free if folder in busy)
    return str(named) if named in busy else free[0]


def volume_info(info: Mapping[str, Any], folder: str, *, properties: bool) -> dict[str, Any]:
    """The `info` of a volume that names its meshes, and its segment properties where there are any."""
    return {**info, "mesh": folder, **({PROPERTIES: PROPERTIES} if properties else {})}


def check_formats(formats: Iterable[str]) -> bool:
    """Whether what lies at a place is a precomputed volume; False for none.

    Raises:
        UnsupportedFormat: for any other.
    """
    found = sorted(formats)
    if found and found != ["precomputed"]:
        raise UnsupportedFormat(
            f"a volume in the format {' and '.join(found)} has no place for meshes",
            "give the job another `destination`: a precomputed volume, or the name of nothing yet, which becomes a "
            "folder of meshes",
        )
    return bool(found)


def inside_of_a_volume() -> UnsupportedFormat:
    """What is told of a name that leads into a volume."""
    return UnsupportedFormat(
        "the name lies inside of a volume", "name the volume itself as `destination`, or a place beside it"
    )


def something_else() -> UnsupportedFormat:
    """What is told of a place where there is something that is neither a volume nor meshes."""
    return UnsupportedFormat(
        "the name is taken by something that is neither a precomputed volume nor meshes",
        "choose the name of nothing yet, or of a precomputed volume",
    )


def takes_meshes(info: Mapping[str, Any] | None) -> bool:
    """Whether a folder's own `info` is that of meshes."""
    return info is not None and info.get("@type") in (MULTIRES, LEGACY["@type"])
