"""Creating volumes in folders: the spec is checked, tried in memory, then written with the deciding file last."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorstore as ts

from voxgate.model.errors import AlreadyExists, InvalidArgument, UnsupportedFormat
from voxgate.model.volumes import SUPPORTED_DTYPES, VolumeSpec
from voxgate_remotes.adding import check_free
from voxgate_remotes.documents import Documents, precomputed_documents, zarr2_documents, zarr3_documents
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.metadata import read_json, write_json
from voxgate_remotes.tensorstores import STORE_ERRORS

_DOCUMENTS = {"precomputed": precomputed_documents, "zarr2": zarr2_documents, "zarr3": zarr3_documents}
_DRIVERS = {"precomputed": "neuroglancer_precomputed", "zarr2": "zarr", "zarr3": "zarr3"}
DEFAULT_FORMAT = "zarr3"


def checked_spec(spec: VolumeSpec, default_format: str) -> tuple[str, Documents]:
    """The format and metadata documents of a spec that can be created.

    Raises:
        UnsupportedFormat, InvalidArgument.
    """
    name = spec.format or default_format or DEFAULT_FORMAT
    if name not in _DOCUMENTS:
        raise UnsupportedFormat(f"there is no format {name!r}", f"known: {', '.join(_DOCUMENTS)}")
    if spec.dtype.newbyteorder("<") not in SUPPORTED_DTYPES:
        raise UnsupportedFormat(f"voxels of type {spec.dtype} are not supported", "use one of the contract's types")
    if not spec.scales or any(scale.bounds.is_empty for scale in spec.scales):
        raise InvalidArgument("a volume needs at least one scale, and no empty one", "state its bounds")
    for scale in spec.scales:
        if any(shape is not None and min(shape) <= 0 for shape in (scale.chunk_shape, scale.shard_shape)):
            raise InvalidArgument("chunk and shard shapes are positive", "leave them out for the defaults")
    if spec.dtype.kind != "f":
        limits = np.iinfo(spec.dtype)
        if spec.fill_value != spec.fill_value or not limits.min <= spec.fill_value <= limits.max or spec.fill_value % 1:
            raise InvalidArgument(f"the fill value {spec.fill_value} is no {spec.dtype.name}", "choose one that is")
    documents = _DOCUMENTS[name](spec)
    _try(name, spec, documents)
    return name, documents


def write_documents(folder: Path, guard: PathGuard, documents: Documents) -> None:
    """Write a checked spec's documents into a folder that is absent, empty, or holds some or all of them already.

    A create that was cut short is so completed by its repetition; a finished one is left as it is.

    Raises:
        AlreadyExists: when something else is there.
        PathRefused, StoreUnavailable.
    """
    paths = {relative: guard.within(folder, relative) for relative in documents}
    present = {relative for relative, path in paths.items() if path.exists()}
    if folder.exists() and not present and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists("the name is taken by something that is not this volume", "choose another name")
    for relative in present:
        if not includes(read_json(paths[relative]), documents[relative]):
            raise AlreadyExists("a volume of another specification has this name", "choose another name")
    for relative, content in documents.items():
        if relative not in present:
            write_json(paths[relative], content)


def changed_documents(folder: Path, guard: PathGuard, documents: Documents) -> None:
    """Write the documents of `voxgate_remotes.adding` into a volume's folder; readers see all of the change or none.

    Raises:
        FailedPrecondition: when something else is where a new level would be.
        PathRefused, StoreUnavailable.
    """
    paths = {relative: guard.within(folder, relative) for relative in documents}
    for relative, content in documents.items():
        if "/" in relative and paths[relative].exists():
            check_free(relative, read_json(paths[relative]), content)
    for relative, content in documents.items():
        write_json(paths[relative], content)


def includes(found: object, wanted: object) -> bool:
    """Whether a JSON document says what another says; objects may say more (meshes, provenance)."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(key in found and includes(found[key], value) for key, value in wanted.items())
    return found == wanted


def _try(name: str, spec: VolumeSpec, documents: Documents) -> None:
    """Open the documents in memory, so that nothing is left on disk of a volume that no driver opens.

    Raises:
        UnsupportedFormat.
    """
    context = ts.Context()
    memory = ts.KvStore.open({"driver": "memory"}, context=context).result()
    for path, content in documents.items():
        memory[path] = json.dumps(content).encode()
    for index in range(len(spec.scales)):
        where = {"driver": "memory", "path": "" if name == "precomputed" else f"{index}/"}
        one = {"driver": _DRIVERS[name], "kvstore": where}
        try:
            ts.open({**one, "scale_index": index} if name == "precomputed" else one, context=context).result()
        except STORE_ERRORS as error:
            raise UnsupportedFormat(
                f"{name} cannot hold scale {index} as it is specified", "leave chunk shapes and encodings to the format"
            ) from error
