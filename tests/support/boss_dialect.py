"""The BossDB dialect of a gateway: what a volume is called there, and bodies of requests to it."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import requests

from voxgate.model.geometry import Box

Array = npt.NDArray[Any]
NPYGZ = "application/npygz"


def boss_names(name: str, *, index: int | None = None, alone: bool = False) -> tuple[str, str, str]:
    """Collection, experiment and channel of a volume of plain letters, digits, dots and single underscores.

    Args:
        name: "remote/path".
        index: one channel of several.
        alone: in the experiment that has this channel only.
    """
    collection, *groups, last = (part.replace(".", "__2E") for part in name.split("/"))
    experiment = "__2F".join(groups) or "_"
    channel = last if index is None else f"{last}__ch{index}"
    return collection, f"{experiment}__x{last}" if alone else experiment, channel


def boss_address(url: str, name: str, **more: Any) -> str:
    """HOST/COLLECTION/EXPERIMENT/CHANNEL of a volume behind a gateway; see `boss_names`."""
    return "/".join((url.removeprefix("http://"), *boss_names(name, **more)))


def ranges(box: Box) -> str:
    """A box in an address."""
    return "/".join(f"{a}:{b}" for a, b in zip(box.start, box.stop, strict=True))


def in_npygz(voxels: Array) -> bytes:
    """Voxels as a body: a .npy file in a zlib stream."""
    file = io.BytesIO()
    np.save(file, voxels, allow_pickle=False)
    return zlib.compress(file.getvalue())


def of_npygz(reply: requests.Response) -> Array:
    """The voxels of a reply, which says its shape and type itself."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == NPYGZ
    voxels: Array = np.load(io.BytesIO(zlib.decompress(reply.content)), allow_pickle=False)
    return voxels
