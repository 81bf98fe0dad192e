"""The BossDB dialect of a gateway: what a volume is called there, and requests to it."""

from __future__ import annotations

import io
import zlib
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from numcodecs import blosc

from voxgate.model.geometry import Box

Array = npt.NDArray[Any]


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


def in_blosc(voxels: Array) -> dict[str, Any]:
    """The body of an upload, and its headers."""
    body = blosc.compress(np.ascontiguousarray(voxels), b"zstd", 3, blosc.BITSHUFFLE)
    return {"content": body, "headers": {"content-type": "application/blosc"}}


def in_npygz(voxels: Array) -> dict[str, Any]:
    """As `in_blosc`."""
    file = io.BytesIO()
    np.save(file, voxels, allow_pickle=False)
    return {"content": zlib.compress(file.getvalue()), "headers": {"content-type": "application/npygz"}}


def of_npygz(answer: httpx.Response) -> Array:
    """The voxels of an answer, which says its shape and type itself."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/npygz"
    voxels: Array = np.load(io.BytesIO(zlib.decompress(answer.content)), allow_pickle=False)
    return voxels


class BossClient:
    """Requests to one channel.

    Args:
        http: to the gateway.
        names: collection, experiment, channel.
    """

    def __init__(self, http: httpx.Client, *names: str) -> None:
        self.http = http
        self.names = names

    def cutout(self, box: Box | str, scale: int = 0, *, black: bool = False) -> str:
        """The address of a box; a text is put into it as it is."""
        told = box if isinstance(box, str) else ranges(box)
        return f"/v1/cutout/{'to_black/' if black else ''}{'/'.join(self.names)}/{scale}/{told}/"

    def read(self, box: Box | str, scale: int = 0, query: str = "") -> Array:
        """The voxels of a box."""
        address = self.cutout(box, scale) + query
        return of_npygz(self.http.get(address, headers={"accept": "application/npygz"}))

    def write(self, box: Box | str, voxels: Array, scale: int = 0) -> httpx.Response:
        """Upload a box."""
        return self.http.post(self.cutout(box, scale), **in_blosc(voxels))


def refusal(answer: httpx.Response) -> tuple[int, int]:
    """The status and the code of a refusal in the dialect's words."""
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["message"]
    return answer.status_code, told["code"]
