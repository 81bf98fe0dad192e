"""Making a channel, and the collection, coordinate frame and experiment around it where they are not there yet.

What is there is used only if it says the same. A frame is named after its experiment, CF_COLLECTION_EXPERIMENT, as the
intern client does; an experiment has one frame for all of its channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from voxgate.model.errors import AlreadyExists, InvalidArgument, StoreRefused, UnknownVolume, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind, VolumeSpec
from voxgate_remotes.bossdb import routes
from voxgate_remotes.bossdb.channels import CUBOID
from voxgate_remotes.bossdb.client import Asking, Document
from voxgate_remotes.bossdb.documents import ChannelDocument, ExperimentDocument, FrameDocument, parsed
from voxgate_remotes.bossdb.failures import BAD_ARGUMENT, DELETED, refusal, refused
from voxgate_remotes.http.answers import StoreCall

_TYPES = {VolumeKind.IMAGE: "image", VolumeKind.SEGMENTATION: "annotation"}
_DTYPES = ("uint8", "uint16", "uint32", "uint64")
_MOST_COORDINATE = 2**31 - 1
_MOST_LEVELS = 8


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A channel to be made."""

    path: tuple[str, ...]
    type: str
    datatype: str
    bounds: Box
    voxel_size_nm: VoxelSize


def create(asking: Asking, path: tuple[str, ...], spec: VolumeSpec) -> None:
    """Make a channel; one that is there already and is the same is left as it is.

    Raises:
        UnsupportedFormat, InvalidArgument: for what BossDB cannot hold; nothing was made then.
        AlreadyExists: when something of a name is there and differs; names how.
        StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable.
    """
    wanted = _wanted(path, spec)
    collection, experiment = path[:1], path[:2]
    _made(asking, routes.resource(collection), {"description": ""})
    found = _existing(asking, routes.resource(experiment))
    frame = f"CF_{path[0]}_{path[1]}"
    if found is None:
        if not routes.is_name(frame):
            raise InvalidArgument(
                "the names are too long for a coordinate frame", "use names of 120 characters at most"
            )
        _agree_on_frame(_made(asking, routes.frame(frame), _frame_document(wanted)), wanted)
        found = _made(asking, routes.resource(experiment), _experiment_document(wanted, frame))
    told = parsed(ExperimentDocument, found, "experiment")
    _agree(told.num_time_samples, 1, "number of time points")
    _agree_on_frame(asking.document(routes.frame(told.coord_frame)), wanted)
    _agree_on_channel(_made(asking, routes.resource(path), _channel_document(wanted)), wanted)


def _wanted(path: tuple[str, ...], spec: VolumeSpec) -> _Wanted:
    """A spec that BossDB can hold just as it is.

    Raises:
        InvalidArgument, UnsupportedFormat.
    """
    if len(path) != 3 or not all(map(routes.is_name, path)):
        raise InvalidArgument(
            f"{'/'.join(path)!r} cannot be a channel", "name COLLECTION/EXPERIMENT/CHANNEL, of letters, digits, _ and -"
        )
    if len(spec.scales) != 1:
        raise UnsupportedFormat("BossDB computes its coarser levels by itself", "give the finest scale alone")
    if spec.dtype.newbyteorder("=").name not in _DTYPES:
        raise UnsupportedFormat(f"BossDB has no {spec.dtype}", f"convert it to one of {', '.join(_DTYPES)}")
    if spec.kind not in _TYPES:
        raise InvalidArgument("BossDB tells images from annotations", "state the kind: image or segmentation")
    _refuse_what_is_fixed(spec)
    scale = spec.scales[0]
    if scale.voxel_size_nm is None:
        raise InvalidArgument("BossDB keeps a voxel size with every volume", "state voxel_size_nm")
    if scale.bounds.is_empty or min(scale.bounds.start) < 0 or max(scale.bounds.stop) > _MOST_COORDINATE:
        raise UnsupportedFormat(f"BossDB has no voxels {scale.bounds}", f"coordinates are 0 to {_MOST_COORDINATE}")
    name = spec.dtype.newbyteorder("=").name
    return _Wanted(path, _TYPES[spec.kind], name, scale.bounds, scale.voxel_size_nm)


