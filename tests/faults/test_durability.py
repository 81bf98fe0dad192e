"""What the ledger says is on the disk: the order of a service's own system calls, as strace saw them."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.fault_sites import DESTINATION, SOURCE, site
from support.faults import BOUNDS, sharded, stored_zarr
from voxgate.model.jobs import TransferSpec

_CALLS = "rename,renameat,renameat2,fsync,fdatasync,write"
_BEGUN = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += 0$")
_NAME = re.compile(r"<([^>]*)>|\"([^\"]*)\"")
_SHARD = re.compile(r"/near/seg/0/(c/\d+/\d+/\d+)$")

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def calls(trace: Path) -> Iterator[tuple[str, list[str]]]:
    """The calls that succeeded, in the order in which they ended, and the files they named; and what was committed."""
    begun: dict[str, str] = {}
    for line in trace.read_text(errors="replace").splitlines():
        told = re.search(r'write\(2<.*"commits ([\d ]+)\\n"', line)
        if told:
            yield "commits", told[1].split()
        elif match := _BEGUN.match(line):
            begun[match[1]] = match[2]
        else:
            rest = _RESUMED.match(line)
            whole = f"{rest[1]} {begun.pop(rest[1])}{rest[2]}" if rest else line
            if call := _CALL.match(whole):
                yield call[2], ["".join(found) for found in _NAME.findall(call[3])]


def test_no_block_is_committed_before_its_shard_and_the_shards_name_are_on_the_disk(tmp_path):
    trace = tmp_path / "trace"
    with site(tmp_path) as here:
        options = ["-f", "--quiet=all", "--decode-fds=path", "-s", "4096", "-e", f"trace={_CALLS}", "-o", str(trace)]
        here.server(prefix=("strace", *options), SMALL_BLOCK_TELLS="1").start()
        here.gate.open()
        job = here.end_of(here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=sharded())).job)
        here.check_ledger(job)
        assert np.array_equal(stored_zarr(here.destination()), here.voxels)
        starts = {str(block.block_index): block.box.start - BOUNDS.start for block in here.handle(job).manifest()}
    shards = {index: f"c/{at.z // 32}/{at.y // 32}/{at.x // 64}" for index, at in starts.items()}
    written, named, durable, committed = set(), set(), set(), set()
    for call, names in calls(trace):
        if call == "commits":
            missing = {shards[index] for index in names} - durable
            assert not missing, f"in the ledger, and not on the disk: {missing}"
            committed |= set(names)
        elif call in ("fsync", "fdatasync"):
            written.add(names[0])
            durable |= {shard for shard in named if names[0].endswith(f"/near/seg/0/{shard.rpartition('/')[0]}")}
        elif call.startswith("rename") and (shard := _SHARD.search(names[-1])):
            assert names[0] in written, "a shard got its name before its bytes were on the disk"
            named.add(shard[1])
    assert committed == set(shards)
    assert durable == set(shards.values())
