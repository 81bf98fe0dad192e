"""Volumes in a DVID server, real or ours, made by plain requests and not by the adapter."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import requests

from support.dvid import DvidServer, dvid_server
from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.dvid import DvidRemote

REAL = "VOXGATE_TEST_DVID"
"""The environment variable that names a repository of a real server: http://HOST:PORT/UUID, its master branch open."""


@dataclass(frozen=True)
class Repository:
    """An open repository of a server.

    Attributes:
        url: of the server.
        root: the UUID.
        server: our own server; None for a real one.
    """

    url: str
    root: str
    server: DvidServer | None = None

    def remote(self, **options: Any) -> DvidRemote:
        """The adapter, for this repository alone, remembering nothing."""
        uri = f"dvid://{self.url}/{self.root}"
        return DvidRemote(RemoteConfig(uri=uri, writable=True, options={"cache_seconds": 0, **options}))

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """A request below the repository's node; fails the test unless it succeeds."""
        answer = requests.request(method, f"{self.url}/api/node/{self.root}/{path}", timeout=60, **more)
        assert answer.ok, answer.text
        return answer

    def make(self, typename: str, block: Vec3, name: str = "", **settings: str) -> str:
        """A new instance; the name is new, too, unless one is given."""
        name = name or f"t{uuid.uuid4().hex[:12]}"
        document = {"typename": typename, "dataname": name, "BlockSize": ",".join(map(str, block)), **settings}
        answer = requests.post(f"{self.url}/api/repo/{self.root}/instance", json=document, timeout=60)
        assert answer.ok, answer.text
        return name

    def put(self, name: str, start: Vec3, voxels: np.ndarray) -> None:
        """Write whole blocks, voxels (z, y, x)."""
        z, y, x = voxels.shape
        where = f"raw/0_1_2/{x}_{y}_{z}/{start.x}_{start.y}_{start.z}?mutate=true"
        self.call("POST", f"{name}/{where}", data=np.ascontiguousarray(voxels).tobytes())

    def put_labels(self, name: str, start: Vec3, voxels: np.ndarray) -> None:
        """Write whole blocks of a labelmap, and wait until DVID's index, which follows behind, counts them all."""
        self.put(name, start, voxels)
        ids, counts = np.unique(voxels[voxels != 0], return_counts=True)
        expected = np.stack([ids, counts.astype("<u8")], axis=1).tobytes()
        deadline = time.monotonic() + 60
        while self.call("GET", f"{name}/listlabels?sizes=true").content != expected:
            assert time.monotonic() < deadline, "the index does not follow"
            time.sleep(0.01)

    def put_unaligned(self, name: str, box: Box, voxels: np.ndarray, block: Vec3) -> None:
        """Write a box, 1 around it in its blocks, and then say that the box is all there is."""
        whole = aligned_outward(box, block, Vec3(0, 0, 0))
        padded = np.ones(whole.shape.zyx, voxels.dtype)
        padded[box.slices_zyx(whole.start)] = voxels
        self.put(name, whole.start, padded)
        last = box.stop - Vec3(1, 1, 1)
        self.call("POST", f"{name}/extents", json={"MinPoint": list(box.start), "MaxPoint": list(last)})


SERVERS = ("own", "real") if os.environ.get(REAL) else ("own",)
"""The servers that tests run against."""


def skip_without_a_real_server() -> None:
    """Skip, by name, what would have been tried on a real server."""
    if not os.environ.get(REAL):
        pytest.skip(f"no real DVID server: set {REAL}=http://HOST:PORT/UUID")


@contextmanager
def repository(kind: str) -> Iterator[Repository]:
    """A repository of our own server ("own"), or of the real one where the environment names it ("real")."""
    if kind == "real":
        url, _, root = os.environ[REAL].rstrip("/").rpartition("/")
        yield Repository(url, root)
        return
    with dvid_server() as server:
        yield Repository(server.url, server.store.add_repo(alias="cells"), server)
