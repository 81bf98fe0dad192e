"""What tests of faults share: a source on a socket that lets so many reads through, and programs that are killed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorstore as ts

from support.house import ROOT
from support.references import segmentation
from support.scripted_http import closed_port
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import Encoding, ScaleSpec, VolumeKind, VolumeSpec

BOUNDS = Box.of(x=(-24, 133), y=(40, 161), z=(1007, 1097))
SOURCE_CHUNK = Vec3(32, 32, 32)
SIZE = VoxelSize(4.0, 4.0, 40.0)
CHUNK_COUNT = 5 * 4 * 3
_HELD = re.compile(r"/(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)$|/blocks/\d+$")
_LONG_S = 240.0


def the_seed() -> int:
    """What everything that is random in a test comes from: printed, and taken from VOXGATE_FAULT_SEED to repeat it."""
    seed = int(os.environ.get("VOXGATE_FAULT_SEED") or random.SystemRandom().randrange(2**32))
    print(f"VOXGATE_FAULT_SEED={seed}")  # pytest shows it with a failure
    return seed


def source_voxels() -> np.ndarray:
    """Segment ids above 2**63 among them: uint64 array of shape (1, z, y, x)."""
    return segmentation((1, *BOUNDS.shape.zyx), seed=11)


def write_source(folder: Path) -> np.ndarray:
    """The source as precomputed, written by tensorstore; its voxels."""
    voxels = source_voxels()
    scale = {
        "key": "fine",
        "size": list(BOUNDS.shape),
        "voxel_offset": list(BOUNDS.start),
        "resolution": list(SIZE),
        "chunk_size": list(SOURCE_CHUNK),
        "encoding": "raw",
    }
    store = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "multiscale_metadata": {"type": "segmentation", "data_type": "uint64", "num_channels": 1},
            "scale_metadata": scale,
            "create": True,
        }
    ).result()
    store.write(voxels.transpose(3, 2, 1, 0)).result()
    return voxels


def sharded() -> VolumeSpec:
    """A destination of Zarr v3 in shards of two of the source's chunks."""
    scale = ScaleSpec(BOUNDS, SIZE, Vec3(32, 32, 16), Vec3(64, 32, 32))
    return VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (scale,), format="zarr3")


def precomputed() -> VolumeSpec:
    """A destination of precomputed, a file for each chunk, nothing compressed."""
    scale = ScaleSpec(BOUNDS, SIZE, Vec3(32, 32, 32), encoding=Encoding())
    return VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (scale,), format="precomputed")


def stored_zarr(folder: Path) -> np.ndarray:
    """A destination as tensorstore reads it, (1, z, y, x); what was not written is there as zeros."""
    store = ts.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder}/0/"}}).result()
    return store.read().result()[np.newaxis]


def stored_precomputed(folder: Path) -> np.ndarray:
    """A destination as cloud-volume reads it, (1, z, y, x)."""
    from cloudvolume import CloudVolume  # takes a second

    volume = CloudVolume(f"file://{folder}", progress=False, fill_missing=False)
    return np.asarray(volume[:, :, :]).transpose(3, 2, 1, 0)


def checksum_of(voxels: np.ndarray, box: Box) -> bytes:
    """SHA-256 of a box of the source as the ledger should have it."""
    return hashlib.sha256(np.ascontiguousarray(voxels[:, *box.slices_zyx(BOUNDS.start)]).tobytes()).digest()


def chunks_of(box: Box) -> set[str]:
    """Names of the source's chunks that a box lies in."""
    cells = grid_cells(box, SOURCE_CHUNK, BOUNDS.start)
    whole = [Box.at(_corner(cell.start), SOURCE_CHUNK).intersection(BOUNDS) for cell in cells]
    return {"_".join(f"{a}-{b}" for a, b in zip(each.start, each.stop, strict=True)) for each in whole}


def _corner(point: Vec3) -> Vec3:
    pairs = zip(point, BOUNDS.start, SOURCE_CHUNK, strict=True)
    return Vec3(*(start + (at - start) // chunk * chunk for at, start, chunk in pairs))


class Gate:
    """A `whim` of static files that lets so many reads of chunks through and holds up the others.

    Programs that read no source here ask at "blocks/NUMBER" before each block; see `support.small_blocks`.

    Attributes:
        passed: names of the chunks, or numbers of the blocks, that were let through, in their order.
        mood: what becomes of a read that is let through; see StaticFiles.whim.
    """

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.mood: Callable[[str], str] = lambda _: ""
        self._allowed = 0.0
        self._round = 0
        self._change = threading.Condition()

    def __call__(self, path: str) -> str:
        match = _HELD.search(path)
        if match is None:
            return ""
        with self._change:
            mine = self._round
            while len(self.passed) >= self._allowed and mine == self._round:
                self._change.wait(_LONG_S)
            if mine != self._round:  # who asked has been killed
                return "503"
            self.passed.append(path.rsplit("/", 1)[-1])
            self._change.notify_all()
        return self.mood(path)

    def allow(self, more: float) -> None:
        """Let so many more through."""
        with self._change:
            self._allowed = len(self.passed) + more
            self._change.notify_all()

    def open(self) -> None:
        """Let all through from here on."""
        self.allow(float("inf"))

    def wait_until_used_up(self) -> None:
        """Return when as many were let through as are allowed."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.passed) >= self._allowed, _LONG_S), "nobody reads"

    def settle(self, seconds: float) -> None:
        """Let who was let through go on for a while."""
        time.sleep(seconds)

    def turn_away(self) -> None:
        """Answer those who wait with an error: they are gone."""
        with self._change:
            self._round += 1
            self._change.notify_all()


class Program:
    """A program in a session of its own, killed with all of its children; started again at the same ports.

    Attributes:
        address: where it serves, if it does.
    """

    address = ""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; it need not be ready."""
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command, stdout=sink, stderr=sink, env=self._environment, start_new_session=True
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.process.wait(60)

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-4000:]


@contextlib.contextmanager
def ended_at_last(programs: Sequence[Program]) -> Iterator[None]:
    """Kill what still runs when the block ends."""
    try:
        yield
    finally:
        for program in programs:
            if program.is_running:
                program.send(signal.SIGCONT)
                program.kill()


def ours(module: str, *arguments: str) -> list[str]:
    """The command of a program of ours, with small blocks."""
    return [sys.executable, "-m", "support.small_blocks", module, *arguments]


def free_port() -> int:
    """A port that nothing listens at, and that no connection of anybody's is given while a program is down."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(given.read_text().split()[0]) if given.exists() else 0
    draw = random.SystemRandom()
    for _ in range(100 if first > 16_384 else 0):
        with socket.socket() as taken, contextlib.suppress(OSError):
            port = draw.randrange(first - 8_192, first)
            taken.bind(("127.0.0.1", port))
            return port
    return closed_port()


def until(condition: Callable[[], bool], what: str, patience_s: float = _LONG_S) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)
