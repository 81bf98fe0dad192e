"""The destination of a transfer: found or created, checked, and at a version that takes writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from voxgate.model.access import Role
from voxgate.model.errors import (
    AlreadyExists,
    InvalidArgument,
    MissingCapability,
    UnknownVolume,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.jobs import TransferMode, TransferSpec, Verification
from voxgate.model.versions import Versioned
from voxgate.model.volumes import ArrayCodec, CallContext, OpenOptions, Volume, VolumeInfo, VolumeSpec
from voxgate_transfer.pyramids import check_pyramid, check_whole, with_levels
from voxgate_transfer.specs import check_destination, completed_spec, possible_specs


class Stores(Protocol):
    """What a transfer needs of the registry of remotes."""

    def open(self, name: str, options: OpenOptions) -> Volume:
        """Open a volume by its name, "remote/path"."""
        ...

    def create(self, name: str, spec: VolumeSpec) -> Volume:
        """Create a volume."""
        ...

    def keeps_versions(self, name: str) -> bool:
        """Whether a volume that would be created under this name is known to have versions."""
        ...

    def overlapping(self, one: str, other: str) -> bool:
        """Whether two volumes are known to be the same, or one inside of the other."""
        ...


class CallersStores(Stores, Protocol):
    """The same for any caller."""

    def for_caller(self, context: CallContext) -> Stores:
        """The volumes as one caller may use them."""
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination that takes the copy.

    Attributes:
        info: its description.
        targets: of each scale of the copy, its index in the destination.
        version: the version to write; empty where the store has none.
    """

    info: VolumeInfo
    targets: tuple[int, ...]
    version: str


def prepared(stores: Stores, spec: TransferSpec, copied: VolumeInfo, context: CallContext) -> Destination:
    """Find the destination, or create it; open a version after one that is committed.

    What can be refused is refused before anything is created or opened.

    Args:
        stores: where it is.
        spec: what the caller asked for.
        copied: the source as the destination is to see it.
        context: the caller's patience.

    Raises:
        AlreadyExists: where the mode does not allow that, or what is there is not what the spec would create.
        InvalidArgument, MissingCapability: for a version or a note that the destination has no place for.
        VoxgateError: whatever creating or opening raises, and `check_destination`.
    """
    stated = None if spec.destination_spec is None else completed_spec(spec.destination_spec, copied)
    if spec.pyramid is not None:
        check_pyramid(spec.pyramid, copied, copied.kind if stated is None else stated.kind)
        stated = stated and with_levels(stated, spec.pyramid)
    if stated is not None and spec.verification is not Verification.NONE:
        _check_stated_lossless(stated)
    there = _existing(stores, spec, context)
    if there is None:
        if spec.destination_version:
            raise InvalidArgument(
                "a destination that does not exist has no versions",
                "leave the destination's version out: the volume is created at its store's current one",
                details={"field": "spec.destination_version"},
            )
        if spec.note and not stores.keeps_versions(spec.destination):
            raise _no_place_for_notes()
        volume = _created(stores, spec, stated, copied)
    elif spec.mode is TransferMode.FAIL_IF_EXISTS:
        raise AlreadyExists(
            f'there is a volume "{spec.destination}" already',
            "choose another destination, delete that volume first, or say that it is to be overwritten or updated",
            details={"name": spec.destination},
        )
    else:
        # An equal spec is answered with what is there; any other is refused, not passed over.
        volume = there if stated is None else stores.create(spec.destination, stated)
        volume = _opened(stores, spec, copied, there if spec.destination_version else volume, context)
    versions = volume.capability(Versioned)
    try:
        targets = checked_targets(spec, copied, volume.info)
    except VoxgateError as error:
        if there is None:  # what a store makes of a spec is only known once it has made it
            remedy = f"{error.remedy}; the destination was created and is empty, so overwrite it, or delete it"
            raise type(error)(error.message, remedy, details=error.details) from None
        raise
    return Destination(volume.info, targets, "" if versions is None else volume.info.resolved_version)


def _no_place_for_notes() -> MissingCapability:
    return MissingCapability(
        "the destination has no versions that a note could be kept with",
        "leave the note out",
        details={"capability": "VERSIONS", "field": "spec.note"},
    )


def _existing(stores: Stores, spec: TransferSpec, context: CallContext) -> Volume | None:
    try:
        return stores.open(
            spec.destination, OpenOptions(version=spec.destination_version, context=context, role=Role.WRITE)
        )
    except UnknownVolume:
        return None


def checked_targets(spec: TransferSpec, copied: VolumeInfo, destination: VolumeInfo) -> tuple[int, ...]:
    """Of each scale of the copy, its index in the destination; see `check_destination`. The levels of a pyramid fit.

    Raises:
        FailedPrecondition, UnsupportedFormat, ReadOnly: when its levels are others, or such as cannot be made.
        VoxgateError: whatever `check_destination` raises.
    """
    if spec.pyramid is not None:
        check_whole(destination, spec.pyramid)
        destination = replace(destination, scales=destination.scales[:1])
    targets = check_destination(copied, destination)
    if spec.verification is not Verification.NONE or spec.mode is TransferMode.UPDATE:
        _check_lossless(destination, targets)
    return targets


def _check_stated_lossless(stated: VolumeSpec) -> None:
    for index, scale in enumerate(stated.scales):
        if scale.encoding is not None and scale.encoding.array is ArrayCodec.JPEG:
            raise _with_loss(index)


def _check_lossless(destination: VolumeInfo, targets: tuple[int, ...]) -> None:
    """Refuse scales that are kept with loss: what is read back would differ from what was written."""
    for target in targets:
        if any(encoding.array is ArrayCodec.JPEG for encoding in destination.scales[target].stored_encodings):
            raise _with_loss(target)


def _with_loss(scale: int) -> InvalidArgument:
    return InvalidArgument(
        f"scale {scale} of the destination is kept with loss, so that blocks do not read back as they were written",
        "choose a lossless encoding, or a transfer without verification that does not compare, either",
        details={"field": "spec.verification"},
    )


def _created(stores: Stores, spec: TransferSpec, stated: VolumeSpec | None, copied: VolumeInfo) -> Volume:
    if stated is not None:
        return stores.create(spec.destination, stated)
    refused: UnsupportedFormat | None = None
    for possible in possible_specs(copied):
        try:
            return stores.create(spec.destination, with_levels(possible, spec.pyramid) if spec.pyramid else possible)
        except UnsupportedFormat as error:
            refused = error
    raise refused or UnsupportedFormat("nothing like the source can be created there")


def _opened(stores: Stores, spec: TransferSpec, copied: VolumeInfo, volume: Volume, context: CallContext) -> Volume:
    """The destination at a version that is not committed: a new one after it, where it is."""
    info, versions = volume.info, volume.capability(Versioned)
    if spec.note and versions is None:
        raise _no_place_for_notes()
    if not info.immutable or versions is None:
        return volume
    open_scales = tuple(replace(scale, writable=True) for scale in info.scales)
    checked_targets(spec, copied, replace(info, immutable=False, scales=open_scales))
    note = spec.note or f"for a transfer from {spec.source}"
    version = versions.new_version(note).version
    return stores.open(spec.destination, OpenOptions(version=version, context=context, role=Role.WRITE))
