"""Undoing the compression of a suffix: exact for what another program made, bounded for everything else."""

import tracemalloc

import pytest
from cloudfiles.compression import compress
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import ChunkCorrupt
from voxgate_remotes.suffixes import GZIP, SUFFIXES, suffix_of, undone

NAMES = {".gz": "gzip", ".br": "br", ".zstd": "zstd", ".xz": "xz", ".bz2": "bzip2"}
EVERY = pytest.mark.parametrize("suffix", SUFFIXES, ids=lambda suffix: suffix.ending)
BOMB_BYTES, LIMIT = 2**27, 2**20
MOST_BESIDES = 2**20  # pieces and the joined whole are there at the same time


def packed(data, suffix):
    return compress(data, NAMES[suffix.ending])


@EVERY
@given(data=st.binary(max_size=3000).map(lambda part: part * 7))
def test_what_cloud_files_compresses_comes_back_exactly_and_not_one_byte_more(suffix, data):
    small = packed(data, suffix)
    assert suffix_of(f"0-64_0-64_0-64{suffix.ending}") is suffix
    assert undone(small, suffix, max(1, len(data)), "it") == data
    if len(data) > 1:
        with pytest.raises(ChunkCorrupt, match="it is not valid"):
            undone(small, suffix, len(data) - 1, "it")


@EVERY
@given(cut=st.integers(1, 60), tail=st.binary(min_size=1, max_size=9).filter(any))
def test_what_is_cut_short_or_followed_by_something_is_corrupt(suffix, cut, tail):
    whole = packed(bytes(range(256)) * 5, suffix)
    for damaged in (whole[:-cut], whole + tail, b""):
        with pytest.raises(ChunkCorrupt):
            undone(damaged, suffix, 4000, "it")


@pytest.fixture(scope="module")
def bombs():
    return {suffix: packed(bytes(BOMB_BYTES), suffix) for suffix in SUFFIXES if suffix.ending != ".xz"}


@pytest.mark.parametrize("suffix", [each for each in SUFFIXES if each.ending != ".xz"], ids=lambda each: each.ending)
def test_a_bomb_takes_no_more_memory_than_what_is_allowed_to_come_out(bombs, suffix):
    tracemalloc.start()
    try:
        with pytest.raises(ChunkCorrupt):
            undone(bombs[suffix], suffix, LIMIT, "it")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * LIMIT + MOST_BESIDES


def test_a_bomb_in_a_later_member_of_gzip_is_none_either():
    bomb = packed(bytes(LIMIT), GZIP) + packed(bytes(BOMB_BYTES), GZIP)
    tracemalloc.start()
    try:
        for limit in (LIMIT - 1, LIMIT, LIMIT + 1):
            with pytest.raises(ChunkCorrupt):
                undone(bomb, GZIP, limit, "it")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * LIMIT + MOST_BESIDES


def test_members_of_gzip_are_one_file_padding_left_out():
    assert undone(packed(b"one", GZIP) + packed(b"two", GZIP) + bytes(5), GZIP, 6, "it") == b"onetwo"
