"""Plain HTTP to the server, for tests of the server itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import requests
from numcodecs import blosc

BLOSC = {"Content-Type": "application/blosc"}


class Addressed(Protocol):
    """A server of the dialect: the test server, or one of ours."""

    @property
    def address(self) -> str:
        """127.0.0.1:port."""
        ...


class Raw:
    """One kept connection, with a token or none."""

    def __init__(self, server: Addressed, token: str | None) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.root = f"http://{server.address}"
        if token is not None:
            self.session.headers["Authorization"] = f"Token {token}"

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Send a request to a path below /v1/; a body that is no bytes goes as JSON; redirects are not followed."""
        sent: Any = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.session.request(
            method, f"{self.root}/v1/{path}", headers=dict(headers or {}), allow_redirects=False, timeout=60, **sent
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """GET below /v1/."""
        return self.ask("GET", path, headers=headers)

    def refusal(self, method: str, path: str, body: object = None) -> tuple[int, int]:
        """(status, code) of a refusal of the service."""
        reply = self.ask(method, path, body, BLOSC if isinstance(body, bytes) else None)
        document = reply.json()
        assert document["status"] == reply.status_code
        return reply.status_code, document["code"]

    def cutout(self, path: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """The voxels of a cutout, read as blosc."""
        reply = self.get(f"cutout/{path}")
        assert reply.status_code == 200, reply.text
        return np.frombuffer(blosc.decompress(reply.content), dtype).reshape(shape)

    def write(self, path: str, voxels: npt.NDArray[Any]) -> requests.Response:
        """POST voxels as blosc."""
        return self.ask("POST", f"cutout/{path}", packed(voxels), BLOSC)


def packed(voxels: npt.NDArray[Any]) -> bytes:
    """Voxels as a body: a blosc frame of the array in C order, and nothing else."""
    compressed: bytes = blosc.compress(np.ascontiguousarray(voxels), b"lz4", 5, blosc.SHUFFLE)
    return compressed