def _refuse_what_is_fixed(spec: VolumeSpec) -> None:
    scale = spec.scales[0]
    if spec.format:
        raise UnsupportedFormat(f"BossDB does not create {spec.format!r}", "leave the format out")
    if spec.channels:
        raise UnsupportedFormat("a volume of BossDB has no channel axis", "create one volume for each channel")
    if spec.fill_value != 0:
        raise UnsupportedFormat("absent voxels of BossDB are 0", "leave the fill value out")
    if scale.encoding is not None or scale.shard_shape is not None or scale.chunk_shape not in (None, CUBOID):
        told = " x ".join(map(str, CUBOID))
        raise UnsupportedFormat(f"BossDB keeps cuboids of {told} in its own way", "leave chunks and encoding out")


def _existing(asking: Asking, address: str) -> Document | None:
    try:
        return asking.document(address)
    except UnknownVolume:
        return None


def _made(asking: Asking, address: str, document: Document) -> Document:
    """What is at an address, made there if nothing was.

    Raises:
        AlreadyExists: when the name was deleted and is not free again.
    """
    found = _existing(asking, address)
    if found is not None:
        return found
    answer = asking.send("POST", address, document)
    if answer.status != 201 and not (answer.status == 400 and refusal(answer).code == BAD_ARGUMENT):
        raise refused(answer)
    found = _existing(asking, address)
    if found is not None:  # made, by us or just before us by somebody else
        return found
    gone = asking.answer(StoreCall("GET", address))
    if answer.status == 400 and refusal(gone).code == DELETED:
        raise AlreadyExists("the name was deleted, and BossDB does not give it away again", "choose another name")
    raise refused(answer) if answer.status == 400 else StoreRefused("the store made nothing of that name", "look at it")


def _frame_document(wanted: _Wanted) -> Document:
    document: Document = {"description": "", "voxel_unit": "nanometers"}
    for axis in "xyz":
        document[f"{axis}_start"] = getattr(wanted.bounds.start, axis)
        document[f"{axis}_stop"] = getattr(wanted.bounds.stop, axis)
        document[f"{axis}_voxel_size"] = getattr(wanted.voxel_size_nm, axis)
    return document


def _experiment_document(wanted: _Wanted, frame: str) -> Document:
    return {
        "description": "",
        "coord_frame": frame,
        "num_hierarchy_levels": _levels(wanted.bounds.stop),
        "hierarchy_method": "isotropic" if len(set(wanted.voxel_size_nm)) == 1 else "anisotropic",
        "num_time_samples": 1,
        # BossDB answers null where these are left out, and the intern client cannot read that.
        "time_step": 1,
        "time_step_unit": "seconds",
    }


def _levels(stop: Vec3) -> int:
    """As many as it takes until a level is one cuboid wide."""
    halvings = math.ceil(math.log2(max(1.0, stop.x / CUBOID.x, stop.y / CUBOID.y)))
    return min(_MOST_LEVELS, 1 + halvings)


def _channel_document(wanted: _Wanted) -> Document:
    return {
        "description": "",
        "type": wanted.type,
        "datatype": wanted.datatype,
        "base_resolution": 0,
        "default_time_sample": 0,
        "sources": [],
        "related": [],
    }


def _agree_on_frame(document: Document, wanted: _Wanted) -> None:
    frame = parsed(FrameDocument, document, "coordinate frame")
    start, stop = Vec3(frame.x_start, frame.y_start, frame.z_start), Vec3(frame.x_stop, frame.y_stop, frame.z_stop)
    _agree(str(Box(start, stop)), str(wanted.bounds), "bounds")
    sizes = (frame.x_voxel_size, frame.y_voxel_size, frame.z_voxel_size)
    found = [size * frame.nanometres for size in sizes]
    if not all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(found, wanted.voxel_size_nm, strict=True)):
        _agree(str(found), str(list(wanted.voxel_size_nm)), "voxels in nanometres")


def _agree_on_channel(document: Document, wanted: _Wanted) -> None:
    channel = parsed(ChannelDocument, document, "channel")
    _agree(channel.type, wanted.type, "type")
    _agree(channel.datatype, wanted.datatype, "datatype")
    _agree(channel.base_resolution, 0, "base resolution")


def _agree(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AlreadyExists(
            f"what is there has another {what}: {found}, not {wanted}", "choose another name, or ask for the same"
        )
