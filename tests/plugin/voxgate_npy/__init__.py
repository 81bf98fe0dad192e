"""Volumes in folders of .npy files: `npy:///data/lab` has the volume `a/seg` in /data/lab/a/seg.npy.

Format: numpy.lib.format; arrays of z, y, x in C order. The files say nothing else: the operator states `kind`,
`voxel_size_nm` and `voxel_offset`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.lib import format as npy_format

from voxgate.model.errors import ChunkCorrupt, ConfigInvalid, MetadataInvalid, UnknownVolume, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.remotes import ListEntry, ResolvedUri
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    C,
    CallContext,
    OpenOptions,
    ReadTuning,
    Scale,
    Tuned,
    Volume,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Voxels,
)
from voxgate_remotes.checks import checked_box, checked_channels, checked_out, path_under, refuse_version_and_time
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.guard import PathGuard


@dataclass(frozen=True)
class NpyVolume:
    """One file, for one caller. Thread-safe: nothing about it changes, and each read opens the file."""

    info: VolumeInfo
    file: Path
    first_byte: int
    stored_dtype: np.dtype
    context: CallContext

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box, plane by plane; see `voxgate.model.volumes.Volume.read`."""
        level = checked_box(self.info, box, scale)
        wanted = checked_channels(self.info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self.info.dtype, out)
        whole, first = level.bounds.shape, box.start - level.bounds.start
        rows = (box.shape.y, whole.x)
        with self.file.open("rb") as file:
            for z in range(box.shape.z):
                self.context.check()  # the caller may have gone away
                offset = self.first_byte + ((first.z + z) * whole.y + first.y) * whole.x * self.stored_dtype.itemsize
                data = os.pread(file.fileno(), math.prod(rows) * self.stored_dtype.itemsize, offset)
                if len(data) != math.prod(rows) * self.stored_dtype.itemsize:
                    raise ChunkCorrupt(f"the file ends before the voxels {box}", "restore it from its source")
                plane = np.frombuffer(data, self.stored_dtype).reshape(rows)
                out[:, z] = plane[:, first.x : first.x + box.shape.x]
        return out

    def capability(self, kind: type[C]) -> C | None:
        """How it is read fastest; it takes no writes and has nothing else."""
        return cast("C", self) if kind is Tuned else None

    @property
    def tuning(self) -> ReadTuning:
        """One read at a time, of whole planes: the disk is read in the order of the file."""
        plane = self.info.scales[0].stored_chunk_shape
        return ReadTuning(parallel_reads=1, request_bytes=16 << 20, alignment=plane)


class NpyRemote:
    """The .npy files below a folder; the entry point `npy` of the group `voxgate.remotes`."""

    def __init__(self, config: RemoteConfig) -> None:
        parts = urlsplit(config.uri)
        if parts.netloc or not parts.path.startswith("/"):
            raise ConfigInvalid(f"{config.uri!r} does not name a folder", "write npy:///absolute/path")
        for option in config.options:
            raise ConfigInvalid(f"a remote of .npy files has no option {option!r}", "remove it")
        self._config = config
        self._guard = PathGuard(Path(unquote(parts.path)))

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open a file by its path without the ending .npy."""
        refuse_version_and_time(options)
        file = self._guard.resolve((*path[:-1], f"{path[-1]}.npy")) if path else None
        if file is None or not file.is_file():
            raise UnknownVolume(f"there is no volume {'/'.join(path)!r} in this remote", "list the remote")
        shape, dtype, first_byte = _header(file)
        offset = self._config.overrides(path).voxel_offset
        start, extent = Vec3(*(offset or (0, 0, 0))), Vec3.from_zyx(shape)
        plane = Vec3(extent.x, extent.y, 1)
        scale = Scale(
            "0", Box.at(start, extent), stored_chunk_shape=plane, write_granule_shape=plane, grid_origin=start
        )
        inferred = ("axes",) if offset else ("axes", "voxel_offset")
        info = VolumeInfo("", dtype.newbyteorder("<"), VolumeKind.UNKNOWN, (scale,), inferred=inferred, format="npy")
        return NpyVolume(info, file, first_byte, dtype, options.context)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The folders and files right in a folder."""
        folder = self._guard.resolve(parent)
        groups = [ListEntry(inner.name, is_volume=False) for inner in self._guard.folders(folder)]
        volumes = [ListEntry(file.stem, is_volume=True) for file in folder.glob("[!.]*.npy")]
        return sorted(groups + volumes, key=lambda entry: entry.segment)

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Refused: this remote only reads."""
        raise UnsupportedFormat("volumes of .npy files cannot be created", "create them in another remote")

    def resolve(self, uri: str) -> ResolvedUri | None:
        """The path below this remote that a URI means."""
        return path_under(self._config.uri, uri)

    def capability(self, kind: type[C]) -> C | None:
        """None: nothing can be deleted, and there is no metadata by key."""
        return None


def _header(file: Path) -> tuple[tuple[int, int, int], np.dtype, int]:
    """The shape (z, y, x), the dtype and the position of the first voxel."""
    readers = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
    try:
        with file.open("rb") as opened:
            read_header = readers[npy_format.read_magic(opened)]
            shape, is_fortran, dtype = read_header(opened)
            first_byte = opened.tell()
    except (ValueError, KeyError):
        raise MetadataInvalid(f"`{file.name}` has no header of a .npy file", "restore it from its source") from None
    if len(shape) != 3 or is_fortran or 0 in shape or dtype.newbyteorder("<") not in SUPPORTED_DTYPES:
        raise UnsupportedFormat(f"`{file.name}` is no array of z, y, x in C order", "save it as one, of a known type")
    return shape, dtype, first_byte
