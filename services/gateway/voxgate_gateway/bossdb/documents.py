"""The JSON of collections, experiments, channels and frames.

Fields: the serializers of jhuapl-boss/boss (django/bosscore). The published intern needs `storage_type`, a time unit
that is never null, and a `coord_frame` that is not blank.
"""

from __future__ import annotations

from typing import Any

from voxgate_gateway.bossdb.channels import BossChannel
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.experiments import Experiment
from voxgate_gateway.bossdb.naming import frame_of
from voxgate_gateway.bossdb.projects import Document

CREATOR = "voxgate"


def collection_document(name: str, experiments: list[str], made: Document | None = None) -> Document:
    """A collection; `made` is what somebody said of it."""
    return {"description": "", "public": True, **(made or {}), "name": name, "experiments": experiments} | _creator()


def experiment_document(found: Experiment) -> Document:
    """An experiment."""
    return {
        "channels": [each.names[2] for each in found.channels],
        "name": found.name,
        "public": True,
        "description": "",
        "collection": found.collection,
        "coord_frame": frame_of(found.collection, found.name),
        "num_hierarchy_levels": found.level_count,
        "hierarchy_method": found.method,
        "num_time_samples": found.time_count,
        "time_step": None,
        "time_step_unit": "seconds",
    } | _creator()


def frame_document(found: Experiment) -> Document:
    """The frame of an experiment, in nanometres.

    Raises:
        BossError: 400/9001 where nobody says how large voxels are.
    """
    size, box = found.voxel_size_nm, found.box
    if size is None:
        raise BossError(
            Code.SYSTEM_ERROR,
            f"the voxel size of {found.channels[0].described.info.name} is unknown, and a frame must state it: "
            "state voxel_size_nm in voxgate.toml",
        )
    document: dict[str, Any] = {"name": frame_of(found.collection, found.name), "description": ""}
    for axis, start, stop in zip("xyz", box.start, box.stop, strict=True):
        document |= {f"{axis}_start": start, f"{axis}_stop": stop}
    document |= {f"{axis}_voxel_size": float(edge) for axis, edge in zip("xyz", size, strict=True)}
    return document | {"voxel_unit": "nanometers"}


def channel_document(channel: BossChannel, status: str = "NOT_DOWNSAMPLED") -> Document:
    """A channel; `status` is that of its coarser levels."""
    _, experiment, name = channel.names
    return {
        "name": name,
        "public": True,
        "description": "",
        "experiment": experiment,
        "default_time_sample": 0,
        "type": "annotation" if channel.is_annotation else "image",
        "base_resolution": 0,
        "datatype": channel.dtype.name,
        "sources": [],
        "downsample_status": status,
        "related": [],
        "storage_type": "spdb",
        "bucket": None,
        "cv_path": None,
    } | _creator()


def _creator() -> Document:
    return {"creator": CREATOR}
