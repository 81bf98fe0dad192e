"""What the process that looks into files says of a volume, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.hdf5.datasets import Layer, Stored
from voxgate_remotes.hdf5.filters import Filter


@dataclass(frozen=True, slots=True)
class Description:
    """A volume in a file.

    Attributes:
        layers: where each scale lies, finest first.
        sizes: a voxel's extent at each scale; None where nobody says.
        dtype: little-endian, as voxels are served.
        axes: letters of t c z y x, in that order.
        time_count: how many time points there are.
        kind: what the voxels mean.
        inferred: what of it was guessed.
    """

    layers: tuple[Layer, ...]
    sizes: tuple[VoxelSize | None, ...]
    dtype: np.dtype[Any]
    axes: str
    time_count: int
    kind: VolumeKind
    inferred: tuple[str, ...]


def description_document(said: Description) -> dict[str, Any]:
    """A description as JSON."""
    return {
        "layers": [_layer_document(layer) for layer in said.layers],
        "sizes": [None if size is None else list(size) for size in said.sizes],
        "dtype": said.dtype.str,
        "axes": said.axes,
        "time_count": said.time_count,
        "kind": said.kind.value,
        "inferred": list(said.inferred),
    }


def description_of(document: Mapping[str, Any]) -> Description:
    """The description that JSON says."""
    return Description(
        layers=tuple(_layer_of(layer) for layer in document["layers"]),
        sizes=tuple(None if size is None else VoxelSize(*size) for size in document["sizes"]),
        dtype=np.dtype(document["dtype"]),
        axes=document["axes"],
        time_count=document["time_count"],
        kind=VolumeKind(document["kind"]),
        inferred=tuple(document["inferred"]),
    )


def stored_document(stored: Stored) -> dict[str, Any]:
    """How a dataset is stored, as JSON."""
    return {
        "shape": list(stored.shape),
        "dtype": stored.dtype.str,
        "chunks": None if stored.chunks is None else [int(extent) for extent in stored.chunks],
        "pipeline": [[each.id, list(each.values)] for each in stored.pipeline],
        "fill": stored.fill.hex(),
    }


def stored_from(document: Mapping[str, Any]) -> Stored:
    """How a dataset is stored, from JSON."""
    chunks = document["chunks"]
    return Stored(
        shape=tuple(document["shape"]),
        dtype=np.dtype(document["dtype"]),
        chunks=None if chunks is None else tuple(chunks),
        pipeline=tuple(Filter(number, tuple(values)) for number, values in document["pipeline"]),
        fill=bytes.fromhex(document["fill"]),
    )


def _layer_document(layer: Layer) -> dict[str, Any]:
    return {
        "paths": [[time, list(path)] for time, path in layer.paths.items()],
        "axes": layer.axes,
        "stored": stored_document(layer.stored),
        "start": list(layer.start),
    }


def _layer_of(document: Mapping[str, Any]) -> Layer:
    return Layer(
        paths={time: tuple(path) for time, path in document["paths"]},
        axes=document["axes"],
        stored=stored_from(document["stored"]),
        start=Vec3(*document["start"]),
    )
