import gzip
import zlib

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from voxgate.model.errors import ChunkCorrupt, UnsupportedEncoding
from voxgate.model.volumes import FILL, RAW, SUPPORTED_DTYPES, ArrayCodec, Encoding
from voxgate.wire.encodings import GZIP, ZSTD, available_encodings, choose, decode, encode

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))


@given(data=st.data(), dtype=st.sampled_from(SUPPORTED_DTYPES), shape=SHAPES)
def test_voxels_survive_every_encoding(data, dtype, shape):
    voxels = data.draw(hnp.arrays(dtype, shape))
    for encoding in available_encodings():
        got = decode(encode(voxels, encoding), encoding, shape, dtype)
        assert got.tobytes() == voxels.tobytes()
        # A view with holes encodes like its copy.
        turned = voxels[:, ::-1, :, ::2]
        again = decode(encode(turned, encoding), encoding, turned.shape, dtype)
        assert again.tobytes() == turned.tobytes()


def test_bytes_are_x_fastest_little_endian_and_readable_without_us():
    voxels = np.arange(2 * 3 * 4 * 5, dtype="<u4").reshape(2, 3, 4, 5)
    raw = encode(voxels, RAW)
    c, z, y, x = 1, 2, 0, 3
    offset = 4 * (x + 5 * (y + 4 * (z + 3 * c)))
    assert int.from_bytes(raw[offset : offset + 4], "little") == voxels[c, z, y, x]
    assert gzip.decompress(encode(voxels, GZIP)) == raw
    assert zstandard.decompress(encode(voxels, ZSTD)) == raw


@pytest.mark.parametrize("encoding", [RAW, GZIP, ZSTD])
def test_bytes_that_do_not_fill_the_box_are_corrupt(encoding):
    shape, dtype = (1, 2, 3, 4), np.dtype("<u2")
    good = encode(np.ones(shape, dtype), encoding)
    small, large = np.ones((1, 2, 3, 3), dtype), np.ones((1, 2, 3, 5), dtype)
    for bad in (encode(small, encoding), encode(large, encoding), good[:-3], b"", b"nonsense"):
        with pytest.raises(ChunkCorrupt):
            decode(bad, encoding, shape, dtype)


def test_a_bomb_is_refused_before_it_goes_off():
    bomb = zlib.compress(bytes(1 << 28), 9, 31)
    assert len(bomb) < 300_000
    with pytest.raises(ChunkCorrupt):
        decode(bomb, GZIP, (1, 1, 1, 10), np.dtype("<u1"))
    with pytest.raises(ChunkCorrupt):
        decode(zstandard.compress(bytes(1 << 28)), ZSTD, (1, 1, 1, 10), np.dtype("<u1"))
    # A frame that hides its size.
    stream = zstandard.ZstdCompressor().compressobj()
    hidden = stream.compress(bytes(1 << 28)) + stream.flush()
    with pytest.raises(ChunkCorrupt):
        decode(hidden, ZSTD, (1, 1, 1, 10), np.dtype("<u1"))


def test_the_first_accepted_encoding_that_can_be_made_is_chosen():
    jpeg = Encoding(ArrayCodec.JPEG)
    assert choose([]) == RAW
    assert choose([jpeg, GZIP, RAW]) == GZIP
    with pytest.raises(UnsupportedEncoding):
        choose([jpeg])
    for encoding in (jpeg, FILL):
        with pytest.raises(UnsupportedEncoding):
            decode(b"", encoding, (1, 1, 1, 1), np.dtype("<u1"))
