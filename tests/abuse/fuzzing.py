"""Fuzzing by mutation: a target in a process of its own, watched for crashes, hangs and growing memory.

python -m abuse.fuzzing TARGET COUNT SEED CURRENT: the process. Its current input lies in the file CURRENT, so that
whoever watches it has the input that killed it.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxgate.model.errors import VoxgateError

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 30.0
"""How long one input may take, on a busy machine."""
_START_S = 120.0
GROWTH_BYTES = 768 << 20
"""By how much a process may grow while it is fuzzed."""
_ROOM_BYTES = 6 << 30
_KEPT = 20
_HEADER = struct.Struct("<QI")
_CURRENT_BYTES = 1 << 20
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        call: takes one input.
        seeds: good inputs that are mutated.
        refusals: the errors that are honest answers.
        vary: makes an input of the seeds; None mutates bytes.
    """

    call: Callable[[bytes], object]
    seeds: Sequence[bytes]
    refusals: tuple[type[BaseException], ...] = (VoxgateError,)
    vary: Callable[[random.Random, Sequence[bytes]], bytes] | None = None


@dataclass
class Outcome:
    """What became of the inputs of one target.

    Attributes:
        inputs: how many were run.
        taken: how many of them were no errors.
        refused: how many were refused by a typed error.
        grown_bytes: by how much the process grew.
        faults: untyped errors, crashes and hangs: what happened, and the input in hex.
    """

    name: str
    inputs: int = 0
    taken: int = 0
    refused: int = 0
    grown_bytes: int = 0
    seconds: float = 0.0
    faults: list[dict[str, str]] = field(default_factory=list)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with a few wounds, or noise."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.randrange(64))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _WOUNDS[rng.randrange(len(_WOUNDS))](rng, data, seeds)
    return bytes(data)


def _flip(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _number(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    width = rng.choice((1, 2, 4, 8))
    value = (rng.choice(_EXTREMES) if rng.random() < 0.7 else rng.getrandbits(64)) & ((1 << 8 * width) - 1)
    # Headers are at the front, and their fields are aligned.
    at = rng.randrange(max(1, min(len(data), 64) if rng.random() < 0.7 else len(data)))
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "little", "big")))


def _cut(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _remove(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(16)]


def _insert(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(1, 16))


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    at = rng.randrange(len(data) + 1)
    start = rng.randrange(len(other) + 1)
    data[at : at + rng.randrange(32)] = other[start : start + rng.randrange(64)]


_WOUNDS = (_flip, _flip, _byte, _number, _number, _cut, _remove, _insert, _splice)


def run_here(name: str, target: Target, count: int, seed: int, current: mmap.mmap) -> Outcome:
    """Fuzz in this process."""
    rng = random.Random(f"{name} {seed}")
    vary = target.vary or mutated
    for data in target.seeds:
        target.call(data)  # a seed that is refused tests nothing; what is imported late is imported now
    outcome, began, before = Outcome(name), time.monotonic(), _resident()
    for number in range(count):
        data = vary(rng, target.seeds)
        current[: _HEADER.size] = _HEADER.pack(number, min(len(data), _CURRENT_BYTES))
        current[_HEADER.size : _HEADER.size + len(data[:_CURRENT_BYTES])] = data[:_CURRENT_BYTES]
        outcome.inputs += 1
        try:
            target.call(data)
            outcome.taken += 1
        except target.refusals:
            outcome.refused += 1
        except Exception as error:  # noqa: BLE001  (this is what is looked for)
            _note(outcome, error, data)
        if number % 256 == 0:
            outcome.grown_bytes = max(outcome.grown_bytes, _resident() - before)
    outcome.seconds = time.monotonic() - began
    if outcome.grown_bytes > GROWTH_BYTES:
        outcome.faults.append({"fault": f"grew by {outcome.grown_bytes >> 20} MiB", "input": ""})
    return outcome


def _note(outcome: Outcome, error: BaseException, data: bytes) -> None:
    last = traceback.extract_tb(error.__traceback__)[-1]
    fault = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {str(error)[:120]}"
    where = fault.partition(": ")[0]
    if len(outcome.faults) < _KEPT and all(one["fault"].partition(": ")[0] != where for one in outcome.faults):
        outcome.faults.append({"fault": fault, "input": data[:4096].hex()})


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fuzz(name: str, count: int, seed: int = 0) -> Outcome:
    """Fuzz a target of `abuse.targets` in a process of its own, and go on behind what kills it."""
    whole = Outcome(name)
    while whole.inputs < count and len(whole.faults) < _KEPT:
        part = _watched(name, count - whole.inputs, seed)
        whole.inputs += part.inputs
        whole.taken += part.taken
        whole.refused += part.refused
        whole.seconds += part.seconds
        whole.grown_bytes = max(whole.grown_bytes, part.grown_bytes)
        whole.faults += part.faults
        seed += 1
    return whole


def _watched(name: str, count: int, seed: int) -> Outcome:
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(_HEADER.size + _CURRENT_BYTES)
        command = [sys.executable, "-m", "abuse.fuzzing", name, str(count), str(seed), file.name]
        paths = os.pathsep.join([str(ROOT / "tests"), *filter(None, sys.path)])
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
        ) as process:
            began, is_hung = time.monotonic(), _wait(process, file.name)
            out, err = process.communicate()
        if process.returncode == 0:
            return Outcome(**json.loads(out))
        if process.returncode > 0:
            raise RuntimeError(f"the target {name} cannot be fuzzed: {err[-2000:].decode(errors='replace')}")
        number, size = _HEADER.unpack_from(Path(file.name).read_bytes())
        data = Path(file.name).read_bytes()[_HEADER.size : _HEADER.size + min(size, 4096)]
        how = "hang" if is_hung else f"crash ({_ending(process.returncode)})"
        fault = {"fault": f"{how}: {err[-300:].decode(errors='replace')}", "input": data.hex()}
        return Outcome(name, number + 1, seconds=time.monotonic() - began, faults=[fault])


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _wait(process: subprocess.Popen[bytes], current: str) -> bool:
    """Wait for its end; whether it hung and was ended."""
    moved, last = time.monotonic(), b""
    while True:
        try:
            process.wait(0.2)
            return False
        except subprocess.TimeoutExpired:
            with open(current, "rb") as file:
                now = file.read(_HEADER.size)
        if now != last:
            moved, last = time.monotonic(), now
        elif time.monotonic() - moved > (HANG_S if any(now) else _START_S):
            process.kill()
            return True


def main(arguments: list[str]) -> None:
    """Fuzz one target and print its outcome."""
    from abuse.targets import target_of

    name, count, seed, current = arguments
    target = target_of(name)
    # Beyond this, an allocation fails, and is a fault of its own, before the machine has no memory left.
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM_BYTES, resource.RLIM_INFINITY))
    with open(current, "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        outcome = run_here(name, target, int(count), int(seed), shared)
    told: dict[str, Any] = dataclasses.asdict(outcome)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
