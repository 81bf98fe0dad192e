"""The lines of voxgate.toml with which an operator states what a volume's files leave open."""

from __future__ import annotations

import json
from collections.abc import Mapping

from voxgate.model.names import VolumeName
from voxgate.model.volumes import VolumeInfo, VolumeKind
from voxgate_remotes.config import RemoteConfig
from voxgate_standalone.discovery import Found

_SHOWN = 3
"""Volumes whose lines are shown; the others' look the same."""


def unknown_of(info: VolumeInfo) -> tuple[str, ...]:
    """The keys of a volume's statements that neither its files nor anybody else said, and that are not guessed."""
    kind = () if info.kind is not VolumeKind.UNKNOWN else ("kind",)
    size = () if not info.scales or info.scales[0].voxel_size_nm is not None else ("voxel_size_nm",)
    return (*kind, *size)


def statement_lines(found: tuple[Found, ...], unwritten: Mapping[str, RemoteConfig]) -> list[str]:
    """What could be added to a configuration, with a comment on each line; none where nothing is open.

    Args:
        found: what was discovered.
        unwritten: remotes that are in no configuration file yet, by name: those of the command line.
    """
    lines: list[str] = []
    told: set[str] = set()
    open_ones = [each.info for each in found if each.info and (each.info.inferred or unknown_of(each.info))]
    for info in open_ones[:_SHOWN]:
        remote = VolumeName.parse(info.name).remote
        if remote in unwritten and remote not in told:
            lines += [f"[remotes.{remote}]", f"uri = {json.dumps(unwritten[remote].uri, ensure_ascii=False)}", ""]
        told.add(remote)
        path = info.name.partition("/")[2]
        lines += [f"[remotes.{remote}.volumes.{json.dumps(path)}]", *_lines_of(info), ""]
    if len(open_ones) > _SHOWN:
        lines.append(f"# more volumes: {len(open_ones) - _SHOWN}")
    return lines


def _lines_of(info: VolumeInfo) -> list[str]:
    """A guess is written as it is, to be confirmed; what is unknown is left to be filled in."""
    lines = [_guess(key, info) for key in info.inferred]
    if "kind" in unknown_of(info):
        lines.append('# kind = "segmentation"  # unknown: or "image"')
    if "voxel_size_nm" in unknown_of(info):
        lines.append("# voxel_size_nm = [X, Y, Z]  # unknown: nanometres")
    return lines


def _guess(key: str, info: VolumeInfo) -> str:
    first = info.scales[0] if info.scales else None
    if key == "kind" and info.kind is not VolumeKind.UNKNOWN:
        return f'kind = "{info.kind.value}"  # inferred'
    if key == "voxel_offset" and first is not None:
        return f"voxel_offset = {list(first.bounds.start)}  # inferred: x, y, z of the first voxel"
    if key == "voxel_size_nm" and first is not None and first.voxel_size_nm is not None:
        return f"voxel_size_nm = {list(first.voxel_size_nm)}  # inferred: x, y, z"
    if key == "axes":
        own = _own_axes(info)
        return f'axes = "{own}"  # inferred' if own else '# axes = "…"  # inferred: name them in the stored order'
    return f"# {key} is inferred"


def _own_axes(info: VolumeInfo) -> str:
    """The axes in the array's own order, which statements are in and descriptions are not; empty where it may vary."""
    if info.format in ("zarr v2", "zarr v3", "HDF5"):
        return info.axes
    return info.axes[::-1] if info.format == "n5" else ""
