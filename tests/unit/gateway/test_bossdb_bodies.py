"""Bodies of the BossDB dialect: voxels there and back, and what is no body."""

import asyncio
import io
import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numcodecs import blosc

from support.boss_dialect import in_npygz
from voxgate_gateway.bossdb.codecs import BLOSC, JPEG, NPYGZ, decode, encode, media_of, negotiated
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.memory import Locks, Memory

VOXELS = st.sampled_from(["<u1", "<u2", "<u8"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=3, max_dims=4, max_side=6))
)


@given(VOXELS, st.sampled_from([BLOSC, NPYGZ]))
def test_voxels_come_back_as_they_were(voxels, media):
    found = decode(encode(voxels, media), media, voxels.shape, voxels.dtype)
    assert found.dtype == voxels.dtype
    np.testing.assert_array_equal(found, voxels)


@given(VOXELS)
def test_others_read_what_is_written_here(voxels):
    by_numpy = np.load(io.BytesIO(zlib.decompress(encode(voxels, NPYGZ))), allow_pickle=False)
    np.testing.assert_array_equal(by_numpy, voxels)
    by_blosc = np.frombuffer(blosc.decompress(encode(voxels, BLOSC)), voxels.dtype).reshape(voxels.shape)
    np.testing.assert_array_equal(by_blosc, voxels)


@given(st.binary(max_size=200), st.sampled_from([BLOSC, NPYGZ]))
def test_any_bytes_are_refused_in_the_dialects_words(body, media):
    with pytest.raises(BossError) as caught:
        decode(body, media, (3, 4, 5), np.dtype("<u2"))
    assert caught.value.status == 400


@given(st.data())
def test_a_body_of_which_a_byte_is_changed_is_refused_or_has_as_many_voxels(data):
    voxels = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    media = data.draw(st.sampled_from([BLOSC, NPYGZ]))
    body = bytearray(encode(voxels, media))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(body), media, voxels.shape, voxels.dtype)
    except BossError:
        return
    assert (found.shape, found.dtype) == (voxels.shape, voxels.dtype)


def test_arrays_of_columns_first_are_turned():
    voxels = np.asfortranarray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    np.testing.assert_array_equal(decode(in_npygz(voxels), NPYGZ, (3, 4, 5), np.dtype("u1")), voxels)


def test_a_header_that_claims_much_makes_nothing():
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)})
    with pytest.raises(BossError) as caught:
        decode(zlib.compress(file.getvalue()), NPYGZ, (3, 4, 5), np.dtype("u1"))
    assert caught.value.code is Code.DATA_DIMENSION_MISMATCH


def test_pickles_are_never_read():
    with pytest.raises(BossError) as caught:
        media_of("application/blosc-python; charset=x")
    assert caught.value.status == 415
    file = io.BytesIO()
    np.save(file, np.array([1, None], object), allow_pickle=True)
    for body in (zlib.compress(file.getvalue()), zlib.compress(pickle.dumps([1]))):
        with pytest.raises(BossError):
            decode(body, NPYGZ, (2,), np.dtype("u1"))


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", BLOSC),
        ("*/*", BLOSC),
        ("application/blosc", BLOSC),
        ("image/*;q=0.8, */*;q=0.1", JPEG),
        ("application/npygz", NPYGZ),
        ("text/html, application/NPYGZ", NPYGZ),
        ("application/*", BLOSC),
        ("application/blosc-python, application/npygz", NPYGZ),
    ],
)
def test_the_most_particular_of_what_is_accepted_is_answered(accept, media):
    assert negotiated(accept) == media


def test_nothing_that_is_accepted_is_406():
    with pytest.raises(BossError) as caught:
        negotiated("application/blosc-python")
    assert caught.value.status == 406


def test_memory_is_held_by_as_many_as_fit_and_by_one_that_is_larger():
    held, most = [], []

    async def work(memory, size):
        async with memory.held(size):
            held.append(size)
            most.append(sum(held))
            await asyncio.sleep(0)
            held.remove(size)

    async def all_of_it():
        memory = Memory(10)
        await asyncio.wait_for(asyncio.gather(*(work(memory, size) for size in (4, 4, 4, 10, 1, 4))), 30)
        cancelled = asyncio.create_task(work(memory, 10))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        held.clear()
        await asyncio.wait_for(work(memory, 99), 30)

    asyncio.run(all_of_it())
    assert max(most[:-1]) <= 10


def test_a_volume_has_one_lock_for_as_long_as_somebody_has_it():
    locks = Locks()
    one = locks.of("a")
    assert locks.of("a") is one
    assert locks.of("b") is not one
