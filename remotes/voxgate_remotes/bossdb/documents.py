"""BossDB's documents of channels, experiments and coordinate frames, checked; keys not named here are not looked at.

Source: the serializers and models of jhuapl-boss/boss (bosscore).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxgate.model.errors import MetadataInvalid
from voxgate_remotes.bossdb.client import Document

M = TypeVar("M", bound=BaseModel)

_Count = Annotated[int, Field(ge=1)]
_Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NANOMETRES = {"nanometers": 1.0, "micrometers": 1e3, "millimeters": 1e6, "centimeters": 1e7}


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ChannelDocument(_Checked):
    """A channel.

    Attributes:
        type: "annotation" where voxels are segment ids.
        datatype: the name of a numpy type.
        base_resolution: the level that was written, from which the coarser ones are made.
        downsample_status: "DOWNSAMPLED" where the coarser levels are there and fit.
        storage_type: "spdb", or "cloudvol" where reads come from a CloudVolume bucket and writes go elsewhere.
    """

    type: Literal["image", "annotation"]
    datatype: str
    base_resolution: Annotated[int, Field(ge=0)] = 0
    downsample_status: str = "NOT_DOWNSAMPLED"
    storage_type: str = "spdb"

    @property
    def is_downsampled(self) -> bool:
        """Whether the coarser levels are there and belong to what is written now."""
        return self.downsample_status.upper() == "DOWNSAMPLED"

    @property
    def is_elsewhere(self) -> bool:
        """Whether voxels are read from another place than they are written to."""
        return self.storage_type != "spdb"


class ExperimentDocument(_Checked):
    """An experiment: what its channels share.

    Attributes:
        coord_frame: the name of the coordinate frame.
        num_hierarchy_levels: resolution levels, the native one included.
        hierarchy_method: "isotropic" halves x, y and z from level to level, "anisotropic" x and y.
        num_time_samples: time points.
    """

    coord_frame: str
    num_hierarchy_levels: _Count = 1
    hierarchy_method: str = "anisotropic"
    num_time_samples: _Count = 1


class FrameDocument(_Checked):
    """A coordinate frame: the native voxels, half-open, and their size in `voxel_unit`."""

    x_start: int
    x_stop: int
    y_start: int
    y_stop: int
    z_start: int
    z_stop: int
    x_voxel_size: _Size
    y_voxel_size: _Size
    z_voxel_size: _Size
    voxel_unit: Literal["nanometers", "micrometers", "millimeters", "centimeters"]

    @property
    def nanometres(self) -> float:
        """Nanometres of one `voxel_unit`."""
        return _NANOMETRES[self.voxel_unit]


class LevelsDocument(_Checked):
    """What `/downsample` says, by level from 0: voxel sizes in the frame's unit, and where the level ends: x, y, z."""

    voxel_size: dict[int, tuple[_Size, _Size, _Size]]
    extent: dict[int, tuple[_Count, _Count, _Count]]


def parsed(kind: type[M], document: Document, what: str) -> M:
    """A document, checked.

    Raises:
        MetadataInvalid: names the first key that is missing or bad.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise MetadataInvalid(f"the {what} has a bad {key!r}: {first['msg']}", "correct it in the store") from None
