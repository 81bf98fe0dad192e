"""What the HDF5 library says of a file, asked in a process of its own: `python -m voxgate_remotes.hdf5.examining`.

The library reads past its memory or turns in circles on some damaged files (HDF5 2.0: text attributes of variable
length among others). So no process that serves opens a file with it: this one does, tells what is there, and where.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.model.errors import InvalidArgument, UnknownVolume, UnsupportedFormat, VoxgateError
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5 import bdv, files
from voxgate_remotes.hdf5.access import identity_of
from voxgate_remotes.hdf5.conventions import conventions_of
from voxgate_remotes.hdf5.datasets import Layer, little_endian, may_be_volume, stored_of
from voxgate_remotes.hdf5.documents import Description, description_document, stored_document
from voxgate_remotes.hdf5.index import index_of
from voxgate_remotes.probes import serve

Said = tuple[dict[str, Any], bytes]


def examined(request: Mapping[str, Any]) -> Said:
    """The answer to a request: `ask`, one of _ASKED, the `file`, the path `inner` in it, and what `ask` needs.

    Beside it is said what the file was before it was opened and after: `before`, `after`.

    Raises:
        VoxgateError: of any kind that opening and looking at a file has.
    """
    if request["ask"] not in _ASKED:
        raise InvalidArgument(f"there is no {request['ask']!r}")
    file, inner = Path(request["file"]), tuple(request["inner"])
    before = identity_of(os.stat(file)) if file.exists() else None
    with files.opened(file) as root:
        said, data = _ASKED[request["ask"]](root, inner, request)
    return {**said, "before": before, "after": identity_of(os.stat(file)) if file.exists() else None}, data


def _is_volume_said(root: files.Object, inner: tuple[str, ...], request: Mapping[str, Any]) -> Said:  # noqa: ARG001
    return {"is_volume": _is_volume(root, inner)}, b""


def _is_volume(root: files.Object, inner: tuple[str, ...]) -> bool:
    if bdv.is_setup(root, inner):
        return True
    node = files.find(root, inner)
    return files.is_dataset(node) and may_be_volume(node) and not bdv.is_part(root, inner)


def _listed(root: files.Object, inner: tuple[str, ...], request: Mapping[str, Any]) -> Said:  # noqa: ARG001
    group = files.find(root, inner)
    if _is_volume(root, inner):
        return {"entries": []}, b""
    if not files.is_group(group):
        raise UnknownVolume(f"{'/'.join(inner)!r} in the HDF5 file is no volume", "list the level above")
    above = [files.find(root, inner[:depth]) for depth in range(len(inner) + 1)]
    entries = [_entry(root, (*inner, name), above) for name in files.names_in(group)]
    return {"entries": [entry for entry in entries if entry is not None]}, b""


def _entry(root: files.Object, path: tuple[str, ...], above: list[files.Object]) -> tuple[str, bool] | None:
    """How a name is listed, and whether it is a volume; None where it is left out."""
    try:
        node = files.find(root, path)
        if _is_volume(root, path):
            return path[-1], True
        is_open_group = files.is_group(node) and not bdv.is_part(root, path) and node not in above
    except VoxgateError:  # a link that leads nowhere or out, or a damaged object: opening it says which
        return None
    return (path[-1], False) if is_open_group else None


def _described(root: files.Object, inner: tuple[str, ...], request: Mapping[str, Any]) -> Said:
    overrides = VolumeOverrides.model_validate(request["overrides"])
    node = files.find(root, inner)
    if bdv.is_setup(root, inner):
        return description_document(bdv.setup_of(root, inner[0], overrides)), b""
    if not files.is_dataset(node):
        raise UnknownVolume(
            f"{'/'.join(inner) or 'the HDF5 file'} is a group, not a volume", "name a dataset in it: list it"
        )
    if bdv.is_part(root, inner):
        raise UnsupportedFormat(
            f"the dataset is one level and time of a BigDataViewer setup, which is the volume {inner[1]!r}",
            "open that one",
        )
    stored = stored_of(node)
    found = conventions_of(node, inner, overrides)
    layer = Layer({0: inner}, found.axes, stored, found.start)
    said = Description(
        layers=(layer,),
        sizes=(found.voxel_size_nm,),
        dtype=little_endian(layer),
        axes="".join(axis for axis in "tczyx" if axis in found.axes or axis == "z"),
        time_count=layer.extent("t"),
        kind=found.kind,
        inferred=found.inferred,
    )
    return description_document(said), b""


def _indexed(root: files.Object, inner: tuple[str, ...], request: Mapping[str, Any]) -> Said:  # noqa: ARG001
    node = files.find(root, inner)
    if not files.is_dataset(node):
        return {"stored": None}, b""
    stored = stored_of(node)
    said, data = index_of(node, stored)
    return {**said, "stored": stored_document(stored)}, data


_ASKED = {"is_volume": _is_volume_said, "list": _listed, "describe": _described, "index": _indexed}

if __name__ == "__main__":
    serve(examined)
