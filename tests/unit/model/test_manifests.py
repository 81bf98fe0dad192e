"""The manifest of a job, as blocks, arrays and a table."""

import hashlib
import sys

import numpy as np
import pytest

from voxgate.model.errors import Unimplemented
from voxgate.model.geometry import Box
from voxgate.model.jobs import JobBlock
from voxgate.model.manifests import JobManifest

BLOCKS = [
    JobBlock(0, bytes(range(32)), Box.of(x=(-24, 8), y=(40, 83), z=(-7, 14))),
    JobBlock(3, bytes(range(32, 64)), None, 1),
    JobBlock((1 << 53) + 1, bytes(32), Box.of(x=(8, 1 << 40), y=(40, 83), z=(-7, 14)), 2),
]


def test_blocks_come_out_as_they_went_in_whatever_the_pages():
    for pages in ([BLOCKS], [BLOCKS[:1], [], BLOCKS[1:]], [[block] for block in BLOCKS]):
        manifest = JobManifest.of(pages)
        assert list(manifest) == BLOCKS
        assert len(manifest) == 3
        assert manifest.checksum == hashlib.sha256(b"".join(block.checksum for block in BLOCKS)).hexdigest()


def test_a_job_that_has_done_nothing_has_an_empty_manifest():
    manifest = JobManifest.of([])
    assert (list(manifest), len(manifest), manifest.checksum) == ([], 0, hashlib.sha256().hexdigest())
    assert len(manifest.to_pandas()) == 0


def test_a_table_has_a_row_for_each_block():
    frame = JobManifest.of([BLOCKS]).to_pandas()
    assert (frame.index.name, frame.index.dtype, frame.index.tolist()) == (
        "block_index",
        np.uint64,
        [0, 3, (1 << 53) + 1],
    )
    assert frame["x_start"].tolist() == [-24, 0, 8]
    assert frame["x_stop"].tolist() == [8, 0, 1 << 40]
    assert frame["scale"].tolist() == [0, 1, 2]
    assert frame["checksum"].tolist() == [block.checksum.hex() for block in BLOCKS]


def test_without_pandas_the_table_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(Unimplemented) as refused:
        JobManifest.of([BLOCKS]).to_pandas()
    assert "voxgate[tables]" in refused.value.remedy
