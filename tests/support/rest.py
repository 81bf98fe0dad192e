"""REST as tests ask it."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box


def where(box: Box) -> dict[str, str]:
    """A box as parameters."""
    return {name: f"{a}:{b}" for name, a, b in zip("xyz", box.start, box.stop, strict=True)}


def on(name: str, what: str) -> str:
    """The path of an operation on a volume."""
    return f"/api/v1/volumes/{name}/-/{what}"


def asked(http: httpx.Client, name: str, box: Box, **parameters: Any) -> httpx.Response:
    """The answer to a cutout."""
    return http.get(on(name, "cutout"), params={**where(box), **parameters})


def array_of(answer: httpx.Response) -> npt.NDArray[Any]:
    """The array of a cutout in any of its formats, by numpy and by what the headers say of raw bytes."""
    assert answer.status_code == 200, answer.text
    told = answer.headers
    shape = tuple(map(int, told["x-voxgate-shape"].split(",")))
    assert len(told["x-voxgate-axes"]) == len(shape)
    if told["content-type"] == "application/octet-stream":
        dtype = np.dtype(told["x-voxgate-data-type"]).newbyteorder("<")
        return np.frombuffer(answer.content, dtype).reshape(shape)
    loaded = np.load(io.BytesIO(answer.content), allow_pickle=False)
    found: npt.NDArray[Any] = loaded["voxels"] if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    assert found.shape == shape
    assert found.flags.c_contiguous
    assert found.dtype.name == told["x-voxgate-data-type"]
    return found


def links_to_try(page: str) -> list[str]:
    """Where the links of the page `/api/` lead that try something."""
    return [html.unescape(link) for link in re.findall(r'class="button quiet" href="(v1/[^"]*)"', page)]


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """A refusal, checked to be one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status_code
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["type"].endswith(f"/api/#{told['reason']}")
    return told
